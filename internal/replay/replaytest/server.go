// Package replaytest is a Prometheus for tests: remote read as streamed chunks, the rules API and instant
// queries over samples in memory.
package replaytest

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Series is one series in memory.
type Series struct {
	Labels labels.Labels
	T      []int64 // Unix milliseconds.
	V      []float64
}

// Server is a Prometheus with these series. Rules is the array of groups of the rules API, Vectors the
// result of instant queries by their expression; other queries find nothing.
type Server struct {
	Series  []Series
	Rules   string
	Vectors map[string]string
}

// Firing adds an alert that fired between two times, with a sample every 15 s and a stale marker at its end, as
// Prometheus writes it. The name and the labels are pairs.
func (s *Server) Firing(from, to time.Time, pairs ...string) {
	ls := labels.FromStrings(append([]string{"__name__", "ALERTS", "alertstate", "firing"}, pairs...)...)
	i := slices.IndexFunc(s.Series, func(x Series) bool { return labels.Equal(x.Labels, ls) })
	if i < 0 {
		i = len(s.Series)
		s.Series = append(s.Series, Series{Labels: ls})
	}
	x := &s.Series[i]
	for t := from; t.Before(to); t = t.Add(15 * time.Second) {
		x.T, x.V = append(x.T, t.UnixMilli()), append(x.V, 1)
	}
	x.T, x.V = append(x.T, to.UnixMilli()), append(x.V, math.Float64frombits(value.StaleNaN))
}

// ServeHTTP answers remote read, /api/v1/rules and /api/v1/query.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api/v1/read":
		s.read(w, r)
	case "/api/v1/rules":
		reply(w, `{"groups":[`+s.Rules+`]}`)
	case "/api/v1/query":
		reply(w, `{"resultType":"vector","result":[`+s.vector(r.FormValue("query"))+`]}`)
	case "/api/v1/query_range":
		reply(w, `{"resultType":"matrix","result":[]}`)
	case "/api/v1/label/__name__/values":
		var names []string
		for _, x := range s.Series {
			names = append(names, `"`+x.Labels.Get("__name__")+`"`)
		}
		slices.Sort(names)
		reply(w, `[`+strings.Join(slices.Compact(names), ",")+`]`)
	default:
		http.NotFound(w, r)
	}
}

// marked is a query whose result gets a label of a constant value.
var marked = regexp.MustCompile(`^label_replace\((.*), ("\w+"), ("\d+"), "", ""\)$`)

// vector is what a query finds; of a union of queries that mark their results, what each finds.
func (s *Server) vector(query string) string {
	if known, ok := s.Vectors[query]; ok {
		return known
	}
	const next = " or label_replace("
	var all []string
	for i, part := range strings.Split(query, next) {
		if i > 0 {
			part = strings.TrimPrefix(next, " or ") + part
		}
		m := marked.FindStringSubmatch(part)
		if m == nil || s.Vectors[m[1]] == "" {
			continue
		}
		all = append(all, strings.ReplaceAll(s.Vectors[m[1]], `"metric":{`, `"metric":{`+m[2]+`:`+m[3]+`,`))
	}
	return strings.Join(all, ",")
}

func reply(w io.Writer, data string) {
	_, _ = io.WriteString(w, `{"status":"success","data":`+data+`}`)
}

func (s *Server) read(w http.ResponseWriter, r *http.Request) {
	packed, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var req prompb.ReadRequest
	raw, err := snappy.Decode(nil, packed)
	if err == nil {
		err = req.Unmarshal(raw)
	}
	if err != nil || len(req.Queries) != 1 {
		http.Error(w, "not a read request of one query", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
	q := req.Queries[0]
	for _, x := range s.match(q) {
		if m := message(x, q.StartTimestampMs, q.EndTimestampMs); m != nil {
			_, _ = w.Write(frame(m))
		}
	}
}

func (s *Server) match(q *prompb.Query) []Series {
	types := map[prompb.LabelMatcher_Type]labels.MatchType{
		prompb.LabelMatcher_EQ: labels.MatchEqual, prompb.LabelMatcher_NEQ: labels.MatchNotEqual,
		prompb.LabelMatcher_RE: labels.MatchRegexp, prompb.LabelMatcher_NRE: labels.MatchNotRegexp,
	}
	out := slices.DeleteFunc(slices.Clone(s.Series), func(x Series) bool {
		return slices.ContainsFunc(q.Matchers, func(m *prompb.LabelMatcher) bool {
			return !labels.MustNewMatcher(types[m.Type], m.Name, m.Value).Matches(x.Labels.Get(m.Name))
		})
	})
	slices.SortFunc(out, func(a, b Series) int { return labels.Compare(a.Labels, b.Labels) })
	return out
}

// message holds the chunks of a series that touch the range, whole; nil: none does.
func message(x Series, from, to int64) *prompb.ChunkedReadResponse {
	var chunks []prompb.Chunk
	for i := 0; i < len(x.T); i += 120 {
		j := min(i+120, len(x.T))
		if x.T[j-1] < from || x.T[i] > to {
			continue
		}
		ck := chunkenc.NewXORChunk()
		app, err := ck.Appender()
		if err != nil {
			panic(err) // Of an empty chunk in memory.
		}
		for n := i; n < j; n++ {
			app.Append(0, x.T[n], x.V[n])
		}
		chunks = append(chunks, prompb.Chunk{MinTimeMs: x.T[i], MaxTimeMs: x.T[j-1], Type: prompb.Chunk_XOR, Data: ck.Bytes()})
	}
	if len(chunks) == 0 {
		return nil
	}
	return &prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{{Labels: prompb.FromLabels(x.Labels, nil), Chunks: chunks}}}
}

// frame is length, checksum and message, as Prometheus streams them.
func frame(m *prompb.ChunkedReadResponse) []byte {
	b, err := m.Marshal()
	if err != nil {
		panic(err) // Of a message in memory.
	}
	out := binary.AppendUvarint(nil, uint64(len(b)))
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return append(out, b...)
}
