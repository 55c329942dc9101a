package correlate

import (
	"slices"
	"time"
)

// Adopt takes back incidents that were told after the last snapshot, as they were kept when they were
// told. It is for the start after a crash, between [Engine.Restore] and the alerts that are given
// again: an incident that people know keeps its ID, though its alerts now come all at once and might
// have been explained in one go with others. What the snapshot knows stands.
func (e *Engine) Adopt(now time.Time, told []Incident) {
	e.mu.Lock()
	defer e.mu.Unlock()
	owners := map[itemKey]string{}
	// Of two incidents that name one alert the later one has it: it was split from the other.
	told = slices.SortedFunc(slices.Values(told), func(a, b Incident) int { return a.Opened.Compare(b.Opened) })
	for _, i := range told {
		// One of anomalies alone would end at once: the baselines have yet to find them again.
		gone := i.State == StateResolved && now.Sub(i.End) > time.Duration(e.cfg.Retention)
		if i.Opened.IsZero() || len(i.Alerts) == 0 || gone {
			continue
		}
		switch known := e.tracked[i.ID]; {
		case known == nil || known.opened.IsZero():
			e.tracked[i.ID] = adopted(i)
		case known.render == nil: // What is shown of one that merged into another.
			known.render = &i
			if known.state == StateResolved {
				i.State, i.End, i.MergedInto = known.state, known.ended, known.into
			}
		}
		if i.MergedInto != "" {
			continue
		}
		for _, m := range i.Alerts {
			_, id := identity(m.Labels, e.cfg.ReplicaLabels)
			owners[itemKey{id, m.StartsAt.UnixNano()}] = i.ID
		}
	}
	for k, id := range owners {
		if e.tracked[e.owners[k]] == nil || e.tracked[e.owners[k]].opened.IsZero() {
			e.owners[k] = id
		}
	}
	e.dirty = true
}

// adopted is an incident as it was told. What was told counts as old, so that it is told again: the
// crash may have come before everybody heard.
func adopted(i Incident) *tracked {
	t := &tracked{
		id: i.ID, firstSeen: i.Opened, opened: i.Opened, state: i.State, revision: i.Revision, revised: i.Opened, ended: i.End,
		merged: i.Merged, splitFrom: i.SplitFrom, into: i.MergedInto, render: &i, stale: true, posts: i.Posts,
	}
	if len(i.Causes) > 0 {
		t.cause = i.Causes[0].Entity.Kind + " " + i.Causes[0].Entity.Name
	}
	return t
}
