package pushed

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tidemark/tidemark/correlate/cause"
)

const minute1 = calendar(60)

var alerted = time.Date(2026, 11, 20, 12, 0, 7, 0, time.UTC)

func TestATallyKnowsItsCountAtTheEndOfEachMinute(t *testing.T) {
	var x tally
	require.Zero(t, x.at(5))
	x.add(100, 2)
	x.add(100, 1)
	x.add(103, 4)
	for minute, want := range map[int64]float64{99: 0, 100: 3, 101: 3, 102: 3, 103: 7, 104: 7, 1000: 7} {
		require.InDelta(t, want, x.at(minute), 0, "end of minute %d", minute)
	}
	require.InDelta(t, 4, x.in(101, 103), 0)
	x.add(103+10*keepMinutes, 1)
	require.InDelta(t, 7, x.at(103+10*keepMinutes-1), 0, "a long silence leaves no old counts behind")
	require.InDelta(t, 7, x.at(0+10*keepMinutes), 0)
}

func TestWindowsAreWholeMinutesBeforeAndAtTheIncident(t *testing.T) {
	at := func(clock string) time.Time {
		x, err := time.Parse(time.DateTime, "2026-11-20 "+clock)
		require.NoError(t, err)
		return x
	}
	minute := func(clock string) int64 { return minute1.of(at(clock)) }
	now, before, ok := minute1.windowsOf(at("12:00:07"), at("12:03:07"), at("09:00:00"), at("12:03:20"))
	require.True(t, ok)
	require.Equal(t, minutes{minute("11:58:00"), minute("12:02:00")}, now)
	require.Equal(t, minutes{minute("11:50:00"), minute("11:54:00")}, before[0])
	require.Len(t, before, mostWindows)
	_, _, ok = minute1.windowsOf(at("12:00:07"), at("12:03:07"), at("11:50:30"), at("12:03:20"))
	require.False(t, ok, "too little is known of the time before")
	_, _, ok = minute1.windowsOf(at("12:00:07"), at("11:58:10"), at("09:00:00"), at("12:03:20"))
	require.False(t, ok, "no minute of it is whole")
	now, before, ok = minute1.windowsOf(at("12:00:07"), at("12:30:00"), at("09:00:00"), at("12:30:10"))
	require.True(t, ok)
	require.Equal(t, int64(maxMinutes), now.to-now.from+1)
	require.GreaterOrEqual(t, before[len(before)-1].from, minute("12:30:00")-keepMinutes+2, "of what is forgotten by now nothing is known")
	_, _, ok = minute1.windowsOf(at("12:00:07"), at("12:30:00"), at("09:00:00"), at("13:40:00"))
	require.False(t, ok, "the incident's own minutes are forgotten")

	quick := calendar(5)
	now, before, ok = quick.windowsOf(at("12:00:07"), at("12:00:21"), at("11:50:00"), at("12:00:22"))
	require.True(t, ok)
	require.Equal(t, at("11:59:55"), quick.start(now))
	require.Equal(t, at("12:00:20"), quick.end(now.to))
	require.Equal(t, now.to-now.from, before[0].to-before[0].from)
}

// pushes is what a shop sends in a quarter of an hour before an incident and in it.
type pushes struct {
	now   time.Time
	lines *Lines
	spans *Spans
	id    uint64
}

func newPushes() *pushes {
	p := &pushes{now: alerted.Add(-40 * time.Minute)}
	clock := func() time.Time { return p.now }
	reg := prometheus.NewRegistry()
	o := Options{Every: time.Minute, Now: clock}
	p.lines, p.spans = NewLines(reg, o), NewSpans(reg, o)
	return p
}

func (p *pushes) log(service, line string) {
	p.lines.Add(labels.FromStrings("service", service, "pod", fmt.Sprint(p.id)), []push.Entry{{Line: line}})
}

