package correlate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/correlate/topology"
)

// level is the part a vertex plays in the propagation of trouble.
type level uint8

const (
	levelService level = iota
	levelPod
	levelNode
	levelZone
	levelOther
	numLevels = iota
)

// link is a neighbour in the call graph with the confidence of the edge.
type link struct {
	to   int
	conf float64
}

// vertex is an entity with its neighbours, by level.
type vertex struct {
	ent     topology.Entity
	level   level
	attrs   topology.Attributes
	callers []link
	callees []link
	pods    []int // owned instances
	owners  []int // workloads that own this instance
	hosts   []int // nodes it runs on
	guests  []int // what runs on this node
	zones   []int // of a node
	members []int // nodes of a zone
	volumes []int
	users   []int  // of a volume
	kin     []link // what fires together with it, by experience
	learned bool   // known from alert labels alone
	shared  bool   // everything depends on it, as on the cluster's DNS
}

// world is the graph as the explanation sees it: the topology at the time of the alerts, and what
// the alerts' own labels add to it (a pod on a node, an instance of a job, a named peer).
type world struct {
	v       []vertex
	graph   map[topology.Entity]int // what the topology knows; not to be written
	learned map[topology.Entity]int // what alert labels add

	hasPods bool // the graph knows instances
}

// with returns a world that may learn from alerts without a trace in this one, which is of the graph alone.
// more is about how many entities they will add.
func (w *world) with(more int) *world {
	out := &world{graph: w.graph, hasPods: w.hasPods, learned: make(map[topology.Entity]int, more)}
	out.v = append(make([]vertex, 0, len(w.v)+more), w.v...)
	return out
}

// newWorld is what the topology knows. Lists of neighbours have no spare capacity, so that what is added to a copy
// is not seen by others.
func newWorld(view *topology.View) *world {
	w := &world{graph: make(map[topology.Entity]int, view.Len())}
	w.v = make([]vertex, view.Len())
	for n, e := range view.Entities {
		w.v[n] = vertex{ent: e, level: levelOf(view, n), attrs: view.Attrs[n], shared: isShared(e)}
		w.graph[e] = n
	}
	for n := range view.Entities {
		x := &w.v[n]
		x.callees, x.callers = links(view.Out(topology.Call, n)), links(view.Into(topology.Call, n))
		x.pods, x.owners = ends(view.Out(topology.Owns, n)), ends(view.Into(topology.Owns, n))
		x.hosts, x.guests = ends(view.Out(topology.Host, n)), ends(view.Into(topology.Host, n))
		x.zones, x.members = ends(view.Out(topology.In, n)), ends(view.Into(topology.In, n))
		w.hasPods = w.hasPods || len(x.pods) > 0
		x.volumes, x.users = ends(view.Out(topology.Uses, n)), ends(view.Into(topology.Uses, n))
	}
	return w
}

func links(arcs []topology.Arc) []link {
	if len(arcs) == 0 {
		return nil
	}
	out := make([]link, len(arcs))
	for i, a := range arcs {
		out[i] = link{a.To, a.Confidence}
	}
	return out
}

func ends(arcs []topology.Arc) []int {
	if len(arcs) == 0 {
		return nil
	}
	out := make([]int, len(arcs))
	for i, a := range arcs {
		out[i] = a.To
	}
	return out
}

// levelOf goes by the edges first: what is owned is an instance, what hosts is a node.
func levelOf(v *topology.View, n int) level {
	switch v.Entities[n].Kind {
	case topology.KindZone, topology.KindCluster:
		return levelZone
	case topology.KindNode:
		return levelNode
	case topology.KindVolume:
		return levelOther
	}
	switch {
	case len(v.Into(topology.Host, n)) > 0:
		return levelNode
	case len(v.Out(topology.Call, n)) > 0 || len(v.Into(topology.Call, n)) > 0:
		return levelService
	case len(v.Into(topology.Owns, n)) > 0, len(v.Out(topology.Host, n)) > 0:
		return levelPod
	case v.Entities[n].Kind == topology.KindPod, v.Entities[n].Kind == topology.KindInstance:
		return levelPod
	}
	return levelService
}

