package topology

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Arc is one neighbour in a View.
type Arc struct {
	To         int
	Confidence float64
}

// View is the graph of one moment: entities have numbers, names that mean one thing share one, and
// neighbours are looked up by kind of edge. Immutable and safe for concurrent use.
type View struct {
	Entities []Entity // by number; the most telling name where several were joined
	Attrs    []Attributes

	number map[Entity]int
	byName map[string][]int // every name and alias → numbers, in order
	out    map[EdgeKind][][]Arc
	in     map[EdgeKind][][]Arc
}

// NewView indexes edges. Entities that only have attributes are in the view, too.
func NewView(edges []Edge, attrs map[Entity]Attributes) *View {
	b := newBuilder(edges, attrs)
	b.joinStated(edges)
	b.joinQualified()
	b.joinAddresses()
	b.joinWorkloads(edges)
	return b.build(edges)
}

// Len is the number of entities.
func (v *View) Len() int { return len(v.Entities) }

// Out are the arcs of a kind that leave entity n.
func (v *View) Out(k EdgeKind, n int) []Arc { return arcs(v.out, k, n) }

// Into are the arcs of a kind that reach entity n, each naming its origin.
func (v *View) Into(k EdgeKind, n int) []Arc { return arcs(v.in, k, n) }

func arcs(m map[EdgeKind][][]Arc, k EdgeKind, n int) []Arc {
	if l := m[k]; n < len(l) {
		return l[n]
	}
	return nil
}

// Number finds an entity exactly as a source named it.
func (v *View) Number(e Entity) (int, bool) {
	n, ok := v.number[e]
	return n, ok
}

// Find looks for a name. Kinds (none: any) and non-empty cluster and namespace must agree with what
// is known of the entity. Of several that fit, the one that agrees in most is returned, and none
// when two agree equally.
func (v *View) Find(name, cluster, namespace string, kinds ...Kind) (int, bool) {
	best, bestFit, tie := -1, -1, false
	for _, n := range v.byName[name] {
		e := v.Entities[n]
		if len(kinds) > 0 && !slices.Contains(kinds, e.Kind) {
			continue
		}
		fit := agree(e.Cluster, cluster, 1) + agree(e.Namespace, namespace, 2)
		if fit < 0 {
			continue
		}
		if fit > bestFit {
			best, bestFit, tie = n, fit, false
		} else if fit == bestFit {
			tie = true
		}
	}
	return best, best >= 0 && !tie
}

// agree is the weight when both are known and equal, 0 when one is unknown, very negative else.
func agree(a, b string, weight int) int {
	switch {
	case a == "" || b == "":
		return 0
	case a == b:
		return weight
	default:
		return -100
	}
}

// ByAddress finds what an ip or ip:port or host:port belongs to.
func (v *View) ByAddress(addr string) (int, bool) {
	// One name may be that of a service, of its only instance and of the machine below: an address
	// means the nearest to the wire.
	for _, name := range []string{addr, hostOf(addr)} {
		for _, kinds := range [][]Kind{{KindPod, KindInstance}, {KindNode}, nil} {
			if n, ok := v.Find(name, "", "", kinds...); ok {
				return n, true
			}
		}
	}
	return -1, false
}

// hostOf strips the port of host:port and [v6]:port.
func hostOf(addr string) string {
	if s, ok := strings.CutPrefix(addr, "["); ok {
		if i := strings.IndexByte(s, ']'); i >= 0 {
			return s[:i]
		}
	}
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && strings.IndexByte(addr, ':') == i {
		return addr[:i]
	}
	return addr
}

// builder joins names that mean one thing (union-find over the entities in sorted order).
type builder struct {
	entities []Entity
	index    map[Entity]int
	parent   []int
	attrs    map[Entity]Attributes
}

func newBuilder(edges []Edge, attrs map[Entity]Attributes) *builder {
	set := map[Entity]struct{}{}
	for _, e := range edges {
		set[e.From] = struct{}{}
		set[e.To] = struct{}{}
	}
	for e := range attrs {
		set[e] = struct{}{}
	}
	b := &builder{entities: slices.SortedFunc(maps.Keys(set), Compare), attrs: attrs, index: map[Entity]int{}}
	b.parent = make([]int, len(b.entities))
	for i, e := range b.entities {
		b.index[e], b.parent[i] = i, i
	}
	return b
}

func (b *builder) find(i int) int {
	for b.parent[i] != i {
		b.parent[i] = b.parent[b.parent[i]]
		i = b.parent[i]
	}
	return i
}

func (b *builder) join(i, j int) {
	i, j = b.find(i), b.find(j)
	b.parent[max(i, j)] = min(i, j)
}

func (b *builder) joinStated(edges []Edge) {
	for _, e := range edges {
		if e.Kind == Same {
			b.join(b.index[e.From], b.index[e.To])
		}
	}
}

// workloadKinds may be different names for one thing that serves.
func isWorkload(k Kind) bool {
	switch k {
	case KindPod, KindInstance, KindNode, KindZone, KindCluster, KindVolume, KindIngress:
		return false
	}
	return true
}

// joinQualified joins entities of one name whose qualifications do not contradict each other, when
// that is unambiguous: service "cart" of a service graph and "shop/cart" of Kubernetes.
func (b *builder) joinQualified() {
	type group struct {
		name  string
		class Kind
	}
	groups := map[group][]int{}
	var order []group
	for i, e := range b.entities {
		k := group{e.Name, e.Kind}
		if isWorkload(e.Kind) {
			k.class = KindService
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], i)
	}
	for _, k := range order {
		b.joinGroup(groups[k])
	}
}

