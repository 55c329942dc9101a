package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

const (
	begin  = int64(1_767_225_600_000) // 2026-01-01, a Thursday
	minute = int64(60_000)
	days   = 28
)

// shape is how a series looks to the encoder.
type shape struct {
	name   string
	jitter int64 // milliseconds to either side of the step
	value  func(r *rand.Rand, i int, before float64) float64
}

// daily is a day's rhythm with noise.
func daily(r *rand.Rand, i int) float64 {
	return 100 + 40*math.Sin(2*math.Pi*float64(i%1440)/1440) + 5*r.NormFloat64()
}

// shapes are five kinds of data, each at exact steps and with scrape times that jitter by 3 ms.
func shapes() []shape {
	kinds := []shape{
		{name: "float", value: func(r *rand.Rand, i int, _ float64) float64 { return daily(r, i) }},
		{name: "3 decimals", value: func(r *rand.Rand, i int, _ float64) float64 { return math.Round(1000*daily(r, i)) / 1000 }},
		{name: "integer gauge", value: func(r *rand.Rand, i int, _ float64) float64 { return math.Round(daily(r, i)) }},
		{name: "counter", value: func(r *rand.Rand, i int, before float64) float64 { return before + math.Round(daily(r, i)) }},
		{name: "sparse", value: func(r *rand.Rand, _ int, before float64) float64 {
			if r.IntN(20) == 0 {
				return float64(r.IntN(5))
			}
			return before
		}},
	}
	out := kinds
	for _, k := range kinds {
		k.name, k.jitter = k.name+", jittered", 3
		out = append(out, k)
	}
	return out
}

// samples are n samples of the shape, a minute apart.
func (s *shape) samples(n int, seed uint64) (t []int64, v []float64) {
	r := rand.New(rand.NewPCG(seed, 7))
	before := 0.0
	for i := range n {
		at := begin + int64(i)*minute
		if s.jitter > 0 {
			at += r.Int64N(2*s.jitter+1) - s.jitter
		}
		before = s.value(r, i, before)
		t, v = append(t, at), append(v, before)
	}
	return t, v
}

// chunksOf encodes samples as Prometheus does, 120 a chunk.
func chunksOf(t []int64, v []float64) ([][]byte, error) {
	var out [][]byte
	for from := 0; from < len(t); from += 120 {
		ck := chunkenc.NewXORChunk()
		app, err := ck.Appender()
		if err != nil {
			return nil, fmt.Errorf("open chunk: %w", err)
		}
		for i := from; i < min(from+120, len(t)); i++ {
			app.Append(0, t[i], v[i])
		}
		out = append(out, ck.Bytes())
	}
	return out, nil
}

// answer is the streamed answer that Prometheus gives for one series: frames of half a mebibyte at most.
func answer(ls labels.Labels, chunks [][]byte) ([]byte, error) {
	var body []byte
	for len(chunks) > 0 {
		s := &prompb.ChunkedSeries{Labels: prompb.FromLabels(ls, nil)}
		for size := 0; len(chunks) > 0 && size < 1<<19; chunks = chunks[1:] {
			s.Chunks = append(s.Chunks, prompb.Chunk{Type: prompb.Chunk_XOR, Data: chunks[0]})
			size += len(chunks[0])
		}
		b, err := (&prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{s}}).Marshal()
		if err != nil {
			return nil, fmt.Errorf("encode answer: %w", err)
		}
		body = binary.AppendUvarint(body, uint64(len(b)))
		body = binary.BigEndian.AppendUint32(body, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
		body = append(body, b...)
	}
	return body, nil
}

// iterate reads chunks by Prometheus' own iterator: the partner D.
func iterate(chunks [][]byte, it chunkenc.Iterator) (chunkenc.Iterator, error) {
	sum := 0.0
	for _, data := range chunks {
		ck, err := chunkenc.FromData(chunkenc.EncXOR, data)
		if err != nil {
			return nil, fmt.Errorf("open chunk: %w", err)
		}
		it = ck.Iterator(it)
		for it.Next() == chunkenc.ValFloat {
			_, x := it.At()
			sum += x
		}
		if err := it.Err(); err != nil {
			return nil, fmt.Errorf("decode chunk: %w", err)
		}
	}
	if math.IsNaN(sum) {
		return nil, fmt.Errorf("the sum of the samples is no number")
	}
	return it, nil
}