// add returns the number of an entity that alert labels name, making it when it is new.
func (w *world) add(e topology.Entity, l level) int {
	if n, ok := w.graph[e]; ok {
		return n
	}
	if n, ok := w.learned[e]; ok {
		return n
	}
	n := len(w.v)
	w.v = append(w.v, vertex{ent: e, level: l, learned: true, shared: isShared(e)})
	w.learned[e] = n
	return n
}

func appendNew(s []int, n int) []int {
	if slices.Contains(s, n) {
		return s
	}
	return append(s, n)
}

// own notes that an instance without an owner belongs to a workload.
func (w *world) own(owner, pod int) {
	if owner == pod || w.v[owner].level != levelService {
		return
	}
	w.v[owner].pods, w.v[pod].owners = append(w.v[owner].pods, pod), append(w.v[pod].owners, owner)
}

// host notes that an instance without a node runs on one.
func (w *world) host(pod, node int) {
	if pod == node || w.v[node].level != levelNode {
		return
	}
	w.v[pod].hosts, w.v[node].guests = append(w.v[pod].hosts, node), append(w.v[node].guests, pod)
}

func (w *world) call(from, to int, conf float64) {
	if from == to || slices.ContainsFunc(w.v[from].callees, func(l link) bool { return l.to == to }) {
		return
	}
	w.v[from].callees = append(w.v[from].callees, link{to, conf})
	w.v[to].callers = append(w.v[to].callers, link{from, conf})
}

// settle finds the vertex that an alert is about and learns from its labels what the graph does not
// know. Called in an order that does not depend on arrival.
func (w *world) settle(p *placement, view *topology.View) int {
	f := p.resolved(view)
	ent := func(k topology.Kind, name string) topology.Entity {
		return topology.Entity{Kind: k, Cluster: p.cluster, Namespace: p.namespace, Name: name}
	}
	node := w.settleNode(p, f)
	workload := f.workload
	if workload < 0 && len(p.workloads) > 0 && (p.pod == "" || f.pod < 0) && !p.onNode(node) {
		workload = w.add(ent(topology.KindService, p.workloads[0]), levelService)
	}
	n := w.settleInstance(p, f, workload, node, ent)
	if n < 0 && f.volume >= 0 {
		n = f.volume
	}
	if n < 0 {
		n = w.settleRest(p, f, workload, node, ent)
	}
	return n
}

// settlePeers learns calls from labels that name the other side, once all entities are known.
func (w *world) settlePeers(items []*item, view *topology.View) {
	var names map[string]int
	for _, it := range items {
		for _, peer := range it.rec.place.peers {
			if names == nil {
				names = map[string]int{}
				for n := range w.v {
					if _, taken := names[w.v[n].ent.Name]; !taken {
						names[w.v[n].ent.Name] = n
					}
				}
			}
			to, ok := names[peer]
			if !ok {
				if to, ok = view.ByAddress(peer); !ok {
					to = w.add(topology.Entity{Kind: topology.KindExternal, Name: peer}, levelService)
				}
				names[peer] = to
			}
			w.settlePeer(it.vertex, to)
		}
	}
}

// onNode says that the alert is about its node: its other names are those of an exporter, or none.
func (p *placement) onNode(node int) bool {
	return node >= 0 && p.pod == "" && (p.metaJob || len(p.workloads) == 0)
}

func (w *world) settleNode(p *placement, f found) int {
	node := f.node
	if node < 0 && f.unit >= 0 && w.v[f.unit].level == levelNode {
		node = f.unit
	}
	if node < 0 && p.node != "" {
		node = w.add(topology.Entity{Kind: topology.KindNode, Cluster: p.cluster, Name: p.node}, levelNode)
	}
	if node >= 0 && p.zone != "" && len(w.v[node].zones) == 0 && w.v[node].level == levelNode {
		zone := f.zone
		if zone < 0 {
			zone = w.add(topology.Entity{Kind: topology.KindZone, Cluster: p.cluster, Name: topology.ZoneName(p.zone)}, levelZone)
		}
		w.v[node].zones, w.v[zone].members = appendNew(w.v[node].zones, zone), appendNew(w.v[zone].members, node)
	}
	return node
}

