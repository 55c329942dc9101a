package promread_test

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/internal/promread"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sample is one sample of a test series.
type sample struct {
	t int64
	v float64
}

type testSeries struct {
	lset    labels.Labels
	samples []sample
}

// server speaks remote read as Prometheus does, with real encodings, over series in memory.
type server struct {
	series []testSeries
	// samplesOnly answers SAMPLES, as a server without streaming does.
	samplesOnly bool
	// unsaid leaves out that they are compressed, as Cortex does.
	unsaid bool
	// chunksPerFrame makes series span frames.
	chunksPerFrame int
	// enc is the encoding of chunks.
	enc chunkenc.Encoding

	mu      sync.Mutex
	queries []*prompb.Query
	headers []http.Header
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	packed, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raw, err := snappy.Decode(nil, packed)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var req prompb.ReadRequest
	if err := req.Unmarshal(raw); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q := req.Queries[0]
	s.mu.Lock()
	s.queries = append(s.queries, q)
	s.headers = append(s.headers, r.Header)
	s.mu.Unlock()

	if s.samplesOnly || !slices.Contains(req.AcceptedResponseTypes, prompb.ReadRequest_STREAMED_XOR_CHUNKS) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		if !s.unsaid {
			w.Header().Set("Content-Encoding", "snappy")
		}
		_, _ = w.Write(samplesBody(s.match(q), q.StartTimestampMs, q.EndTimestampMs))
		return
	}
	w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
	for _, ts := range s.match(q) {
		for _, m := range chunkedMessages(ts, q.StartTimestampMs, q.EndTimestampMs, max(1, s.chunksPerFrame), s.enc) {
			_, _ = w.Write(frame(m))
		}
	}
}

func (s *server) match(q *prompb.Query) []testSeries {
	var out []testSeries
next:
	for _, ts := range s.series {
		for _, m := range q.Matchers {
			mt := map[prompb.LabelMatcher_Type]labels.MatchType{
				prompb.LabelMatcher_EQ: labels.MatchEqual, prompb.LabelMatcher_NEQ: labels.MatchNotEqual,
				prompb.LabelMatcher_RE: labels.MatchRegexp, prompb.LabelMatcher_NRE: labels.MatchNotRegexp,
			}[m.Type]
			if !labels.MustNewMatcher(mt, m.Name, m.Value).Matches(ts.lset.Get(m.Name)) {
				continue next
			}
		}
		out = append(out, ts)
	}
	slices.SortFunc(out, func(a, b testSeries) int { return labels.Compare(a.lset, b.lset) })
	return out
}

// chunkedMessages encodes the chunks of a series that touch the range, whole, as Prometheus does.
func chunkedMessages(ts testSeries, from, to int64, perFrame int, enc chunkenc.Encoding) []*prompb.ChunkedReadResponse {
	if enc == chunkenc.EncNone {
		enc = chunkenc.EncXOR
	}
	var chunks []prompb.Chunk
	for part := range slices.Chunk(ts.samples, 120) {
		if part[len(part)-1].t < from || part[0].t > to {
			continue
		}
		ck, err := chunkenc.NewEmptyChunk(enc)
		if err != nil {
			panic(err)
		}
		app, err := ck.Appender()
		if err != nil {
			panic(err)
		}
		for _, s := range part {
			app.Append(0, s.t, s.v)
		}
		typ := prompb.Chunk_XOR
		if enc == chunkenc.EncXOR2 {
			typ = prompb.Chunk_XOR2
		}
		chunks = append(chunks, prompb.Chunk{MinTimeMs: part[0].t, MaxTimeMs: part[len(part)-1].t, Type: typ, Data: ck.Bytes()})
	}
	var out []*prompb.ChunkedReadResponse
	for part := range slices.Chunk(chunks, perFrame) {
		out = append(out, &prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{{
			Labels: prompb.FromLabels(ts.lset, nil), Chunks: part,
		}}})
	}
	return out
}

type marshaler interface{ Marshal() ([]byte, error) }

func frame(m marshaler) []byte {
	b, err := m.Marshal()
	if err != nil {
		panic(err)
	}
	return rawFrame(b)
}

func rawFrame(b []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(len(b)))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return append(out, b...)
}

func samplesBody(series []testSeries, from, to int64) []byte {
	res := &prompb.QueryResult{}
	for _, ts := range series {
		p := &prompb.TimeSeries{Labels: prompb.FromLabels(ts.lset, nil)}
		for _, s := range ts.samples {
			if s.t >= from && s.t <= to {
				p.Samples = append(p.Samples, prompb.Sample{Timestamp: s.t, Value: s.v})
			}
		}
		res.Timeseries = append(res.Timeseries, p)
	}
	b, err := (&prompb.ReadResponse{Results: []*prompb.QueryResult{res}}).Marshal()
	if err != nil {
		panic(err)
	}
	return snappy.Encode(nil, b)
}

// client makes a client of a test server, with pauses short enough for a test.
func client(t testing.TB, h http.Handler, change ...func(*promread.Config)) (*promread.Client, *prometheus.Registry) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return clientAt(t, srv.URL, change...)
}

func clientAt(t testing.TB, address string, change ...func(*promread.Config)) (*promread.Client, *prometheus.Registry) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	cfg := promread.DefaultConfig()
	cfg.URL = &commoncfg.URL{URL: u}
	cfg.Retry.MinBackoff = model.Duration(time.Millisecond)
	cfg.Retry.MaxBackoff = model.Duration(2 * time.Millisecond)
	for _, c := range change {
		c(&cfg)
	}
	reg := prometheus.NewRegistry()
	c, err := promread.New(cfg, slog.New(slog.DiscardHandler), reg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, reg
}

// regular is a series with a sample every step milliseconds.
func regular(lset labels.Labels, start, step int64, values ...float64) testSeries {
	ts := testSeries{lset: lset}
	for i, v := range values {
		ts.samples = append(ts.samples, sample{t: start + int64(i)*step, v: v})
	}
	return ts
}

func ramp(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i)
	}
	return v
}
