package app

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline"
	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/internal/export"
	"github.com/tidemark/tidemark/internal/web"
	"github.com/tidemark/tidemark/rules"
)

// entry is one watched series. There may be a million: what few of them have is behind a pointer.
type entry struct {
	series *baseline.Series
	watch  *watch

	mu         sync.Mutex
	seen       int64 // Time of the last sample or absence, in ms.
	lastSample int64
	lastActive int64
	more       *more // Nil: it has none of that.

	active    bool // An anomaly lasts; used by who scores the watch alone.
	before    bool // One did before the step that is being scored; the same.
	forgotten bool // Dropped; the same.
}

// more is what a small fleet's series have, and of a large one's those that were anomalous.
type more struct {
	kept    *texts             // Nil where there are too many series to keep them.
	ring    *ring              // Recent samples; nil the same.
	shown   *shown             // Of the anomaly that lasts, or of the last one; nil: there was none.
	anomaly *correlate.Anomaly // What the correlation knows of it; used by the scoring loop alone.
}

// rest is what the entry has of the things that few have.
func (e *entry) rest() more {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more == nil {
		return more{}
	}
	return *e.more
}

// tell notes what the correlation knows of the series; nil: nothing.
func (e *entry) tell(a *correlate.Anomaly) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.has().anomaly = a
}

// has makes room for them; the lock is held.
func (e *entry) has() *more {
	if e.more == nil {
		e.more = &more{}
	}
	return e.more
}

// shown is what an anomaly was.
type shown struct{ kind, detector string }

// texts are a series' labels as they are shown and exported. They weigh as much as its baseline: a large fleet
// makes them when they are asked for.
type texts struct {
	key    string // The labels' text.
	block  string
	labels labels.Labels
}

func textsOf(ls labels.Labels, watch string) *texts {
	out := export.SeriesLabels(ls, watch)
	return &texts{key: labelSetOf(ls).String(), block: export.Block(out), labels: out}
}

func (e *entry) texts() *texts {
	if kept := e.rest().kept; kept != nil {
		return kept
	}
	return textsOf(e.series.Labels(), e.watch.Name)
}

// block is that of the texts.
func (e *entry) block() string {
	if kept := e.rest().kept; kept != nil {
		return kept.block
	}
	return export.Block(export.SeriesLabels(e.series.Labels(), e.watch.Name))
}

func labelSetOf(ls labels.Labels) model.LabelSet {
	set := make(model.LabelSet, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
	})
	return set
}

// title names the series in a sentence: the watch and what it is about.
func (e *entry) title() string {
	about := make([]string, 0, 2)
	if client, server := e.series.Labels().Get("client"), e.series.Labels().Get("server"); client != "" && server != "" {
		return e.watch.Name + " of " + client + " → " + server
	}
	for _, name := range telling {
		if v := e.series.Labels().Get(name); v != "" && !slices.Contains(about, v) {
			about = append(about, v)
		}
		if len(about) == 2 {
			break
		}
	}
	if len(about) == 0 {
		return e.watch.Name
	}
	return e.watch.Name + " of " + strings.Join(about, " ")
}

// say writes a value of the series, with its unit.
func (e *entry) say(v float64) string { return rules.Quantity(v, e.watch.unit) }

// explained says what is abnormal of the series: in a line, and with the numbers behind it.
func (e *entry) explained() (brief, text string) {
	x := e.series.ExplainIn(e.say)
	return e.title() + ": " + strings.TrimSuffix(x.Summary, "."), e.title() + ": " + x.Text
}

// labelSet are the series' own labels, without the metric's name.
func (e *entry) labelSet() model.LabelSet { return labelSetOf(e.series.Labels()) }

// observe learns samples, those that are not newer than the last one left out: those before observeFrom as old
// history, see baseline.Series.Learn.
func (e *entry) observe(t []int64, v []float64, observeFrom int64) {
	n := e.unseen(t)
	if t, v = t[n:], v[n:]; len(t) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	k := max(0, len(t)-ringSize) // What nobody asks for later is learned without a score, which is quicker.
	for k > 0 && t[k-1] > t[len(t)-1]-recently.Milliseconds() {
		k--
	}
	e.series.Learn(t[:k], v[:k], observeFrom, nil)
	e.series.Learn(t[k:], v[k:], observeFrom, func(sc baseline.Score) { e.note(sc, true) })
	e.seen, e.lastSample = t[len(t)-1], t[len(t)-1] // The last may be old history.
}

// unseen is where samples begin that are newer than the last one.
func (e *entry) unseen(t []int64) (n int) {
	for n < len(t) && t[n] <= e.seen {
		n++
	}
	return n
}