// settleInstance places an alert that names one instance of a workload; -1 when it does not.
func (w *world) settleInstance(p *placement, f found, workload, node int, ent func(topology.Kind, string) topology.Entity) int {
	n := -1
	switch {
	case f.pod >= 0:
		n = f.pod
	case p.pod != "" && !p.metaJobPod():
		n = w.add(ent(topology.KindPod, p.pod), levelPod)
	case f.unit >= 0 && w.v[f.unit].level != levelNode && !p.metaJob:
		n = f.unit
	case len(p.addresses) > 0 && !p.metaJob && !w.isNodeAddress(p.addresses[0], f.unit, node):
		n = w.add(ent(topology.KindInstance, p.addresses[0]), levelPod)
	}
	if n < 0 {
		return -1
	}
	if workload >= 0 && w.v[n].level == levelPod && len(w.v[n].owners) == 0 {
		w.own(workload, n)
	}
	if node >= 0 && w.v[n].level == levelPod && len(w.v[n].hosts) == 0 {
		w.host(n, node)
	}
	return n
}

// isNodeAddress says that an address is that of the alert's node.
func (w *world) isNodeAddress(addr string, unit, node int) bool {
	if unit >= 0 && w.v[unit].level == levelNode {
		return true
	}
	return node >= 0 && strings.HasPrefix(addr, w.v[node].ent.Name) && (len(addr) == len(w.v[node].ent.Name) || addr[len(w.v[node].ent.Name)] == ':')
}

// metaJobPod: the pod label is the exporter's own when its alerts name another subject.
func (p *placement) metaJobPod() bool { return p.metaJob && len(p.workloads) > 0 && p.node != "" }

// settleRest places an alert without an instance.
func (w *world) settleRest(p *placement, f found, workload, node int, ent func(topology.Kind, string) topology.Entity) int {
	switch {
	case workload >= 0:
		return workload
	case node >= 0:
		return node
	case f.unit >= 0:
		return f.unit
	case p.volume != "":
		return w.add(ent(topology.KindVolume, p.volume), levelOther)
	case len(p.addresses) > 0:
		return w.add(ent(topology.KindInstance, p.addresses[0]), levelPod)
	case f.zone >= 0:
		return f.zone
	case p.zone != "":
		return w.add(topology.Entity{Kind: topology.KindZone, Cluster: p.cluster, Name: topology.ZoneName(p.zone)}, levelZone)
	case len(p.peers) > 0:
		return w.add(topology.Entity{Kind: topology.KindExternal, Name: p.peers[0]}, levelService)
	case p.namespace != "":
		return w.add(topology.Entity{Kind: "namespace", Cluster: p.cluster, Name: p.namespace}, levelOther)
	case p.cluster != "":
		return w.add(topology.Entity{Kind: topology.KindCluster, Name: p.cluster}, levelOther)
	}
	return w.add(topology.Entity{Kind: "alert", Name: p.name}, levelOther)
}

// settlePeer notes a call between the workloads of two entities.
func (w *world) settlePeer(from, to int) {
	if w.v[from].level == levelPod && len(w.v[from].owners) > 0 {
		from = w.v[from].owners[0]
	}
	if w.v[to].level == levelPod && len(w.v[to].owners) > 0 {
		to = w.v[to].owners[0]
	}
	if w.v[from].level == levelService && w.v[to].level == levelService {
		w.call(from, to, 0.9)
	}
}

// settleShared makes the cluster's DNS nameable where alerts speak of names that are not resolved and
// the graph knows no name server.
func (w *world) settleShared(items []*item) {
	for n := range w.v {
		if w.v[n].shared {
			return
		}
	}
	for _, it := range items {
		if it.rec.place.class == classDNS {
			w.add(topology.Entity{Kind: topology.KindService, Cluster: it.rec.place.cluster, Name: "dns"}, levelService)
			return
		}
	}
}

// sortedSet returns the keys of a set in order.
func sortedSet[K cmp.Ordered](m map[K]struct{}) []K { return slices.Sorted(maps.Keys(m)) }

// keysOf is the keys of a map as a set.
func keysOf[K comparable, V any](m map[K]V) map[K]struct{} {
	out := make(map[K]struct{}, len(m))
	for k := range m {
		out[k] = struct{}{}
	}
	return out
}
