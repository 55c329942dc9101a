package correlate

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// EventType says what became of an incident.
type EventType string

// Events.
const (
	EventOpened   EventType = "opened"   // tell people; also when a resolved one fires again
	EventRevised  EventType = "revised"  // the first cause is another one now
	EventUpdated  EventType = "updated"  // members, severity or texts changed
	EventResolved EventType = "resolved" // all members ended a while ago, or it merged into another
)

// Event is one change of an incident that others may act on.
type Event struct {
	Type     EventType
	Incident Incident
}

// tracked is an incident across explanations.
//
//	new ──wait──▶ told(firing) ──all ended + resolve_after──▶ told(resolved) ──retention──▶ forgotten
//	                  ▲                                              │
//	                  └──────────── a member fires again ────────────┘
type tracked struct {
	id        string
	firstSeen time.Time
	alerted   time.Time // when its first alert was seen; zero: anomalies alone
	opened    time.Time // zero: not yet told
	unsettled bool      // not yet told: the next alerts or the metrics may change the cause
	looked    time.Time // when it was found unsettled last
	sampled   bool      // there are metrics that have a say
	measured  bool      // the metrics of the time of the first alert had their say, or there are none
	state     string
	revision  int
	revised   time.Time
	cause     string // first cause as last told
	verdict   string // first cause by all evidence, as last heard
	told      uint64 // gist as last told
	toldAt    time.Time
	ended     time.Time
	merged    []string
	splitFrom string
	into      string

	group   *group
	in      *stretch
	content uint64 // all that is shown
	gist    uint64 // what is worth telling
	stale   bool
	render  *Incident
	posts   []Post
}

// regroup explains all stretches and hands the groups to the tracked incidents.
func (e *Engine) regroup(now time.Time) {
	var groups []*tracked
	used := map[uint64]*stretch{}
	e.breadth = 0
	for _, items := range stretches(e.items()) {
		view := e.deps.Topology.At(items[len(items)-1].start)
		sig := signature(items)
		s := e.cache[sig]
		if s == nil || s.view != view {
			s = e.x.explain(items, view)
		}
		used[sig] = s
		e.breadth = max(e.breadth, len(s.world.v))
		for i := range s.groups {
			groups = append(groups, &tracked{group: &s.groups[i], in: s})
		}
	}
	e.cache = used
	e.match(now, groups)
}

// match gives each group the ID of the incident it continues.
//
// An incident goes on in the group that holds most of its members, at a tie in the one that started
// first. Where several go on in one group (a merge), the one opened first keeps its ID and the others
// end as merged into it. Members that are in another group now (a split) make a new incident.
func (e *Engine) match(now time.Time, groups []*tracked) {
	claims := map[string]int{} // incident → group with most of its members
	votes := make([]map[string]int, len(groups))
	for i, g := range groups {
		votes[i] = map[string]int{}
		for _, it := range g.group.items {
			if id := e.ownerOf(it); id != "" {
				votes[i][id]++
			}
		}
		for id, n := range votes[i] {
			if j, ok := claims[id]; !ok || n > votes[j][id] || n == votes[j][id] && compareGroups(g.group, groups[j].group) < 0 {
				claims[id] = i
			}
		}
	}
	next := map[string]*tracked{}
	taken := map[int]*tracked{}
	for _, t := range e.inOrder() {
		i, ok := claims[t.id]
		if !ok {
			t.group, t.in = nil, nil
			next[t.id] = t
			continue
		}
		if first := taken[i]; first != nil {
			if t.opened.IsZero() {
				continue // Nobody was told of it: it never was.
			}
			t.into, t.group, t.in = first.id, nil, nil
			if !slices.Contains(first.merged, t.id) {
				first.merged = append(first.merged, t.id)
			}
			next[t.id] = t
			continue
		}
		t.group, t.in, t.into = groups[i].group, groups[i].in, ""
		taken[i] = t
		next[t.id] = t
	}
	for i, g := range groups {
		if taken[i] == nil {
			g.id = freshID(g.group, next)
			g.firstSeen = now
			g.state = StateFiring
			g.splitFrom = majority(votes[i])
			next[g.id], taken[i] = g, g
		}
		if t := taken[i]; t.alerted.IsZero() && slices.ContainsFunc(t.group.items, func(it *item) bool { return it.rec.Anomaly == nil }) {
			t.alerted = now
		}
	}
	for i := range groups {
		taken[i].rename(next)
	}
	e.tracked = next
	clear(e.owners)
	for i := range groups {
		t := taken[i]
		for _, it := range t.group.items {
			for _, k := range it.keys() {
				e.owners[k] = t.id
			}
		}
		t.touch()
	}
}

