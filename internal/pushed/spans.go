package pushed

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tidemark/tidemark/correlate/cause"
)

// spanLabels are the labels of the metrics of spans: who called (empty: from outside, or not known), who answered or,
// for the client's side, asked, and what.
var spanLabels = []string{"caller", "service", "operation", "side"}

// Sides of a call.
const (
	serverSide = "server"
	clientSide = "client"
)

const (
	// maxSpanRows bounds the series of each metric of spans; operations above it are counted as "other".
	maxSpanRows    = 2000
	otherOperation = "other"
	// maxOwners is for how many spans it is known whose they are: a server's span knows its caller by the
	// identifier of the caller's span.
	maxOwners = 1 << 17
	// maxWaiting bounds the server spans whose caller's span has not come yet; the oldest are counted without one.
	maxWaiting = 1 << 15
)

// Spans counts pushed spans and their time by call, minute by minute. It is safe for concurrent use.
type Spans struct {
	now   func() time.Time
	cal   calendar
	since time.Time

	mu      sync.Mutex
	rows    map[spanKey]*spanCounted
	owners  map[uint64]string
	order   []uint64 // Of owners, a ring.
	next    int
	waiting map[uint64][]served // By the caller's span.
	queue   []uint64            // Of waiting, oldest first.
}

type spanKey struct{ caller, service, operation, side string }

type spanCounted struct{ n, seconds, errors tally }

// served is a server's span.
type served struct {
	key     spanKey
	seconds float64
	failed  bool
}

// NewSpans returns an empty count that is exported to reg.
func NewSpans(reg prometheus.Registerer, o Options) *Spans {
	s := &Spans{now: o.Now, cal: o.calendar(), since: o.Now()}
	s.clear()
	reg.MustRegister(s)
	return s
}

func (s *Spans) clear() {
	s.rows, s.owners, s.waiting = map[spanKey]*spanCounted{}, map[uint64]string{}, map[uint64][]served{}
	s.order, s.next, s.queue = nil, 0, nil
}

