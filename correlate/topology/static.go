package topology

import (
	"errors"
	"fmt"
	"slices"
)

// StaticEdge is an edge that the user states.
type StaticEdge struct {
	// From names the end that calls, owns, runs on or uses. Required.
	From string `yaml:"from"`
	// To names the other end. Required.
	To string `yaml:"to"`
	// Kind is what the edge means: call (the default), owns, host, uses, in or same.
	Kind EdgeKind `yaml:"kind,omitempty"`
	// Cluster is the cluster of both ends, as it stands in their alerts; may be empty.
	Cluster string `yaml:"cluster,omitempty"`
	// Namespace is the namespace of both ends, as it stands in their alerts; may be empty.
	Namespace string `yaml:"namespace,omitempty"`
	// FromKind is what the first end is; by default what the kind of the edge implies, a service for call.
	FromKind Kind `yaml:"from_kind,omitempty"`
	// ToKind is what the other end is; by default what the kind of the edge implies.
	ToKind Kind `yaml:"to_kind,omitempty"`
}

// StaticEntity is what the user says about an entity.
type StaticEntity struct {
	// Name is the entity's name, as it stands in its alerts. Required.
	Name string `yaml:"name"`
	// Kind is what it is: service (the default), pod, instance, node, zone, cluster, volume, ingress,
	// database, queue or external.
	Kind Kind `yaml:"kind,omitempty"`
	// Cluster is the cluster it belongs to; may be empty.
	Cluster string `yaml:"cluster,omitempty"`
	// Namespace is the namespace it belongs to; may be empty.
	Namespace string `yaml:"namespace,omitempty"`
	// Tier is the part of the system by which the affected are counted, for example web, api or database.
	Tier string `yaml:"tier,omitempty"`
	// Zone is the failure domain it stands in, for example a rack.
	Zone string `yaml:"zone,omitempty"`
	// Address is the IP address of a node or an instance, by which callers that know no name find it.
	Address string `yaml:"address,omitempty"`
}

// Validate says what is wrong.
func (e *StaticEdge) Validate() error {
	switch {
	case e.From == "" || e.To == "":
		return errors.New("from and to must both name an entity")
	case e.From == e.To:
		return fmt.Errorf("%q has an edge to itself", e.From)
	case e.Kind != "" && !slices.Contains(edgeKinds, e.Kind):
		return fmt.Errorf("kind %q: want one of %s", e.Kind, joinKinds())
	}
	return nil
}

// Static is the user's own edges and entities as a Source without queries.
type Static struct {
	Edges    []StaticEdge
	Entities []StaticEntity
}

// Name implements Source.
func (Static) Name() string { return "static" }

// Queries implements Source.
func (Static) Queries() []Query { return nil }

// endKinds are the kinds of the two ends by the kind of edge, where the user does not say.
var endKinds = map[EdgeKind][2]Kind{
	Call: {KindService, KindService}, Owns: {KindService, KindPod}, Host: {KindPod, KindNode},
	Uses: {KindService, KindVolume}, In: {KindNode, KindZone}, Same: {KindService, KindService},
}

// EndKinds are the usual kinds of the two ends of an edge.
func EndKinds(k EdgeKind) [2]Kind {
	if ends, ok := endKinds[k]; ok {
		return ends
	}
	return [2]Kind{KindService, KindService}
}

// Find implements Source.
func (s Static) Find([][]Sample) Found {
	var f Found
	kinds := map[string]Kind{}
	for _, e := range s.Entities {
		ent := Entity{e.Kind, e.Cluster, e.Namespace, e.Name}
		if ent.Kind == "" {
			ent.Kind = KindService
		}
		kinds[e.Name] = ent.Kind
		f.describe(ent, "name", e.Name)
		f.describe(ent, AttrTier, e.Tier)
		addZone(&f, s.Name(), ent, e.Zone)
		f.describe(ent, AttrIP, e.Address)
	}
	kind := func(stated Kind, name string, usual Kind) Kind {
		if stated != "" {
			return stated
		}
		if k, ok := kinds[name]; ok {
			return k
		}
		return usual
	}
	for _, e := range s.Edges {
		k := e.Kind
		if k == "" {
			k = Call
		}
		from, to := kind(e.FromKind, e.From, endKinds[k][0]), kind(e.ToKind, e.To, endKinds[k][1])
		f.edge(Edge{
			From: Entity{from, e.Cluster, e.Namespace, e.From}, To: Entity{to, e.Cluster, e.Namespace, e.To},
			Kind: k, Source: s.Name(), Confidence: 1,
		})
	}
	return f
}
