package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// Constants of what is learned from history.
const (
	historyDays   = 28
	seasonWindow  = 20 * time.Minute // around the time of day
	seasonDays    = 3                // at least that many days or weeks must show it
	seasonShare   = 0.5              // of the days or weeks seen
	seasonLift    = 5.0              // over what chance would do
	cofireWindow  = 10 * time.Minute
	cofireCount   = 3
	cofireShare   = 0.5
	cofireLift    = 10.0
	cofireCrowd   = 200 // firings of one window beyond it teach nothing: a storm links all with all
	maxFirings    = 512 // kept per alert
	maxHistorical = 200_000
)

// History is when alerts fired in the past: from ALERTS read remotely, and from what passed through.
// It knows which alerts are seasonal, how often an alert begins for no common reason, and which ones
// fire together. Safe for concurrent use.
type History struct {
	loc     *time.Location
	replica []string

	mu     sync.Mutex
	starts map[model.Fingerprint][]time.Time // in order
	first  time.Time
	last   time.Time
	read   int                             // How often a stretch of history was read.
	kin    map[model.Fingerprint][]kinship // nil: to be learned
}

// kinship is an alert that fires with another one.
type kinship struct {
	id    model.Fingerprint
	share float64 // of the other's firings that it joined
}

// NewHistory returns an empty history; loc is where "02:00" is (nil: UTC), replica the labels that
// tell copies apart.
func NewHistory(loc *time.Location, replica []string) *History {
	if loc == nil {
		loc = time.UTC
	}
	return &History{loc: loc, replica: replica, starts: map[model.Fingerprint][]time.Time{}}
}

// Observe says from when to when the history is complete, whether or not alerts fired.
func (h *History) Observe(from, to time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first.IsZero() || from.Before(h.first) {
		h.first = from
	}
	h.last = maxTime(h.last, to)
	h.read++
}

// once is bias and habit of a firing, remembered with the record until more of the past is read: what fires now says
// nothing about the time before a firing.
func (h *History) once(r *record, t time.Time) *biased {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := &r.bias; !b.start.Equal(t) || b.read != h.read || b.start.IsZero() {
		*b = biased{start: t, read: h.read, bias: h.bias(r.ID, t), habit: h.habit(r.ID, t)}
	}
	return &r.bias
}

// Add notes when an alert began to fire. The label alertstate is not part of an alert.
func (h *History) Add(ls model.LabelSet, starts ...time.Time) {
	if len(starts) == 0 {
		return
	}
	ls = ls.Clone()
	delete(ls, "alertstate")
	delete(ls, model.MetricNameLabel)
	_, id := identity(ls, h.replica)
	h.mu.Lock()
	defer h.mu.Unlock()
	have, known := h.starts[id]
	if !known && len(h.starts) >= maxHistorical {
		return
	}
	for _, t := range starts {
		i, found := slices.BinarySearchFunc(have, t, time.Time.Compare)
		if !found {
			have = slices.Insert(have, i, t)
		}
		if h.first.IsZero() || t.Before(h.first) {
			h.first = t
		}
		h.last = maxTime(h.last, t)
	}
	if extra := len(have) - maxFirings; extra > 0 {
		have = slices.Delete(have, 0, extra)
	}
	h.starts[id] = have
	h.kin = nil
}

// AddSeries notes the firings in the samples of one ALERTS series: a start is a sample that follows
// no other within the gap (five steps of the rule evaluation, for example 5m).
func (h *History) AddSeries(ls model.LabelSet, samples []time.Time, gap time.Duration) {
	var starts []time.Time
	for i, t := range samples {
		if i == 0 || t.Sub(samples[i-1]) > gap {
			starts = append(starts, t)
		}
	}
	h.Add(ls, starts...)
}

// season is a habit of an alert at one time.
type season struct {
	seen, of int
	weekly   bool
	rate     float64 // per second in the window
}

