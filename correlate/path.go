package correlate

import (
	"maps"
	"slices"
)

// walk measures the distance of the members' vertices from the first cause along the calls, and of what lies between.
func (v *view) walk() {
	v.hops, v.parent = map[int]int{}, map[int]int{}
	if len(v.g.causes) == 0 {
		return
	}
	r := &v.s.prob.roots[v.g.causes[0].root]
	if r.vertex < 0 {
		return
	}
	sought := map[int]bool{}
	for _, it := range v.g.items {
		sought[it.vertex] = true
	}
	front := []int{r.vertex}
	v.hops[r.vertex] = 0
	delete(sought, r.vertex)
	visit := func(from, to int) bool {
		if _, ok := v.hops[to]; ok {
			return false
		}
		v.hops[to], v.parent[to] = v.hops[from]+1, from
		delete(sought, to)
		return true
	}
	for len(front) > 0 && len(sought) > 0 {
		var far []int
		for _, n := range front {
			if len(sought) == 0 {
				break
			}
			x := &v.s.world.v[n]
			var next []int
			for _, l := range x.callers {
				next = append(next, l.to)
			}
			next = append(append(append(next, x.guests...), x.owners...), x.members...)
			next = append(next, x.users...)
			for _, m := range next {
				if visit(n, m) {
					far = append(far, m)
				}
			}
		}
		front = far
	}
}

// path is from the first cause to the farthest entity with alerts.
func (v *view) path() []Hop {
	far, best := -1, 0
	count := map[int]int{}
	for _, it := range v.g.items {
		count[it.vertex]++
	}
	for _, n := range slices.Sorted(maps.Keys(count)) {
		if h, ok := v.hops[n]; ok && h > best && v.s.world.v[n].level == levelService {
			far, best = n, h
		}
	}
	if far < 0 {
		return nil
	}
	var out []Hop
	for n, ok := far, true; ok; n, ok = v.parent[n] {
		out = append(out, v.hop(n))
		if v.hops[n] == 0 {
			break
		}
	}
	slices.Reverse(out)
	return out
}

// hop is a vertex on the path: its own alerts in a clause, and what the metrics show of it.
func (v *view) hop(n int) Hop {
	ent := v.s.world.v[n].ent
	count := map[string]int{}
	var own []*item
	for _, it := range v.g.items {
		if v.s.world.within(it.vertex, n) {
			count[it.rec.place.name]++
			own = append(own, it)
		}
	}
	h := Hop{Entity: entityOf(ent)}
	if len(own) > 0 {
		h.State = countedNames(count, 3)
		h.Evidence = append(h.Evidence, v.sign(slices.MinFunc(own, compareItems), ent.Name))
	} else {
		h.State = "no alert of its own"
		h.Evidence = append(h.Evidence, v.silent(ent, 0))
	}
	if v.ranking != nil {
		for _, x := range v.ranking.Path {
			if x.Entity == ent.Name && x.Deviation > 0 {
				h.State += "; " + x.State
				h.Evidence = append(h.Evidence, x.Evidence...)
			}
		}
	}
	return h
}
