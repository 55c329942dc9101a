package correlate

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// roles are words by which members of a replicated store are told apart; those that lead are true.
var roles = map[string]bool{
	"primary": true, "master": true, "leader": true, "writer": true,
	"replica": false, "slave": false, "follower": false, "standby": false, "secondary": false, "reader": false,
}

// member is a vertex whose name says which part it plays in a replicated store.
type member struct {
	vertex int
	leads  bool
}

// pairRoles links db-primary and db-replica: what happens to the one that leads is seen at those that
// follow, and less so the other way round.
func (w *world) pairRoles() {
	byStem := map[string][]member{}
	for n := range w.v {
		if w.v[n].level != levelService {
			continue
		}
		var stem []string
		found, leads := false, false
		for _, word := range strings.Fields(words(w.v[n].ent.Name)) {
			if l, ok := roles[strings.TrimRight(word, "0123456789")]; ok {
				found, leads = true, leads || l
				continue
			}
			stem = append(stem, word)
		}
		if found && len(stem) > 0 {
			k := strings.Join(stem, "-") + "/" + w.v[n].ent.Namespace
			byStem[k] = append(byStem[k], member{n, leads})
		}
	}
	for _, k := range slices.Sorted(maps.Keys(byStem)) {
		for _, a := range byStem[k] {
			for _, b := range byStem[k] {
				if a.vertex == b.vertex {
					continue
				}
				conf := roleKin
				if b.leads && !a.leads {
					conf = followerKin
				}
				w.v[a.vertex].kin = append(w.v[a.vertex].kin, link{b.vertex, conf})
			}
		}
	}
}

// How sure it is that trouble of one member of a store shows at another; less so at the one that leads
// when the trouble is with one that follows it.
const (
	roleKin     = 0.6
	followerKin = 0.2
)

// befriend links the vertices of alerts that used to fire together.
func (w *world) befriend(items []*item, h *History) {
	at := make(map[model.Fingerprint]int, len(items))
	for _, it := range items {
		at[it.rec.ID] = it.vertex
	}
	for _, it := range items {
		for _, k := range h.kinOf(it.rec.ID) {
			v, ok := at[k.id]
			if !ok || v == it.vertex || slices.ContainsFunc(w.v[it.vertex].kin, func(l link) bool { return l.to == v }) {
				continue
			}
			w.v[it.vertex].kin = append(w.v[it.vertex].kin, link{v, k.share})
		}
	}
}
