package correlate

import (
	"cmp"
	"slices"
	"time"
)

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

// hold lets what was told before a restart stand as if it had been told now: what the metrics said is forgotten, and
// until they are heard again an incident would be told to have another cause.
func (e *Engine) hold(now time.Time) {
	if e.restored && e.deps.Evidence != nil {
		for _, t := range e.tracked {
			if !t.opened.IsZero() {
				t.toldAt = maxTime(t.toldAt, now)
			}
		}
	}
	e.restored = false
}

// advance moves every incident through its states and collects the events.
func (e *Engine) advance(now time.Time) []Event {
	e.hold(now)
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
