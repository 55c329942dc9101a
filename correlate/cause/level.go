package cause

// nodeGuests is how many entities of a node must share an anomaly for it to be the node's.
const nodeGuests = 3

// level decides between a replica, its service and its node: where most siblings share an anomaly
// the answer is what they have in common. It returns the scores with those of services and nodes
// raised, and of their members lowered, and is silent where no group shares anything.
func (v *view) level(score []float64) []float64 {
	out := append([]float64(nil), score...)
	for e := range v.names {
		if !v.candidate[e] {
			continue // Nobody asks for it: the members keep their scores.
		}
		if common, ok := sharedBy(score, v.members[e], 2); ok && common >= out[e] {
			v.raise(out, e, common, v.members[e])
		}
	}
	for e := range v.names {
		if !v.candidate[e] {
			continue
		}
		if common, ok := sharedBy(score, v.guests[e], nodeGuests); ok && v.manyServices(v.guests[e]) {
			v.raise(out, e, max(common, out[e]), v.guests[e])
		}
	}
	return out
}

// raise gives a group its members' common score; what a member has beyond it stays the member's.
func (v *view) raise(out []float64, group int, common float64, members []int) {
	out[group] = common
	for _, m := range members {
		out[m] = max(0, out[m]-common)
		for _, p := range v.parents[m] {
			if p != group {
				out[p] = max(0, out[p]-common)
			}
		}
	}
}

// sharedBy is the score that at least a share of the group (lifted, in rarity.go) reaches, and
// whether it is strong enough to mean something.
func sharedBy(score []float64, group []int, least int) (float64, bool) {
	if len(group) < least {
		return 0, false
	}
	v := make([]float64, len(group))
	for i, m := range group {
		v[i] = score[m]
	}
	common := quantile(sorted(v), 1-lifted)
	return common, common >= resourceStrength
}

// manyServices says whether the entities are no replicas of one service alone, whose trouble would be
// the service's and not the node's.
func (v *view) manyServices(group []int) bool {
	first := -1
	for _, m := range group {
		s := m
		if len(v.parents[m]) > 0 {
			s = v.parents[m][0]
		}
		if first < 0 {
			first = s
		} else if s != first {
			return true
		}
	}
	return false
}

// lead is the best candidate and how far it leads everything unrelated: a pod's service and node
// show the pod's own load again, so they do not compete with it.
func (v *view) lead(score []float64) (best int, first, lead float64) {
	best, first, _ = v.topTwo(score)
	if best < 0 {
		return best, 0, 0
	}
	// Where a node leads one of its guests only a little, the guest loads the node.
	for _, g := range v.guests[best] {
		if v.candidate[g] && score[g] >= resourceStrength && score[best]-score[g] < resourceLead && v.onlyGuest(score, best, g) {
			best, first = g, score[g]
			break
		}
	}
	second := 0.0
	for e, s := range score {
		if v.candidate[e] && e != best && !v.related(best, e) {
			second = max(second, s)
		}
	}
	return best, first, first - second
}

// onlyGuest says whether no other guest of the node is as strong.
func (v *view) onlyGuest(score []float64, node, guest int) bool {
	for _, g := range v.guests[node] {
		if g != guest && score[g] > score[guest]-resourceLead && score[g] >= resourceStrength {
			return false
		}
	}
	return true
}

// related says whether one of two entities runs on the other or is a replica of it.
func (v *view) related(a, b int) bool {
	for _, list := range [][]int{v.hosts[a], v.guests[a], v.parents[a], v.members[a]} {
		for _, x := range list {
			if x == b {
				return true
			}
		}
	}
	return false
}
