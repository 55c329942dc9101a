// Package topology keeps the graph of what calls, owns and hosts what, with its history, fed by one
// source per kind of metric that people already have.
//
// A Source states the instant queries it needs and turns their samples into edges; a Graph keeps
// every edge with its source, confidence and the times it was seen; a View is the graph of one
// moment, indexed, in which one thing that several sources name has one place.
package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind says what an entity is. Sources may use other kinds than the constants.
type Kind string

// Kinds of entities.
const (
	KindService  Kind = "service"  // a workload: what calls and is called
	KindPod      Kind = "pod"      // one running instance of a service
	KindInstance Kind = "instance" // one scraped instance outside Kubernetes
	KindNode     Kind = "node"     // the host that pods and instances run on
	KindZone     Kind = "zone"     // a failure domain of nodes
	KindCluster  Kind = "cluster"  // everything
	KindVolume   Kind = "volume"   // a claim or a disk
	KindIngress  Kind = "ingress"  // a front door
	KindDatabase Kind = "database" // a database known from its callers alone
	KindQueue    Kind = "queue"    // a messaging system
	KindExternal Kind = "external" // something outside that only its callers see
)

// EdgeKind says how two entities are related.
type EdgeKind string

// Kinds of edges, written as "From kind To".
const (
	Call EdgeKind = "call" // a service calls a service
	Owns EdgeKind = "owns" // a service owns a pod or an instance
	Host EdgeKind = "host" // a pod or an instance runs on a node
	Uses EdgeKind = "uses" // a pod or a service uses a volume
	In   EdgeKind = "in"   // a node is in a zone
	Same EdgeKind = "same" // both names mean one thing
)

// Entity is a thing that can be a cause or a victim. Cluster and Namespace are empty when the
// source did not say; an empty one matches any when that is unambiguous.
type Entity struct {
	Kind      Kind   `json:"kind"`
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String is "kind cluster/namespace/name" without the empty parts.
func (e Entity) String() string {
	parts := make([]string, 0, 3)
	for _, p := range []string{e.Cluster, e.Namespace, e.Name} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return string(e.Kind) + " " + strings.Join(parts, "/")
}

// Compare orders entities by name, namespace, cluster, kind.
func Compare(a, b Entity) int {
	return cmp.Or(
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Kind, b.Kind))
}

// Edge is one directed relation as one source saw it.
type Edge struct {
	From       Entity    `json:"from"`
	To         Entity    `json:"to"`
	Kind       EdgeKind  `json:"kind"`
	Source     string    `json:"source"`
	Confidence float64   `json:"confidence"` // 0 to 1
	FirstSeen  time.Time `json:"first_seen"`
	LastSeen   time.Time `json:"last_seen"`
}

func (e Edge) String() string { return fmt.Sprintf("%s -%s-> %s", e.From, e.Kind, e.To) }

// CompareEdges orders edges by ends, kind and source.
func CompareEdges(a, b Edge) int {
	return cmp.Or(Compare(a.From, b.From), Compare(a.To, b.To), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source, b.Source))
}

// SortEdges puts edges in the order of CompareEdges.
func SortEdges(edges []Edge) { slices.SortFunc(edges, CompareEdges) }

// Attributes are facts about an entity, as zone, internal_ip or tier.
type Attributes map[string]string

// Names of attributes that the house understands.
const (
	AttrIP   = "internal_ip"
	AttrZone = "zone"
	AttrTier = "tier"
)