// seasonOf looks for a daily habit at t's time of day, then for a weekly one.
func (h *History) seasonOf(id model.Fingerprint, t time.Time) (season, bool) {
	starts := h.starts[id]
	if day := t.Add(-20 * time.Hour); len(starts) == 0 || starts[0].After(day) {
		return season{}, false // It did not fire a day ago, however the clocks were changed.
	}
	for _, weekly := range []bool{false, true} {
		step := 1
		if weekly {
			step = 7
		}
		s := season{weekly: weekly}
		for back := step; back <= historyDays; back += step {
			at := t.In(h.loc).AddDate(0, 0, -back)
			if at.Before(h.first) {
				break
			}
			s.of++
			i, _ := slices.BinarySearchFunc(starts, at.Add(-seasonWindow), time.Time.Compare)
			if i < len(starts) && !starts[i].After(at.Add(seasonWindow)) {
				s.seen++
			}
		}
		if s.of == 0 {
			continue
		}
		share := float64(s.seen) / float64(s.of)
		perDay := float64(len(starts)) / max(1, t.Sub(h.first).Hours()/24)
		chance := perDay * 2 * seasonWindow.Hours() / 24
		if s.seen >= seasonDays && share >= seasonShare && share >= seasonLift*chance {
			s.rate = share / (2 * seasonWindow.Seconds())
			return s, true
		}
	}
	return season{}, false
}

// habit says in words that an alert at t is one; empty: it is not.
func (h *History) habit(id model.Fingerprint, t time.Time) string {
	s, ok := h.seasonOf(id, t)
	if !ok {
		return ""
	}
	at := t.In(h.loc)
	if s.weekly {
		return fmt.Sprintf("fires every %s about %s (%d of %d weeks)", at.Weekday(), at.Format("15:04"), s.seen, s.of)
	}
	return fmt.Sprintf("fires every day about %s (%d of %d days)", at.Format("15:04"), s.seen, s.of)
}

// bias corrects the gain of an alert for how often it begins anyway: an alert that fires every hour,
// or every night at this time, says little about a cause; one never seen says a little more.
func (h *History) bias(id model.Fingerprint, t time.Time) float64 {
	span := t.Sub(h.first).Seconds()
	if h.first.IsZero() || span < 2*24*3600 {
		return 0
	}
	before, _ := slices.BinarySearchFunc(h.starts[id], t.Add(-seasonWindow), time.Time.Compare)
	rate := (float64(before) + 0.5) / min(span, historyDays*24*3600)
	if s, ok := h.seasonOf(id, t); ok {
		rate = max(rate, s.rate)
	}
	bias := lnNoise - math.Log(rate)
	// In steps, so that like alerts stay alike.
	return math.Round(2*max(-6, min(1, bias))) / 2
}

// kinOf returns the alerts that usually fire when the given one does.
func (h *History) kinOf(id model.Fingerprint) []kinship {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kin == nil {
		h.learnKin()
	}
	return h.kin[id]
}

type firing struct {
	t  time.Time
	id model.Fingerprint
}

// learnKin counts which alerts begin near each other: kin when one joined at least half of the
// other's firings, three times or more, and far more often than chance would have it.
func (h *History) learnKin() {
	var all []firing
	for id, starts := range h.starts {
		if len(starts) < cofireCount {
			continue
		}
		for _, t := range starts {
			all = append(all, firing{t, id})
		}
	}
	slices.SortFunc(all, func(a, b firing) int { return cmp.Or(a.t.Compare(b.t), cmp.Compare(a.id, b.id)) })
	together := map[[2]model.Fingerprint]int{}
	from, to := 0, 0
	for i, f := range all {
		for all[from].t.Before(f.t.Add(-cofireWindow)) {
			from++
		}
		for to < len(all) && !all[to].t.After(f.t.Add(cofireWindow)) {
			to++
		}
		if to-from > cofireCrowd {
			continue
		}
		seen := map[model.Fingerprint]bool{f.id: true}
		for j := from; j < to; j++ {
			if o := all[j].id; j != i && !seen[o] {
				seen[o] = true
				together[[2]model.Fingerprint{f.id, o}]++
			}
		}
	}
	h.kin = map[model.Fingerprint][]kinship{}
	span := max(1, h.last.Sub(h.first).Seconds())
	for pair, n := range together {
		a, b := float64(len(h.starts[pair[0]])), float64(len(h.starts[pair[1]]))
		share := float64(n) / a
		chance := b / span * 2 * cofireWindow.Seconds()
		if n >= cofireCount && share >= cofireShare && share >= cofireLift*chance {
			h.kin[pair[0]] = append(h.kin[pair[0]], kinship{pair[1], share})
		}
	}
	for _, k := range h.kin {
		slices.SortFunc(k, func(a, b kinship) int { return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.id, b.id)) })
	}
}