// call is api calling db: a client's span and a server's, in either order.
func (p *pushes) call(client, server time.Duration, failed bool) {
	p.id++
	span := func(id uint64, parent uint64, kind tracepb.Span_SpanKind, took time.Duration) *tracepb.Span {
		s := &tracepb.Span{
			TraceId: binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 7), p.id), SpanId: binary.BigEndian.AppendUint64(nil, id), Name: "GET /items", Kind: kind,
			StartTimeUnixNano: 1000, EndTimeUnixNano: 1000 + uint64(took),
		}
		if parent > 0 {
			s.ParentSpanId = binary.BigEndian.AppendUint64(nil, parent)
		}
		if failed {
			s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
		}
		return s
	}
	of := func(service string, spans ...*tracepb.Span) *tracepb.ResourceSpans {
		name := &commonpb.KeyValue{Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}}}
		return &tracepb.ResourceSpans{Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{name}}, ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}
	}
	asks := of("api", span(1, 3, tracepb.Span_SPAN_KIND_CLIENT, client), span(3, 0, tracepb.Span_SPAN_KIND_SERVER, client+time.Millisecond))
	answers := of("db", span(2, 1, tracepb.Span_SPAN_KIND_SERVER, server), span(4, 2, tracepb.Span_SPAN_KIND_INTERNAL, server))
	if p.id%2 == 0 {
		asks, answers = answers, asks
	}
	p.spans.Add([]*tracepb.ResourceSpans{asks})
	p.spans.Add([]*tracepb.ResourceSpans{answers})
}

func (p *pushes) fill(look time.Time) cause.Case {
	c := cause.Case{AlertTime: alerted, Candidates: []string{"api", "db"}, Symptom: cause.Symptom{Entity: "api"}}
	p.lines.Fill(&c, look, func(get func(string) string) (string, bool) { return get("service"), get("service") != "" })
	p.spans.Fill(&c, look, func(service string) string { return service })
	c.Graph = []cause.Edge{{From: "api", To: "db", Kind: cause.EdgeCall}}
	return c
}

func TestALineThatIsLostIsEvidenceThatItsCountGivesAgain(t *testing.T) {
	p := newPushes()
	for ; p.now.Before(alerted.Add(4 * time.Minute)); p.now = p.now.Add(2 * time.Second) {
		p.log("api", fmt.Sprintf("GET /items/%d took %d ms", p.id, p.id%17))
		if p.now.Before(alerted.Add(-time.Minute)) {
			p.log("db", fmt.Sprintf("committed transaction %d", p.id*7))
		} else {
			p.log("db", fmt.Sprintf("deadlock detected after %d ms", p.id*3))
		}
		p.id++
	}
	look := alerted.Add(3 * time.Minute)
	r := cause.Rank(p.fill(look), cause.Options{})
	require.Equal(t, "db", r.Candidates[0].Entity)
	require.Equal(t, "log_pattern", r.DecidedBy)
	ev := r.Candidates[0].Evidence
	require.Len(t, ev, 2, "one pattern is lost, one is new")
	require.Contains(t, ev[0].Text, "db wrote «committed transaction <*>» 33.0 times, expected for its requests: 150")
	require.Contains(t, ev[1].Text, "db wrote «deadlock detected after <*> ms» ")
	for _, e := range ev {
		_, err := parser.NewParser(parser.Options{}).ParseExpr(e.Query)
		require.NoError(t, err)
		require.Contains(t, e.Query, `service="db"`)
		require.Contains(t, e.Query, "@ 1795176180")
	}
}

func TestLinesThatComeAndGoByChanceDecideNothing(t *testing.T) {
	p := newPushes()
	for ; p.now.Before(alerted.Add(4 * time.Minute)); p.now = p.now.Add(time.Second) {
		p.id = p.id*6364136223846793005 + 1442695040888963407
		p.log([]string{"api", "db"}[p.id>>33%2], "event "+strings.Repeat("x", 1+int(p.id>>40%200))+" happened")
	}
	r := cause.Rank(p.fill(alerted.Add(3*time.Minute)), cause.Options{})
	require.NotEqual(t, "log_pattern", r.DecidedBy)
	require.True(t, r.NoClearCause)
}

func TestSpansAreSeriesAndCallsWhoeverComesFirst(t *testing.T) {
	p := newPushes()
	for ; p.now.Before(alerted.Add(4 * time.Minute)); p.now = p.now.Add(time.Second) {
		slow := 20*time.Millisecond + time.Duration(p.id%5)*time.Millisecond
		if !p.now.Before(alerted.Add(-time.Minute)) {
			slow = 900 * time.Millisecond
		}
		p.call(slow+2*time.Millisecond, slow, false)
	}
	c := p.fill(alerted.Add(3 * time.Minute))
	calls := 0.0
	for _, s := range c.Spans {
		if s.Entity == "db" && s.Caller == "api" && !s.Client {
			calls += s.Count
		}
	}
	require.InDelta(t, 300, calls, 1, "five whole minutes of one call a second")
	r := cause.Rank(c, cause.Options{})
	require.Equal(t, "db", r.Candidates[0].Entity)
	require.Equal(t, "excess", r.DecidedBy)
	ev := r.Candidates[0].Evidence
	require.Regexp(t, `^\(sum\(tidemark_span_seconds_total\{service="db",side="server"\}\) - sum\(.* offset 1m\)\) / `, ev[0].Query)
	require.Equal(t, time.Minute, ev[0].Step, "the mean of it over these minutes is the value")
	_, err := parser.NewParser(parser.Options{}).ParseExpr(ev[0].Query)
	require.NoError(t, err)
	require.InDelta(t, 0.8, ev[0].Value, 0.11, "a mean over minutes of which the first is mixed")
}

