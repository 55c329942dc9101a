package receiver_test

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/receiver"
)

const (
	writeV1 = "application/x-protobuf"
	writeV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

// sink is a SampleSink that keeps everything of the series whose job is not "unwatched".
type sink struct {
	generation uint64
	series     map[uint32]labels.Labels
	got        map[string][]string
	last       map[uint32]int64
	added      int
}

func newSink() *sink {
	return &sink{generation: 1, series: map[uint32]labels.Labels{}, got: map[string][]string{}, last: map[uint32]int64{}}
}

func (s *sink) Begin() uint64 { return s.generation }
func (s *sink) End()          {}

func (s *sink) Add(id uint32, ls labels.Labels) bool {
	s.added++
	s.series[id] = ls
	return ls.Get("job") != "unwatched"
}

func (s *sink) Append(id uint32, t []int64, v []float64) (refused int) {
	for i := range t {
		if t[i] <= s.last[id] {
			refused++
			continue
		}
		s.last[id] = t[i]
		key := s.series[id].String()
		s.got[key] = append(s.got[key], fmt.Sprintf("%d:%x", t[i], math.Float64bits(v[i])))
	}
	return refused
}

func (s *sink) Forget(id uint32) {
	delete(s.series, id)
	delete(s.last, id)
}

// writer is a Receiver with remote write enabled.
type writer struct {
	t    testing.TB
	h    http.Handler
	sink *sink
	reg  *prometheus.Registry
	now  time.Time
}

func newWriter(t testing.TB, change ...func(*receiver.Config)) *writer {
	t.Helper()
	w := &writer{t: t, sink: newSink(), reg: prometheus.NewRegistry(), now: start}
	c := receiver.DefaultConfig()
	for _, f := range change {
		f(&c)
	}
	r, err := receiver.New(receiver.Options{
		Config: c, Log: receiver.NoLog{}, Registerer: w.reg, Clock: func() time.Time { return w.now },
		Sinks: receiver.Sinks{Samples: func() receiver.SampleSink { return w.sink }},
	})
	require.NoError(t, err)
	w.h = r.Handlers()[receiver.WritePath]
	return w
}

func (w *writer) post(contentType string, body []byte, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, receiver.WritePath, bytes.NewReader(body))
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Content-Encoding", "snappy")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, req)
	return rec
}

func (w *writer) send(contentType string, body []byte) *httptest.ResponseRecorder {
	return w.post(contentType, snappy.Encode(nil, body))
}

func ms(d time.Duration) int64 { return start.Add(d).UnixMilli() }

func encodeV1(t testing.TB, series ...prompb.TimeSeries) []byte {
	b, err := (&prompb.WriteRequest{Timeseries: series}).Marshal()
	require.NoError(t, err)
	return b
}

func seriesV1(t int64, v float64, kv ...string) prompb.TimeSeries {
	ts := prompb.TimeSeries{Samples: []prompb.Sample{{Timestamp: t, Value: v}}}
	for i := 0; i < len(kv); i += 2 {
		ts.Labels = append(ts.Labels, prompb.Label{Name: kv[i], Value: kv[i+1]})
	}
	return ts
}

func encodeV2(t testing.TB, series ...prompb.TimeSeries) []byte {
	symbols := writev2.NewSymbolTable()
	req := &writev2.Request{}
	for _, s := range series {
		out := writev2.TimeSeries{}
		for _, l := range s.Labels {
			out.LabelsRefs = append(out.LabelsRefs, symbols.Symbolize(l.Name), symbols.Symbolize(l.Value))
		}
		for _, x := range s.Samples {
			out.Samples = append(out.Samples, writev2.Sample{Timestamp: x.Timestamp, Value: x.Value})
		}
		for range s.Histograms {
			out.Histograms = append(out.Histograms, writev2.Histogram{})
		}
		for range s.Exemplars {
			out.Exemplars = append(out.Exemplars, writev2.Exemplar{})
		}
		req.Timeseries = append(req.Timeseries, out)
	}
	req.Symbols = symbols.Symbols()
	b, err := req.Marshal()
	require.NoError(t, err)
	return b
}