// Adopt takes over what another one counted.
func (s *Spans) Adopt(old *Spans) {
	old.mu.Lock()
	defer old.mu.Unlock()
	if s.cal != old.cal {
		return // Counts of other stretches say nothing.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.rows, s.owners, s.order, s.next, s.waiting, s.queue = old.since, old.rows, old.owners, old.order, old.next, old.waiting, old.queue
	old.clear()
}

// Add counts spans in the minute of now. What happens inside a service is not counted, only calls.
func (s *Spans) Add(resources []*tracepb.ResourceSpans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	minute := s.cal.of(s.now())
	for _, rs := range resources {
		service := attribute(rs.GetResource().GetAttributes(), "service.name")
		if service == "" {
			continue
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, sp := range ss.GetSpans() {
				s.one(minute, service, sp)
			}
		}
	}
}

func attribute(attrs []*commonpb.KeyValue, name string) string {
	for _, a := range attrs {
		if a.GetKey() == name {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// one counts a span; the lock is held.
func (s *Spans) one(minute int64, service string, sp *tracepb.Span) {
	id := spanID(sp.GetTraceId(), sp.GetSpanId())
	s.own(id, service)
	for _, w := range s.waiting[id] {
		w.key.caller = service
		s.count(minute, w)
	}
	delete(s.waiting, id)
	x := served{
		key:    spanKey{service: service, operation: sp.GetName(), side: serverSide},
		failed: sp.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
	}
	if from, to := sp.GetStartTimeUnixNano(), sp.GetEndTimeUnixNano(); to > from {
		x.seconds = float64(to-from) / 1e9
	}
	switch sp.GetKind() {
	case tracepb.Span_SPAN_KIND_CLIENT, tracepb.Span_SPAN_KIND_PRODUCER:
		x.key.caller, x.key.side = service, clientSide
	case tracepb.Span_SPAN_KIND_SERVER, tracepb.Span_SPAN_KIND_CONSUMER:
		if len(sp.GetParentSpanId()) == 0 {
			break
		}
		parent := spanID(sp.GetTraceId(), sp.GetParentSpanId())
		caller, known := s.owners[parent]
		if !known {
			s.wait(minute, parent, x)
			return
		}
		x.key.caller = caller
	default:
		return
	}
	s.count(minute, x)
}

// spanID tells spans of different traces apart: their identifiers may be short of random bits.
func spanID(trace, span []byte) uint64 {
	id := binary.BigEndian.Uint64(span)
	if len(trace) == 16 {
		id ^= binary.BigEndian.Uint64(trace) * 0x9e3779b97f4a7c15
	}
	return id
}

// own remembers whose a span is.
func (s *Spans) own(id uint64, service string) {
	if len(s.order) < maxOwners {
		s.order = append(s.order, id)
	} else {
		delete(s.owners, s.order[s.next])
		s.order[s.next] = id
		s.next = (s.next + 1) % maxOwners
	}
	s.owners[id] = service
}

// wait keeps a server's span until its caller's comes.
func (s *Spans) wait(minute int64, parent uint64, x served) {
	s.waiting[parent] = append(s.waiting[parent], x)
	s.queue = append(s.queue, parent)
	for len(s.queue) > maxWaiting {
		for _, w := range s.waiting[s.queue[0]] {
			s.count(minute, w)
		}
		delete(s.waiting, s.queue[0])
		s.queue = s.queue[1:]
	}
}

func (s *Spans) count(minute int64, x served) {
	r := s.rows[x.key]
	if r == nil && len(s.rows) >= maxSpanRows && !s.forget(minute) {
		x.key.operation = otherOperation
		if r = s.rows[x.key]; r == nil && len(s.rows) >= 2*maxSpanRows {
			return // So many services are no services.
		}
	}
	if r == nil {
		r = &spanCounted{}
		s.rows[x.key] = r
	}
	r.n.add(minute, 1)
	r.seconds.add(minute, x.seconds)
	failed := 0.0
	if x.failed {
		failed = 1
	}
	r.errors.add(minute, failed)
}

func (s *Spans) forget(minute int64) bool {
	before := len(s.rows)
	for k, r := range s.rows {
		if minute-r.n.minute > keepMinutes {
			delete(s.rows, k)
		}
	}
	return len(s.rows) < before
}

// Fill gives a case the calls of the incident's minutes and of windows before, and the mean duration, the rate and the
// failures of each service's answers as series.
// It is false when it has no calls to compare.
func (s *Spans) Fill(c *cause.Case, look time.Time, named func(service string) string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]string{"": ""}
	name := func(service string) string {
		n, ok := known[service]
		if !ok {
			n = named(service)
			known[service] = n
		}
		return n
	}
	keys := make([]spanKey, 0, len(s.rows))
	for k := range s.rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b spanKey) int {
		return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.caller, b.caller), cmp.Compare(a.operation, b.operation), cmp.Compare(a.side, b.side))
	})
	now, before, ok := s.cal.windowsOf(c.AlertTime, look, s.since, s.now())
	if ok {
		for _, k := range keys {
			c.Spans = s.counts(c.Spans, k, now, name, true)
			for _, m := range before {
				c.SpansBaseline = s.counts(c.SpansBaseline, k, m, name, false)
			}
		}
	}
	s.series(c, keys, look, name)
	return ok
}

// counts appends the minutes of a window in which there were spans, with what reads them again where that is asked for.
func (s *Spans) counts(out []cause.SpanCount, k spanKey, in minutes, name func(string) string, queries bool) []cause.SpanCount {
	r := s.rows[k]
	for m := in.from; m <= in.to; m++ {
		n := r.n.in(m, m)
		if n == 0 {
			continue
		}
		c := cause.SpanCount{
			Window: s.cal.start(in).UnixMilli(), Time: s.cal.end(m - 1).UnixMilli(), Caller: name(k.caller), Entity: name(k.service), Operation: k.operation,
			Client: k.side == clientSide, Count: n, MeanMs: 1000 * r.seconds.in(m, m) / n,
		}
		if queries {
			c.CountQuery, c.TimeQuery = s.cal.ofMinute("tidemark_spans_total", k, m), "1000 * "+s.cal.ofMinute("tidemark_span_seconds_total", k, m)
		}
		out = append(out, c)
	}
	return out
}