func TestTimeLostBetweenClientAndServerIsReadFromTheMinuteThatShowsIt(t *testing.T) {
	p := newPushes()
	for ; p.now.Before(alerted.Add(4 * time.Minute)); p.now = p.now.Add(time.Second) {
		lost := 2 * time.Millisecond
		if !p.now.Before(alerted.Add(-time.Minute)) {
			lost = 900 * time.Millisecond
		}
		p.call(20*time.Millisecond+lost, 20*time.Millisecond, false)
	}
	c := p.fill(alerted.Add(3 * time.Minute))
	r := cause.Rank(c, cause.Options{})
	require.Equal(t, "db", r.Candidates[0].Entity)
	ev := r.Candidates[0].Evidence
	gap := slices.IndexFunc(ev, func(e cause.Evidence) bool { return e.Kind == "span_gap" })
	require.GreaterOrEqual(t, gap, 0)
	require.InDelta(t, 898, ev[gap].Value, 1)
	_, err := parser.NewParser(parser.Options{}).ParseExpr(ev[gap].Query)
	require.NoError(t, err)
	for _, part := range []string{
		`1000 * (sum(max by (operation) (tidemark_span_seconds_total{caller="api",service="api",side="client"} @ `,
		`1000 * (sum(max by (operation) (tidemark_span_seconds_total{caller="api",service="db",side="server"} @ `,
		`/ ((sum(max by (operation) (tidemark_spans_total{caller="api",service="db",side="server"} @ `,
	} {
		require.Contains(t, ev[gap].Query, part)
	}
	for _, x := range r.Candidates {
		for _, e := range x.Evidence {
			require.NotEmpty(t, e.Query, "%s: %s", e.Kind, e.Text)
		}
	}
}

func TestWhatIsPushedIsBoundedAndExportedByTheMinute(t *testing.T) {
	p := newPushes()
	for n := range 3 * maxCounted {
		p.log("api", strings.Repeat("w", 1+n%60)+" "+strings.Repeat("v", 1+n/60)+" z")
	}
	for n := range 3 * maxSpanRows {
		p.id++
		p.spans.Add([]*tracepb.ResourceSpans{{
			Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "api"}}}}},
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{TraceId: make([]byte, 16), SpanId: binary.BigEndian.AppendUint64(nil, p.id), Name: fmt.Sprint("op ", n), Kind: tracepb.Span_SPAN_KIND_SERVER}}}},
		}})
	}
	require.LessOrEqual(t, len(p.lines.counts), maxCounted)
	require.LessOrEqual(t, len(p.spans.rows), maxSpanRows+1)
	require.Zero(t, testutil.CollectAndCount(p.lines, "tidemark_log_lines_total"), "its minute is not over")
	p.now = p.now.Add(time.Minute)
	require.Equal(t, len(p.lines.counts), testutil.CollectAndCount(p.lines, "tidemark_log_lines_total"))
	require.Equal(t, len(p.spans.rows), testutil.CollectAndCount(p.spans, "tidemark_spans_total"))
	ch := make(chan prometheus.Metric, 100_000)
	p.spans.Collect(ch)
	var out strings.Builder
	fmt.Fprint(&out, (<-ch).Desc())
	require.Contains(t, out.String(), "tidemark_span")

	p.now = p.now.Add(2 * keepMinutes * time.Minute)
	p.log("db", "fresh line")
	require.Len(t, p.lines.counts, 1, "what was not seen for long makes room")

	next := newPushes()
	next.lines.Adopt(p.lines)
	next.spans.Adopt(p.spans)
	require.Len(t, next.lines.counts, 1, "a reload keeps what was counted")
	require.Empty(t, p.lines.counts)
}
