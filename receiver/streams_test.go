package receiver_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tidemark/tidemark/receiver"
)

func lokiJSON(stream string, at time.Time, lines ...string) string {
	var values []string
	for _, l := range lines {
		values = append(values, fmt.Sprintf(`["%d",%q]`, at.UnixNano(), l))
	}
	return `{"streams":[{"stream":` + stream + `,"values":[` + strings.Join(values, ",") + `]}]}`
}

func lokiProto(t testing.TB, streams ...push.Stream) string {
	t.Helper()
	req := push.PushRequest{Streams: streams}
	b, err := req.Marshal()
	require.NoError(t, err)
	return string(snappy.Encode(nil, b))
}

func TestLokiPushInAllItsForms(t *testing.T) {
	plain := lokiJSON(`{"app":"checkout","pod":"a\"b"}`, start, "disk quota exceeded", "päng")
	protobuf := lokiProto(t, push.Stream{Labels: `{app="checkout", pod="a\"b"}`, Entries: []push.Entry{
		{Timestamp: start, Line: "disk quota exceeded"}, {Timestamp: start, Line: "päng"},
	}})
	for _, tc := range []struct{ name, contentType, encoding, body string }{
		{"JSON", "application/json", "", plain},
		{"JSON with a charset", "application/json; charset=utf-8", "", plain},
		{"JSON and gzip", jsonType, "gzip", gzipped(t, []byte(plain))},
		{"protobuf", protoType, "", protobuf},
		{"protobuf that names its encoding", protoType, "snappy", protobuf},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			w := r.post(receiver.LokiPath, tc.contentType, tc.body, "Content-Encoding", tc.encoding)
			require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
			want := []string{`{app="checkout", pod="a\"b"} disk quota exceeded`, `{app="checkout", pod="a\"b"} päng`}
			require.Equal(t, want, r.lines)

			again := newRig(t)
			require.NoError(t, again.Decode(context.Background(), r.records[0].kind, r.records[0].payload))
			require.Equal(t, want, again.lines, "a replay delivers the same")
		})
	}
}

func TestLokiKeepsTheGoodLinesOfAPush(t *testing.T) {
	r := newRig(t)
	body := lokiProto(t, push.Stream{Labels: `{app="a"}`, Entries: []push.Entry{
		{Timestamp: start, Line: "good"},
		{Timestamp: start.Add(-1000 * time.Hour), Line: "old"},
		{Timestamp: start, Line: "with metadata", StructuredMetadata: push.LabelsAdapter{{Name: "trace", Value: strings.Repeat("x", 65<<10)}}},
	}}, push.Stream{Labels: `nonsense`, Entries: []push.Entry{{Timestamp: start, Line: "lost"}}})
	w := r.post(receiver.LokiPath, protoType, body)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, "3 entries refused; the first: stream {app=\"a\"}: a line of 2026-10-11T18:00:00Z is older than 1w\n", w.Body.String())
	require.Equal(t, []string{`{app="a"} good`}, r.lines)
}

func TestLokiRateAndStreamsAreBounded(t *testing.T) {
	r := newRig(t, func(c *receiver.Config) { c.Loki.MaxStreams = 2 })
	push := func(stream string) int {
		return r.post(receiver.LokiPath, jsonType, lokiJSON(stream, r.clock(), "x")).Code
	}
	require.Equal(t, http.StatusNoContent, push(`{"a":"1"}`))
	require.Equal(t, http.StatusNoContent, push(`{"a":"2"}`))
	require.Equal(t, http.StatusTooManyRequests, push(`{"a":"3"}`))
	require.Equal(t, http.StatusNoContent, push(`{"a":"1"}`), "a known stream goes on")
	r.pass(3 * time.Hour)
	require.Equal(t, http.StatusNoContent, push(`{"a":"1"}`))
	r.pass(3 * time.Hour)
	require.Equal(t, http.StatusNoContent, push(`{"a":"3"}`), "idle streams make room")

	big := lokiJSON(`{"a":"1"}`, r.clock(), strings.Split(strings.Repeat(strings.Repeat("x", 200<<10)+" ", 25), " ")...)
	require.Equal(t, http.StatusNoContent, r.post(receiver.LokiPath, jsonType, big).Code)
	w := r.post(receiver.LokiPath, jsonType, big)
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	r.pass(2 * time.Second)
	require.Equal(t, http.StatusNoContent, r.post(receiver.LokiPath, jsonType, big).Code)
}