func TestBothVersionsBringTheSameSamples(t *testing.T) {
	stale := math.Float64frombits(value.StaleNaN)
	series := []prompb.TimeSeries{
		seriesV1(ms(0), 1.5, "__name__", "up", "job", "api"),
		seriesV1(ms(time.Second), stale, "__name__", "up", "job", "web"),
		seriesV1(ms(time.Second), 4, "__name__", "up", "job", "unwatched"),
	}
	series[0].Samples = append(series[0].Samples, prompb.Sample{Timestamp: ms(time.Second), Value: 2.5})
	series[1].Histograms = []prompb.Histogram{{}}
	series[1].Exemplars = []prompb.Exemplar{{}}
	for contentType, body := range map[string][]byte{"": encodeV1(t, series...), writeV1: encodeV1(t, series...), writeV2: encodeV2(t, series...)} {
		w := newWriter(t)
		rec := w.send(contentType, body)
		require.Equal(t, http.StatusNoContent, rec.Code, rec.Body)
		require.Equal(t, map[string][]string{
			`{__name__="up", job="api"}`: {fmt.Sprintf("%d:%x", ms(0), math.Float64bits(1.5)), fmt.Sprintf("%d:%x", ms(time.Second), math.Float64bits(2.5))},
			`{__name__="up", job="web"}`: {fmt.Sprintf("%d:%x", ms(time.Second), value.StaleNaN)},
		}, w.sink.got, "the bits of a stale marker are kept, nobody gets what nobody wants")
		if contentType == writeV2 {
			require.Equal(t, []string{"4", "1", "1"}, written(rec), "left out on purpose counts as taken")
		} else {
			require.Equal(t, []string{"", "", ""}, written(rec), "1.0 has no such header")
		}
		require.NoError(t, testutil.GatherAndCompare(w.reg, strings.NewReader(`
# HELP tidemark_receiver_histograms_total Native histogram samples that came by remote write and were left out.
# TYPE tidemark_receiver_histograms_total counter
tidemark_receiver_histograms_total 1
# HELP tidemark_receiver_samples_total Samples taken by remote write, watched or not.
# TYPE tidemark_receiver_samples_total counter
tidemark_receiver_samples_total 4
`), "tidemark_receiver_histograms_total", "tidemark_receiver_samples_total"))
	}
}

func written(rec *httptest.ResponseRecorder) []string {
	var out []string
	for _, what := range []string{"Samples", "Histograms", "Exemplars"} {
		out = append(out, rec.Header().Get("X-Prometheus-Remote-Write-"+what+"-Written"))
	}
	return out
}