// spanSeries are what a service's answers give as series: each the quotient of two metrics over the last minute.
var spanSeries = []struct {
	metric, over, under string
	of                  func(r *spanCounted) *tally
}{
	{"span duration seconds mean", "tidemark_span_seconds_total", "tidemark_spans_total", func(r *spanCounted) *tally { return &r.seconds }},
	{"span errors ratio", "tidemark_span_errors_total", "tidemark_spans_total", func(r *spanCounted) *tally { return &r.errors }},
	{"span requests", "tidemark_spans_total", "", func(r *spanCounted) *tally { return &r.n }},
}

func (s *Spans) series(c *cause.Case, keys []spanKey, look time.Time, name func(string) string) {
	last := s.cal.of(look) - 1
	oldest := max(s.cal.of(s.since)+2, last-keepMinutes+2)
	for i := 0; i < len(keys); {
		j := i
		for j < len(keys) && keys[j].service == keys[i].service {
			j++
		}
		mine := slices.DeleteFunc(slices.Clone(keys[i:j]), func(k spanKey) bool { return k.side != serverSide })
		service := keys[i].service
		i = j
		if len(mine) == 0 {
			continue
		}
		for _, row := range spanSeries {
			x := cause.Series{Entity: name(service), Metric: row.metric, Query: s.cal.ofLastMinute(row.over, service)}
			if row.under != "" {
				x.Query += " / " + s.cal.ofLastMinute(row.under, service)
			}
			for m := oldest; m <= last; m++ {
				var over, under float64
				for _, k := range mine {
					over, under = over+row.of(s.rows[k]).in(m, m), under+s.rows[k].n.in(m, m)
				}
				if row.under != "" {
					over /= under
				}
				if math.IsInf(over, 0) {
					over = math.NaN()
				}
				x.T, x.V = append(x.T, s.cal.end(m).UnixMilli()), append(x.V, over)
			}
			if len(x.T) > 1 {
				c.Series = append(c.Series, x)
			}
		}
	}
}

// ofMinute is PromQL for what a metric of spans grew by in one minute, over all operations of a caller and a service.
func (c calendar) ofMinute(metric string, k spanKey, minute int64) string {
	sel := fmt.Sprintf("%s{caller=%q,service=%q,side=%q}", metric, k.caller, k.service, k.side)
	total := func(m int64) string { return fmt.Sprintf("sum(max by (operation) (%s @ %d))", sel, c.end(m).Unix()) }
	return fmt.Sprintf("(%s - (%s or vector(0)))", total(minute), total(minute-1))
}

// ofLastMinute is PromQL for what a metric of spans grew by in the minute before, at the end of a minute.
func (c calendar) ofLastMinute(metric, service string) string {
	sel := fmt.Sprintf("%s{service=%q,side=%q}", metric, service, serverSide)
	return fmt.Sprintf("(sum(%s) - sum(%s offset %s))", sel, sel, model.Duration(c.span(1)))
}

var (
	spanCount   = prometheus.NewDesc("tidemark_spans_total", "Pushed spans of calls, as of the last whole minute and with its time.", spanLabels, nil)
	spanSeconds = prometheus.NewDesc("tidemark_span_seconds_total", "Duration of pushed spans of calls, as of the last whole minute and with its time.", spanLabels, nil)
	spanErrors  = prometheus.NewDesc("tidemark_span_errors_total", "Pushed spans of calls that failed, as of the last whole minute and with its time.", spanLabels, nil)
)

// Describe implements prometheus.Collector.
func (s *Spans) Describe(ch chan<- *prometheus.Desc) {
	ch <- spanCount
	ch <- spanSeconds
	ch <- spanErrors
}

// Collect implements prometheus.Collector.
func (s *Spans) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, r := range s.rows {
		labels := []string{k.caller, k.service, k.operation, k.side}
		r.n.export(ch, s.cal, s.now(), spanCount, labels...)
		r.seconds.export(ch, s.cal, s.now(), spanSeconds, labels...)
		r.errors.export(ch, s.cal, s.now(), spanErrors, labels...)
	}
}