func spans(n int, change func(i int, s *tracepb.Span)) *tracepb.TracesData {
	ss := &tracepb.ScopeSpans{}
	for i := range n {
		s := &tracepb.Span{
			TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), ParentSpanId: []byte("76543210"),
			Name: "GET /cart", Kind: tracepb.Span_SPAN_KIND_SERVER, StartTimeUnixNano: uint64(start.UnixNano()),
		}
		if change != nil {
			change(i, s)
		}
		ss.Spans = append(ss.Spans, s)
	}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{attribute("service.name", "cart")}},
		ScopeSpans: []*tracepb.ScopeSpans{ss},
	}}}
}

func attribute(k, v string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}}
}

func TestTracesAsProtobuf(t *testing.T) {
	r := newRig(t)
	body, err := proto.Marshal(spans(2, nil))
	require.NoError(t, err)
	for _, encoding := range []string{"", "gzip"} {
		sent := string(body)
		if encoding == "gzip" {
			sent = gzipped(t, body)
		}
		w := r.post(receiver.TracesPath, protoType, sent, "Content-Encoding", encoding)
		require.Equal(t, http.StatusOK, w.Code, w.Body.String())
		var answer collectorpb.ExportTraceServiceResponse
		require.NoError(t, proto.Unmarshal(w.Body.Bytes(), &answer))
		require.Nil(t, answer.PartialSuccess)
	}
	require.Len(t, r.spans, 2)
	require.True(t, proto.Equal(spans(2, nil).ResourceSpans[0], r.spans[0]))
	again := newRig(t)
	require.NoError(t, again.Decode(context.Background(), r.records[0].kind, r.records[0].payload))
	require.True(t, proto.Equal(r.spans[0], again.spans[0]))
}

