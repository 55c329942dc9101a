package correlate

import (
	"cmp"
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
	fmt.Fprint(h, ids)
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

// lastEnd is when the last member ended, and whether all have.
func (g *group) lastEnd() (time.Time, bool) {
	var last time.Time
	// Where there are alerts, they say when it is over: a baseline may call a new level strange long
	// after everybody has gone home.
	alerts := slices.ContainsFunc(g.items, func(it *item) bool { return it.rec.Anomaly == nil })
	for _, it := range g.items {
		if alerts && it.rec.Anomaly != nil {
			continue
		}
		if it.end.IsZero() {
			return time.Time{}, false
		}
		last = maxTime(last, it.end)
	}
	return last, true
}

// alive: something fires, or flaps and will fire again.
func (g *group) alive() bool {
	for _, it := range g.items {
		if it.end.IsZero() || len(it.at.Starts) > len(it.rec.Copies) {
			return true
		}
	}
	return false
}

// quiet is how long the incident waits after its last end: longer when members flap slowly.
func (g *group) quiet(cfg *Config) time.Duration {
	d := time.Duration(cfg.ResolveAfter)
	for _, it := range g.items {
		s := it.at.Starts
		if n := len(s); n >= 3 {
			d = max(d, min(time.Duration(cfg.FlapWindow), 2*s[n-1].Sub(s[0])/time.Duration(n-1)))
		}
	}
	return d
}

// tellable: enough to open an incident for, and from when on. Anomalies without any alert are a
// weaker sign: several are needed, and they wait longer.
func (t *tracked) tellable(cfg *Config) (at time.Time, ok bool) {
	anomalies := 0
	for _, it := range t.group.items {
		if it.rec.Anomaly == nil {
			return t.since().Add(time.Duration(cfg.Wait)), true
		}
		anomalies++
	}
	at = t.firstSeen.Add(time.Duration(max(cfg.Wait, cfg.AnomalyWait)))
	return at, cfg.AnomalyIncidents > 0 && anomalies >= cfg.AnomalyIncidents
}

// since is when waiting for the first post begins: with the first alert, for nobody waits for what has none.
func (t *tracked) since() time.Time {
	if t.alerted.IsZero() {
		return t.firstSeen
	}
	return t.alerted
}

// wake is when time alone changes the incident's state; zero: never.
func (t *tracked) wake(cfg *Config) time.Time {
	if t.group == nil {
		return time.Time{}
	}
	if t.opened.IsZero() {
		at, ok := t.tellable(cfg)
		if !ok {
			return time.Time{}
		}
		if !t.group.alive() {
			if t.outlived(at) {
				return at
			}
			return time.Time{}
		}
		if t.unsettled {
			return maxTime(at, minTime(t.looked.Add(lookAgain), t.since().Add(time.Duration(cfg.ClearWait))))
		}
		return at
	}
	if t.state != StateFiring {
		return time.Time{}
	}
	if end, over := t.group.lastEnd(); over {
		return end.Add(t.group.quiet(cfg))
	}
	if t.told != t.gist {
		return t.toldAt.Add(time.Duration(cfg.RevisionInterval))
	}
	return time.Time{}
}

// advance moves every incident through its states and collects the events.
func (e *Engine) advance(now time.Time) []Event {
	var events []Event
	for _, t := range e.inOrder() {
		if typ := e.advanceOne(t, now); typ != "" {
			i := e.renderOf(t)
			t.noted(i, now, typ)
			events = append(events, Event{typ, *i})
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(a.Incident.FirstAlert.Compare(b.Incident.FirstAlert), cmp.Compare(a.Incident.ID, b.Incident.ID))
	})
	return events
}

func (e *Engine) advanceOne(t *tracked, now time.Time) EventType {
	if t.group == nil {
		return t.close(now)
	}
	end, over := t.group.lastEnd()
	over = over && !now.Before(end.Add(t.group.quiet(&e.cfg)))
	switch {
	case t.opened.IsZero():
		return e.open(t, now)
	case over && t.state == StateFiring:
		t.state, t.ended, t.stale = StateResolved, end, true
		return EventResolved
	case !over && t.state == StateResolved:
		t.state, t.ended, t.stale = StateFiring, time.Time{}, true
		t.tell(e, now)
		return EventOpened
	case t.state == StateFiring && t.told != t.gist && !now.Before(t.toldAt.Add(time.Duration(e.cfg.RevisionInterval))):
		old := t.cause
		t.tell(e, now)
		if t.cause != old {
			t.revision++
			t.revised, t.stale = now, true
			return EventRevised
		}
		return EventUpdated
	}
	return ""
}

// open tells of a new incident after the bounded wait.
func (e *Engine) open(t *tracked, now time.Time) EventType {
	end, ended := t.group.lastEnd()
	if ended && !now.Before(end.Add(t.group.quiet(&e.cfg))) {
		t.state, t.ended = StateResolved, end // Over before anybody was told: kept, not told.
		return ""
	}
	t.state, t.ended = StateFiring, time.Time{}
	at, ok := t.tellable(&e.cfg)
	if !ok || now.Before(at) || !t.group.alive() && !t.outlived(at) {
		return ""
	}
	t.unsettled = t.group.alive() && now.Before(t.since().Add(time.Duration(e.cfg.ClearWait))) && !e.settled(t, now)
	if t.unsettled {
		t.looked, t.stale = now, true
		return ""
	}
	t.opened, t.revision, t.revised, t.stale = now, 1, now, true
	t.state = StateFiring
	t.tell(e, now)
	return EventOpened
}

// outlived: the last member ended, but not before the incident could be told. That its cause was not settled
// by then hides nothing.
func (t *tracked) outlived(at time.Time) bool {
	end, ended := t.group.lastEnd()
	return ended && !end.Before(at)
}

// lookAgain is how soon an unsettled incident is looked at anew, whatever comes in.
const lookAgain = 2 * time.Second

// settled: the cause is as good as known. The first alerts of a storm come from whoever has the lowest
// threshold, so the alerts alone are not believed before the metrics were asked.
func (e *Engine) settled(t *tracked, now time.Time) bool {
	i, need := e.renderOf(t), settledCause
	if t.sampled && now.Before(t.since().Add(settleTime)) {
		need = surelySettled
	}
	return len(i.Causes) > 0 && i.Causes[0].Confidence >= need && (t.measured || e.deps.Evidence == nil)
}

func (t *tracked) tell(e *Engine, now time.Time) {
	t.told, t.toldAt = t.gist, now
	i := e.renderOf(t)
	t.cause = ""
	if len(i.Causes) > 0 {
		t.cause = i.Causes[0].Entity.Kind + " " + i.Causes[0].Entity.Name
	}
}

// close ends an incident whose members went elsewhere.
func (t *tracked) close(now time.Time) EventType {
	if t.state == StateResolved {
		return ""
	}
	t.state, t.ended = StateResolved, now
	if t.render != nil {
		t.render.State, t.render.End, t.render.MergedInto = StateResolved, now, t.into
	}
	if t.opened.IsZero() {
		return ""
	}
	return EventResolved
}

// forget drops what ended longer ago than the retention: whole incidents with their alerts.
func (e *Engine) forget(now time.Time) {
	keep := time.Duration(e.cfg.Retention)
	for _, t := range e.inOrder() {
		id := t.id
		if t.group == nil {
			if t.state == StateResolved && now.Sub(t.ended) > keep {
				delete(e.tracked, id) // Merged: its members are in another incident.
			}
			continue
		}
		end, over := t.group.lastEnd()
		if !over || now.Sub(end) <= keep {
			continue
		}
		if e.deps.Archive != nil {
			e.deps.Archive(*e.renderOf(t))
		}
		for _, it := range t.group.items {
			it.rec.Spans = slices.DeleteFunc(slices.Clone(it.rec.Spans), func(s span) bool { return s.Start.Equal(it.start) })
			if len(it.rec.Spans) == 0 {
				delete(e.records, it.rec.ID)
			}
			for _, k := range it.keys() {
				delete(e.owners, k)
			}
		}
		delete(e.tracked, id)
		e.dirty = true
	}
}