func (b *builder) joinGroup(members []int) {
	for _, i := range members {
		var target []int
		for _, j := range members {
			if i == j {
				continue
			}
			x, y := b.entities[i], b.entities[j]
			if x.Cluster == y.Cluster && x.Namespace == y.Namespace {
				b.join(i, j)
				continue
			}
			if weaker(x, y) {
				target = append(target, j)
			}
		}
		roots := map[int]struct{}{}
		for _, j := range target {
			roots[b.find(j)] = struct{}{}
		}
		if len(roots) == 1 {
			b.join(i, target[0])
		}
	}
}

// weaker: x says less than y and contradicts nothing.
func weaker(x, y Entity) bool {
	if agree(x.Cluster, y.Cluster, 0) < 0 || agree(x.Namespace, y.Namespace, 0) < 0 {
		return false
	}
	known := func(e Entity) int { return len(e.Cluster) + len(e.Namespace) }
	return known(x) < known(y)
}

// joinAddresses joins an instance that was named by address with the node that has this address,
// and with what a host:port is when the host is known as a service or node by name.
func (b *builder) joinAddresses() {
	byIP := map[string]int{}
	for i, e := range b.entities {
		if ip := b.attrs[e][AttrIP]; ip != "" {
			if _, taken := byIP[ip]; !taken {
				byIP[ip] = i
			}
		}
	}
	for i, e := range b.entities {
		if e.Kind != KindInstance && e.Kind != KindNode {
			continue
		}
		if j, ok := byIP[hostOf(e.Name)]; ok && j != i {
			b.join(i, j)
		}
	}
}

// joinWorkloads joins workloads that own exactly the same pods: a Service and the Deployment behind
// it (the rule of Kiali: service to workload by endpoints).
func (b *builder) joinWorkloads(edges []Edge) {
	pods := map[int][]int{}
	for _, e := range edges {
		if e.Kind == Owns {
			f := b.find(b.index[e.From])
			pods[f] = append(pods[f], b.find(b.index[e.To]))
		}
	}
	bySet := map[string]int{}
	for _, owner := range slices.Sorted(maps.Keys(pods)) {
		p := pods[owner]
		slices.Sort(p)
		p = slices.Compact(p)
		var key strings.Builder
		for _, x := range p {
			key.WriteString(b.entities[x].String())
			key.WriteByte('\n')
		}
		if first, ok := bySet[key.String()]; ok {
			b.join(first, owner)
		} else {
			bySet[key.String()] = owner
		}
	}
}

// build numbers the joined entities and merges arcs; parallel edges of several sources count as
// independent sightings: 1 - product of (1 - confidence).
func (b *builder) build(edges []Edge) *View {
	v := &View{number: map[Entity]int{}, byName: map[string][]int{}, out: map[EdgeKind][][]Arc{}, in: map[EdgeKind][][]Arc{}}
	b.number(v)
	doubt := map[[2]int]map[EdgeKind]float64{}
	for _, e := range edges {
		f, t := v.number[e.From], v.number[e.To]
		if f == t || e.Kind == Same {
			continue
		}
		k := [2]int{f, t}
		if doubt[k] == nil {
			doubt[k] = map[EdgeKind]float64{}
		}
		d, ok := doubt[k][e.Kind]
		if !ok {
			d = 1
		}
		doubt[k][e.Kind] = d * (1 - e.Confidence)
	}
	for _, k := range slices.SortedFunc(maps.Keys(doubt), func(x, y [2]int) int {
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	}) {
		for _, kind := range slices.Sorted(maps.Keys(doubt[k])) {
			put(v.out, kind, v.Len(), k[0], Arc{k[1], 1 - doubt[k][kind]})
			put(v.in, kind, v.Len(), k[1], Arc{k[0], 1 - doubt[k][kind]})
		}
	}
	return v
}

func put(m map[EdgeKind][][]Arc, kind EdgeKind, size, at int, a Arc) {
	if m[kind] == nil {
		m[kind] = make([][]Arc, size)
	}
	m[kind][at] = append(m[kind][at], a)
}

func (b *builder) number(v *View) {
	of := map[int]int{}
	for i, e := range b.entities {
		r := b.find(i)
		n, ok := of[r]
		if !ok {
			n = len(v.Entities)
			of[r] = n
			v.Entities = append(v.Entities, e)
			v.Attrs = append(v.Attrs, Attributes{})
		} else if telling(e) > telling(v.Entities[n]) {
			v.Entities[n] = e
		}
		v.number[e] = n
		maps.Copy(v.Attrs[n], b.attrs[e])
		names := []string{e.Name}
		if ip := b.attrs[e][AttrIP]; ip != "" {
			names = append(names, ip)
		}
		for _, name := range names {
			if l := v.byName[name]; len(l) == 0 || l[len(l)-1] != n {
				v.byName[name] = append(l, n)
			}
		}
	}
}

// telling prefers what people call a thing: a service or a node over an address or an autoscaler,
// and qualified names over bare ones.
func telling(e Entity) int {
	t := 0
	switch e.Kind {
	case KindService, KindPod, KindNode, KindZone, KindVolume:
		t += 8
	case KindDatabase, KindQueue, KindExternal, KindIngress:
		t += 4
	}
	if e.Namespace != "" {
		t += 2
	}
	if e.Cluster != "" {
		t++
	}
	return t
}
