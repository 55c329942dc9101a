package correlate

import (
	"cmp"
	"slices"
)

// affected counts what has alerts by the noun of its tier, or of its kind.
func (v *view) affected() []Count {
	names := map[noun]map[string]struct{}{}
	add := func(n noun, name string) {
		if names[n] == nil {
			names[n] = map[string]struct{}{}
		}
		names[n][name] = struct{}{}
	}
	finer := map[int]bool{} // Services that are counted by their instances.
	for _, it := range v.g.items {
		x := &v.s.world.v[it.vertex]
		if x.level == levelPod && v.tierOf(it) != "" {
			for _, s := range x.owners {
				finer[s] = true
			}
		}
	}
	for _, it := range v.g.items {
		x := &v.s.world.v[it.vertex]
		if n, ok := nounOfTier(v.tierOf(it)); ok {
			if !finer[it.vertex] {
				add(n, x.ent.Name)
			}
			continue
		}
		add(nounOfKind(string(x.ent.Kind)), x.ent.Name)
	}
	out := make([]Count, 0, len(names))
	for n, set := range names {
		out = append(out, Count{n.of(len(set)), len(set), sortedSet(set)})
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(affectedRank(a.Noun), affectedRank(b.Noun)), cmp.Compare(a.Noun, b.Noun))
	})
	return out
}

// affectedRank puts databases before load balancers where both are as many.
func affectedRank(noun string) int {
	for i, row := range tierNouns {
		if noun == row.one || noun == row.many {
			return i
		}
	}
	return len(tierNouns)
}

func (v *view) tierOf(it *item) string {
	if t := it.rec.place.tier; t != "" {
		return t
	}
	return v.s.world.v[it.vertex].attrs["tier"]
}