func TestAnswersOfRemoteWrite(t *testing.T) {
	good := seriesV1(ms(0), 1, "__name__", "up", "job", "api")
	body := snappy.Encode(nil, encodeV1(t, good))
	for name, tc := range map[string]struct {
		contentType string
		body        []byte
		header      []string
		code        int
		want        string
		written     string
	}{
		"another type": {"text/plain", body, nil, 415, "Content-Type is text/plain, must be application/x-protobuf", ""},
		"another message": {
			"application/x-protobuf;proto=io.prometheus.write.v3.Request", body, nil, 415,
			"the message is io.prometheus.write.v3.Request, must be prometheus.WriteRequest or io.prometheus.write.v2.Request", "",
		},
		"another encoding": {writeV1, body, []string{"Content-Encoding", "zstd"}, 415, "Content-Encoding is zstd, must be snappy", ""},
		"no snappy":        {writeV1, []byte("hello"), nil, 400, "the body is not a snappy block", ""},
		"a length that lies": {
			writeV1,
			[]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0},
			nil, 413,
			"the snappy body of 6 bytes declares 4294967295 bytes, at most 192 are allowed", "",
		},
		"no protobuf": {writeV1, snappy.Encode(nil, []byte("\xff\xff")), nil, 400, "the body is not a remote-write message", ""},
		"a sample twice with different values": {
			writeV2, snappy.Encode(nil, encodeV2(t, good, good)), nil, 400,
			"1 of 2 samples refused; the first: samples are out of order, or came twice with different values", "1",
		},
		"far ahead": {
			writeV2, snappy.Encode(nil, encodeV2(t, good, seriesV1(ms(11*time.Minute), 1, "__name__", "up", "job", "web"))), nil, 400,
			"1 of 2 samples refused; the first: samples are more than 10m ahead of the clock here", "1",
		},
		"no metric name": {
			writeV2, snappy.Encode(nil, encodeV2(t, good, seriesV1(ms(0), 1, "job", "web"))), nil, 400,
			`1 of 2 samples refused; the first: a series has no metric name: {job="web"}`, "1",
		},
		"a label twice": {
			writeV1, snappy.Encode(nil, encodeV1(t, seriesV1(ms(0), 1, "__name__", "up", "job", "a", "job", "b"))), nil, 400,
			`1 of 1 samples refused; the first: label "job" stands twice in a series`, "",
		},
		"a long value": {
			writeV1, snappy.Encode(nil, encodeV1(t, seriesV1(ms(0), 1, "__name__", "up", "job", strings.Repeat("a1b2", 1025)))), nil, 400,
			`1 of 1 samples refused; the first: the value of label "job" has 4100 bytes, at most 4096 are allowed`, "",
		},
		"not UTF-8": {
			writeV1, snappy.Encode(nil, encodeV1(t, seriesV1(ms(0), 1, "__name__", "up", "job", "\xff"))), nil, 400,
			`1 of 1 samples refused; the first: label "job" is not UTF-8`, "",
		},
		"a symbol that is not there": {writeV2, snappy.Encode(nil, []byte("\x22\x00\x2a\x04\x0a\x02\x00\x07")), nil, 400, "a series refers to a symbol that is not there", ""},
		"a name without a value":     {writeV2, snappy.Encode(nil, []byte("\x22\x00\x2a\x03\x0a\x01\x00")), nil, 400, "a series has a label name without a value", ""},
		"symbols without the empty one": {
			writeV2, snappy.Encode(nil, []byte("\x22\x01a\x2a\x04\x0a\x02\x00\x00")), nil, 400, "the symbols must begin with the empty string", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter(t)
			rec := w.post(tc.contentType, tc.body, tc.header...)
			require.Equal(t, tc.code, rec.Code, rec.Body)
			require.Equal(t, tc.want, strings.TrimSpace(rec.Body.String()))
			require.Equal(t, tc.written, written(rec)[0], "what was taken of a partial message is said")
		})
	}
}

func TestRemoteWriteIsOffUntilItIsEnabled(t *testing.T) {
	r, err := receiver.New(receiver.Options{Config: receiver.DefaultConfig(), Log: receiver.NoLog{}})
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	r.Handlers()[receiver.WritePath].ServeHTTP(rec, httptest.NewRequest(http.MethodPost, receiver.WritePath, nil))
	require.Equal(t, http.StatusNotFound, rec.Code)
	require.Contains(t, rec.Body.String(), "--web.enable-remote-write-receiver")
}

func TestASeriesIsAskedAboutOnceUntilOthersAreWanted(t *testing.T) {
	w := newWriter(t)
	at := func(d time.Duration) []prompb.TimeSeries {
		return []prompb.TimeSeries{seriesV1(ms(d), 1, "__name__", "up", "job", "api"), seriesV1(ms(d), 1, "__name__", "up", "job", "unwatched")}
	}
	require.Equal(t, http.StatusNoContent, w.send(writeV1, encodeV1(t, at(0)...)).Code)
	require.Equal(t, http.StatusNoContent, w.send(writeV2, encodeV2(t, at(time.Second)...)).Code)
	require.Equal(t, 2, w.sink.added, "2.0 finds what 1.0 made known")
	w.sink.generation++
	require.Equal(t, http.StatusNoContent, w.send(writeV2, encodeV2(t, at(2*time.Second)...)).Code)
	require.Equal(t, 4, w.sink.added)
	require.Len(t, w.sink.got[`{__name__="up", job="api"}`], 3)
}