// touch notes the new content.
func (t *tracked) touch() {
	causes := fnv.New64a()
	for _, c := range t.group.causes {
		fmt.Fprintf(causes, "%s %.3f;", t.in.prob.roots[c.root].ent, c.confidence)
	}
	if c := signature(t.group.items) ^ causes.Sum64(); c != t.content {
		t.content, t.stale = c, true
	}
	t.gist = t.gistHash()
}

// gistHash covers what is worth telling anew: who is a member, and the first causes about as sure as
// before. That a member ended or fired again is not: flapping alerts would tell all the time.
func (t *tracked) gistHash() uint64 {
	h := fnv.New64a()
	ids := make([]model.Fingerprint, 0, len(t.group.items))
	for _, it := range t.group.items {
		ids = append(ids, it.rec.ID)
	}
	slices.Sort(ids)
	buf := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(id))
	}
	_, _ = h.Write(buf)
	for _, c := range t.group.causes[:min(2, len(t.group.causes))] {
		fmt.Fprintf(h, "%s %.1f;", t.in.prob.roots[c.root].ent, c.confidence)
	}
	fmt.Fprint(h, t.verdict)
	return h.Sum64()
}

// verdictOf is the first cause and about how sure it is.
func verdictOf(i *Incident) string {
	if len(i.Causes) == 0 {
		return ""
	}
	c := &i.Causes[0]
	return fmt.Sprintf("%s %s %s %.1f", c.Entity.Kind, c.Entity.Name, c.Resource, c.Confidence)
}

func (e *Engine) ownerOf(it *item) string {
	for _, k := range it.keys() {
		if id := e.owners[k]; id != "" {
			return id
		}
	}
	return ""
}

func majority(votes map[string]int) string {
	best := ""
	for id, n := range votes {
		if best == "" || n > votes[best] || n == votes[best] && id < best {
			best = id
		}
	}
	return best
}

// compareGroups by the first firing of each.
func compareGroups(a, b *group) int {
	return compareStarts(slices.MinFunc(a.items, compareStarts), slices.MinFunc(b.items, compareStarts))
}

// inOrder lists tracked incidents: told ones by the time they were told, then the others by age.
func (e *Engine) inOrder() []*tracked {
	out := make([]*tracked, 0, len(e.tracked))
	for _, t := range e.tracked {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *tracked) int {
		if a.opened.IsZero() != b.opened.IsZero() {
			if b.opened.IsZero() {
				return -1
			}
			return 1
		}
		return cmp.Or(a.opened.Compare(b.opened), a.firstSeen.Compare(b.firstSeen), cmp.Compare(a.id, b.id))
	})
	return out
}

// rename gives an incident that nobody was told of the ID of its first member of now: so that its ID does
// not depend on which of the first alerts was heard of first.
func (t *tracked) rename(used map[string]*tracked) {
	if t.opened.IsZero() && t.state == StateFiring {
		delete(used, t.id)
		t.id = freshID(t.group, used)
		used[t.id] = t
	}
}

// freshID comes from the member that fired first: its identity and the minute.
func freshID(g *group, used map[string]*tracked) string {
	first := slices.MinFunc(g.items, compareStarts)
	for n := 0; ; n++ {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s %d %d", first.rec.ID, first.start.Unix()/60, n)
		id := fmt.Sprintf("%012x", h.Sum64()&0xffffffffffff)
		if used[id] == nil {
			return id
		}
	}
}