// The example of the OTLP specification has its identifiers in hex, unlike protobuf's JSON.
func TestTracesAsJSON(t *testing.T) {
	r := newRig(t)
	w := r.post(receiver.TracesPath, jsonType, `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},
		"scopeSpans":[{"scope":{"name":"lib"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
		"parentSpanId":"EEE19B7EC3C1B173","name":"GET /cart","startTimeUnixNano":"1544712660000000000","kind":2,"new_field":{}}]}]}]}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "{}", w.Body.String())
	s := r.spans[0].ScopeSpans[0].Spans[0]
	require.Equal(t, "5b8efff798038103d269b633813fc60c", hex.EncodeToString(s.TraceId))
	require.Equal(t, "eee19b7ec3c1b173", hex.EncodeToString(s.ParentSpanId))
	require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, s.Kind)
}

func TestTracesPartialSuccess(t *testing.T) {
	data := spans(5, func(i int, s *tracepb.Span) {
		switch i {
		case 0:
			s.TraceId = []byte("short")
		case 1:
			s.Attributes = []*commonpb.KeyValue{attribute("sql", strings.Repeat("x", 20<<10))}
		case 2:
			s.SpanId = nil
		}
	})
	body, err := proto.Marshal(data)
	require.NoError(t, err)
	r := newRig(t)
	w := r.post(receiver.TracesPath, protoType, string(body))
	require.Equal(t, http.StatusOK, w.Code)
	var answer collectorpb.ExportTraceServiceResponse
	require.NoError(t, proto.Unmarshal(w.Body.Bytes(), &answer))
	require.Equal(t, int64(3), answer.PartialSuccess.RejectedSpans)
	require.Equal(t, "trace id has 5 bytes, must have 16", answer.PartialSuccess.ErrorMessage)
	require.Len(t, r.spans[0].ScopeSpans[0].Spans, 2)
	require.Equal(t, 2, r.counter("tidemark_receiver_spans_total"))
}

func TestTracesSayUnavailableAsOTLPDoes(t *testing.T) {
	r := newRig(t)
	r.refuse = fmt.Errorf("disk full")
	body, err := proto.Marshal(spans(1, nil))
	require.NoError(t, err)
	w := r.post(receiver.TracesPath, protoType, string(body))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), "disk full")
}

func TestChanges(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       []receiver.Change
	}{
		{
			"one line of curl", `{"entity":"api","kind":"deploy","text":"v42"}`,
			[]receiver.Change{{Time: start, Kind: "deploy", Entity: "api", Text: "v42"}},
		},
		{
			"all fields", `{"time":"2026-11-22T09:59:00Z","kind":"flag","entity":"cart","labels":{"namespace":"shop"},"text":"on","source":"ci","link":"https://ci/7"}`,
			[]receiver.Change{{Time: start.Add(-time.Minute), Kind: "flag", Entity: "cart", Labels: map[string]string{"namespace": "shop"}, Text: "on", Source: "ci", Link: "https://ci/7"}},
		},
		{
			"several", ` [{"entity":"a","time":1795341600},{"entity":"b","time":1795341600000}]`,
			[]receiver.Change{{Time: start, Kind: "change", Entity: "a"}, {Time: start, Kind: "change", Entity: "b"}},
		},
		{
			"a Grafana annotation", `{"dashboardUID":"x","panelId":1,"time":1795341600000,"timeEnd":1795341660000,"tags":["deploy","service:cart","team=shop","prod"],"text":"cart v42"}`,
			[]receiver.Change{{Time: start, Kind: "deploy", Labels: map[string]string{"service": "cart", "team": "shop"}, Text: "cart v42", Source: "grafana"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			w := r.post(receiver.ChangesPath, jsonType, tc.body)
			require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
			require.Equal(t, asJSON(t, tc.want), asJSON(t, r.changes))
			again := newRig(t)
			require.NoError(t, again.Decode(context.Background(), r.records[0].kind, r.records[0].payload))
			require.Equal(t, asJSON(t, tc.want), asJSON(t, again.changes))
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	return string(b)
}

// Records that an earlier release kept are read; the files are never to be made anew.
func TestRecordsOfEarlierReleasesAreRead(t *testing.T) {
	r := newRig(t)
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		return b
	}
	for kind := receiver.KindWebhook; kind <= receiver.KindChanges; kind++ {
		require.NoError(t, r.Decode(context.Background(), kind, read(fmt.Sprintf("record-%d.bin", kind))))
	}
	require.Equal(t, []string{"A firing", "B resolved"}, names(r.alerts))
	require.Equal(t, []string{`{app="checkout"} disk full`}, r.lines)
	require.Len(t, r.spans, 1)
	require.Equal(t, "api", r.changes[0].Entity)

	known := newRig(t)
	require.NoError(t, known.Restore(read("dedup-v1.bin")))
	require.NoError(t, known.Decode(context.Background(), receiver.KindWebhook, read("record-1.bin")))
	require.Empty(t, known.alerts, "keys of an earlier release still recognise repeats")
}

func TestReplayOfUnknownRecords(t *testing.T) {
	r := newRig(t)
	require.EqualError(t, r.Decode(context.Background(), 99, nil), "record has kind 99, which this release does not know")
	for _, kind := range []byte{receiver.KindWebhook, receiver.KindLoki, receiver.KindTraces, receiver.KindChanges} {
		require.ErrorContains(t, r.Decode(context.Background(), kind, []byte("nonsense")), fmt.Sprintf("decode record of kind %d", kind))
	}
}
