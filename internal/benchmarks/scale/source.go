package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/tidemark/tidemark/internal/benchmarks/fleet"
)

const (
	step     = 5 * time.Minute
	inChunk  = 120
	patterns = 256
	history  = 28 * 24 * time.Hour
	ahead    = 3 * time.Hour // the fleet goes on for so long
)

// source is a stand-in for Prometheus: it answers remote reads with streamed XOR chunks of a made-up fleet, as
// Prometheus encodes and frames them, and nothing else. Series share the values of a few hundred
// patterns, a daily and weekly rhythm with noise in whole numbers; their labels are their own.
type source struct {
	series int
	chunks [patterns][]chunk
}

type chunk struct {
	from, to int64
	data     []byte
}

func newSource(series int, now time.Time) (*source, error) {
	s := &source{series: series}
	begin := now.Add(-history - step).Truncate(step)
	for k := range s.chunks {
		r := rand.New(rand.NewPCG(uint64(k), 3))
		phase, size := r.Float64(), 20+80*r.Float64()
		for t := begin; t.Before(now.Add(ahead)); {
			ck := chunkenc.NewXORChunk()
			app, err := ck.Appender()
			if err != nil {
				return nil, err
			}
			c := chunk{from: t.UnixMilli()}
			for range inChunk {
				x := 200 + size*math.Sin(2*math.Pi*(float64(t.Unix()%86400)/86400+phase)) + size/10*r.NormFloat64()
				if t.Weekday() == time.Sunday {
					x -= size / 2
				}
				app.Append(0, t.UnixMilli(), math.Round(x))
				c.to = t.UnixMilli()
				t = t.Add(step)
			}
			c.data = ck.Bytes()
			s.chunks[k] = append(s.chunks[k], c)
		}
	}
	return s, nil
}

// ServeHTTP answers remote reads, and whatever else is asked with an empty result.
func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/api/v1/read") {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/rules"):
			_, _ = io.WriteString(w, `{"status":"success","data":{"groups":[]}}`)
		case strings.Contains(r.URL.Path, "/label"):
			_, _ = io.WriteString(w, `{"status":"success","data":[]}`)
		default:
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		}
		return
	}
	if err := s.read(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (s *source) read(w http.ResponseWriter, r *http.Request) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if raw, err = snappy.Decode(nil, raw); err != nil {
		return fmt.Errorf("decode the request: %w", err)
	}
	var req prompb.ReadRequest
	if err := req.Unmarshal(raw); err != nil {
		return fmt.Errorf("decode the request: %w", err)
	}
	q := req.Queries[0]
	metric := -1
	for _, m := range q.Matchers {
		for k := range fleet.Metrics {
			if m.Name == model.MetricNameLabel && m.Value == fleet.Metric(k) {
				metric = k
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
	if metric < 0 {
		return nil
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	var frame []byte
	for i := metric; i < s.series; i += fleet.Metrics {
		cs := prompb.ChunkedSeries{Labels: prompb.FromLabels(fleet.Labels(i), nil)}
		for _, c := range s.chunks[i%patterns] {
			if c.to >= q.StartTimestampMs && c.from <= q.EndTimestampMs {
				cs.Chunks = append(cs.Chunks, prompb.Chunk{Type: prompb.Chunk_XOR, MinTimeMs: c.from, MaxTimeMs: c.to, Data: c.data})
			}
		}
		if len(cs.Chunks) == 0 {
			continue
		}
		b, err := (&prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{&cs}}).Marshal()
		if err != nil {
			return err
		}
		frame = binary.AppendUvarint(frame[:0], uint64(len(b)))
		frame = binary.BigEndian.AppendUint32(frame, crc32.Checksum(b, table))
		frame = append(frame, b...)
		if _, err := w.Write(frame); err != nil {
			return nil // The reader has left.
		}
	}
	return nil
}