// observeOne scores one sample.
func (e *entry) observeOne(t int64, v float64) {
	if t > e.seen {
		e.keep(e.series.Observe(t, v), true)
	}
}

// absent scores the lack of the sample that was due at t; nothing is wrong with it when another series has taken
// the place of this one.
func (e *entry) absent(t int64, replaced bool) {
	if t <= e.seen {
		return
	}
	score := e.series.Absent
	if replaced {
		score = e.series.Left
	}
	sc := score(t)
	sc.Time, sc.Value = t, math.NaN()
	e.keep(sc, false)
}

// keep notes a score for charts, export and rankings.
func (e *entry) keep(sc baseline.Score, sample bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.note(sc, sample)
}

// found notes what only the whole of a tick shows of the series.
func (e *entry) found(f baseline.Finding) { e.keep(f.Score, e.lastSample == f.Score.Time) }

// note is keep for callers that hold the lock.
func (e *entry) note(sc baseline.Score, sample bool) {
	e.seen, e.active = sc.Time, sc.Active
	if sample {
		e.lastSample = sc.Time
	}
	if sc.Active {
		e.lastActive = sc.Time
		if sc.Kind != "" {
			e.has().shown = &shown{string(sc.Kind), sc.Detector}
		}
	}
	if e.more != nil && e.more.ring != nil {
		e.more.ring.add(web.Point{Time: sc.Time, Value: sc.Value, Expected: sc.Expected, Lower: sc.Lower, Upper: sc.Upper, Score: sc.Raw})
	}
}

// recentPoints are the samples that are kept, oldest first.
func (e *entry) recentPoints() []web.Point {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.more == nil || e.more.ring == nil {
		return nil
	}
	return e.more.ring.points()
}

// profile is the expected value over the day, evenly spaced, and the season's name.
func (e *entry) profile() ([]float64, string) {
	points := e.series.Profile()
	out := make([]float64, len(points))
	for i, p := range points {
		out[i] = p.Expected
	}
	return out, e.series.Season().String()
}

// fill writes what is exported of the series into out.
func (e *entry) fill(out *export.Series) {
	sc := e.series.Last()
	e.mu.Lock()
	seen, lastSample, lastActive := e.seen, e.lastSample, e.lastActive
	var was shown
	kept := false
	if m := e.more; m != nil {
		kept = m.kept != nil
		if m.shown != nil {
			was = *m.shown
		}
	}
	e.mu.Unlock()
	nan := math.NaN()
	*out = export.Series{
		Owner: e, Watch: e.watch.Name, Time: sc.Time,
		Observed: sc.Value, Expected: sc.Expected, Lower: sc.Lower, Upper: sc.Upper,
		Score: sc.Raw, Alarm: sc.Alarm,
		Active: out.Active[:0], Forecasts: out.Forecasts[:0], Limits: out.Limits[:0],
	}
	if kept {
		e.name(out)
	}
	if seen > lastSample { // Stale: a series that is gone has no value and no band.
		out.Observed, out.Expected, out.Lower, out.Upper = nan, nan, nan, nan
	}
	if sc.Active {
		out.Active = append(out.Active, export.Active{Kind: cmp.Or(string(sc.Kind), was.kind, string(baseline.Collective)), Detector: cmp.Or(sc.Detector, was.detector)})
	}
	out.Interesting = sc.Active || seen-lastActive < recently.Milliseconds() && lastActive > 0
}

// name adds the labels.
func (e *entry) name(out *export.Series) {
	text := e.texts()
	out.Block, out.Labels = text.block, text.labels
}

// fillRest adds what is only looked up for series that are written: how the budget is spent, and what is to come.
func (e *entry) fillRest(out *export.Series) {
	out.BudgetRatio = e.series.BudgetRatio()
	for _, h := range horizons {
		f := e.series.Forecast(h.ahead)
		if math.IsInf(f.Lower, 0) || math.IsInf(f.Upper, 0) { // nothing that one could draw
			f.Lower, f.Upper = math.NaN(), math.NaN()
		}
		out.Forecasts = append(out.Forecasts, export.Forecast{Horizon: h.name, Expected: f.Expected, Lower: f.Lower, Upper: f.Upper})
	}
	if e.watch.Limit != nil {
		if l, ok := e.series.TimeToLimit(*e.watch.Limit); ok {
			out.Limits = append(out.Limits, export.Limit{Name: strconv.FormatFloat(*e.watch.Limit, 'g', -1, 64), Seconds: l.Seconds, Lower: l.Lower, Upper: l.Upper})
		}
	}
}