func TestSeriesAboveTheLimitAreRefusedAndOldOnesGoOn(t *testing.T) {
	w := newWriter(t, func(c *receiver.Config) { c.RemoteWrite.MaxSeries = 1 })
	old, more := seriesV1(ms(0), 1, "__name__", "up", "job", "api"), seriesV1(ms(0), 1, "__name__", "up", "job", "web")
	rec := w.send(writeV2, encodeV2(t, old, more))
	require.Equal(t, http.StatusBadRequest, rec.Code)
	require.Contains(t, rec.Body.String(), "there are more series than receiver.remote_write.max_series")
	old.Samples[0].Timestamp = ms(time.Second)
	require.Equal(t, http.StatusNoContent, w.send(writeV2, encodeV2(t, old)).Code)
	require.Len(t, w.sink.got[`{__name__="up", job="api"}`], 2)
	// A series that sends nothing for two hours makes room.
	w.now = w.now.Add(3 * time.Hour)
	more.Samples[0].Timestamp = ms(3 * time.Hour)
	require.Equal(t, http.StatusNoContent, w.send(writeV2, encodeV2(t, more)).Code)
	require.Len(t, w.sink.series, 1)
}

// FuzzWriteV1 and FuzzWriteV2 compare the decoder with that of Prometheus' own types: what theirs reads, ours reads
// the same, and nothing makes ours panic.
func FuzzWriteV1(f *testing.F) {
	f.Add(encodeV1(f, seriesV1(ms(0), 1, "__name__", "up", "job", "api"), seriesV1(ms(1), math.NaN(), "__name__", "x")))
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var req prompb.WriteRequest
		err := req.Unmarshal(body)
		var want []prompb.TimeSeries
		for _, s := range req.Timeseries {
			want = append(want, prompb.TimeSeries{Labels: s.Labels, Samples: s.Samples})
		}
		compare(t, writeV1, body, want, err)
	})
}

func FuzzWriteV2(f *testing.F) {
	f.Add(encodeV2(f, seriesV1(ms(0), 1, "__name__", "up", "job", "api"), seriesV1(ms(1), math.NaN(), "__name__", "x")))
	f.Add([]byte("\x22\x00\x2a\x04\x0a\x02\x00\x07"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var req writev2.Request
		err := req.Unmarshal(body)
		var want []prompb.TimeSeries
		for _, s := range req.Timeseries {
			ts := prompb.TimeSeries{}
			if len(s.LabelsRefs)%2 != 0 || slices.ContainsFunc(s.LabelsRefs, func(r uint32) bool { return int(r) >= len(req.Symbols) }) {
				return // refused; theirs would panic
			}
			for i := 0; i < len(s.LabelsRefs); i += 2 {
				ts.Labels = append(ts.Labels, prompb.Label{Name: req.Symbols[s.LabelsRefs[i]], Value: req.Symbols[s.LabelsRefs[i+1]]})
			}
			for _, x := range s.Samples {
				ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: x.Timestamp, Value: x.Value})
			}
			want = append(want, ts)
		}
		compare(t, writeV2, body, want, err)
	})
}

// compare sends a message and checks that every series that came through is as Prometheus' decoder reads it.
func compare(t *testing.T, contentType string, body []byte, want []prompb.TimeSeries, err error) {
	w := newWriter(t, func(c *receiver.Config) { c.RemoteWrite.MaxLabels = 1 << 20 })
	rec := w.send(contentType, body)
	require.Contains(t, []int{http.StatusNoContent, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, rec.Code)
	if panics(t, w.reg) != 0 {
		t.Fatal("a decoder panicked")
	}
	if err != nil || rec.Code != http.StatusNoContent {
		return // theirs checks fields that ours passes over, and ours what theirs does not
	}
	expected := newSink()
	ids := map[string]uint32{}
	for _, s := range want {
		if len(s.Samples) == 0 {
			continue
		}
		b := labels.NewScratchBuilder(len(s.Labels))
		for _, l := range s.Labels {
			if l.Value != "" {
				b.Add(l.Name, l.Value)
			}
		}
		b.Sort()
		key := b.Labels().String()
		if _, ok := ids[key]; !ok {
			ids[key] = uint32(len(ids))
			expected.Add(ids[key], b.Labels())
		}
		if b.Labels().Get("job") == "unwatched" {
			continue
		}
		for _, x := range s.Samples {
			expected.Append(ids[key], []int64{x.Timestamp}, []float64{x.Value})
		}
	}
	require.Equal(t, expected.got, w.sink.got)
}

// panics counts the messages that made a stage panic.
func panics(t *testing.T, reg *prometheus.Registry) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "tidemark_receiver_panics_total" {
			for _, m := range f.Metric {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}
