package receiver

import (
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// SampleSink takes the samples of remote write. It knows a series by a small number, which it is told once
// with the series' labels, so that nothing is looked up by labels again. Its methods are called by one goroutine
// at a time and must not keep the slices.
type SampleSink interface {
	// Begin opens a message; the other methods are called between it and End. The generation
	// changes when other series are wanted than before: all numbers are void then, and Add is called
	// again for each series that comes.
	Begin() (generation uint64)
	End()
	// Add says that id is this series until Forget; false when its samples are not wanted.
	Add(id uint32, ls labels.Labels) bool
	// Append takes the next samples of a series, with times in unix milliseconds, and says how many were
	// refused because they are not newer than the last one.
	Append(id uint32, t []int64, v []float64) (refused int)
	// Forget ends a number; it may come again for another series.
	Forget(id uint32)
}

// forgetWritten is how long a series may send nothing before its number is given to another one.
const forgetWritten = 2 * time.Hour

// writeIndex gives every series that comes by remote write a number.
type writeIndex struct {
	mu         sync.Mutex
	generation uint64
	known      map[uint64]written // by the hash of the labels
	seen       []int64            // by number: unix seconds of the last message
	free       []uint32
	swept      int64
}

// written is what is known of a series.
type written struct {
	id    uint32
	size  uint32 // of the labels, to notice two series of one hash
	state writtenState
}

type writtenState uint8

const (
	unwanted writtenState = iota
	wanted
	invalid
)

// outcome counts what became of the samples of a message.
type outcome struct {
	written, outOfOrder, tooNew, invalid, full int
	first                                      error // why samples were refused
}

func (o *outcome) refused() int { return o.outOfOrder + o.tooNew + o.invalid + o.full }

func (o *outcome) because(err error) {
	if o.first == nil {
		o.first = err
	}
}

// apply hands the samples of a message to the sink.
func (x *writeIndex) apply(c *RemoteWriteConfig, b *writeBatch, sink SampleSink, now time.Time) (o outcome) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := sink.Begin()
	defer sink.End()
	if g != x.generation || x.known == nil {
		x.generation, x.known, x.swept = g, make(map[uint64]written, len(x.known)), now.Unix()
		x.seen, x.free = x.seen[:0], x.free[:0]
	}
	x.sweep(sink, now)
	newest := now.Add(maxAhead).UnixMilli()
	for i := range b.series {
		s := &b.series[i]
		n := s.at.to - s.at.from
		w, ok := x.known[s.key]
		if !ok {
			if len(x.known) >= c.MaxSeries {
				o.full += n
				o.because(errWriteFull)
				continue
			}
			w = x.add(c, b, s, sink, &o)
		}
		x.seen[w.id] = now.Unix()
		t, v := b.t[s.at.from:s.at.to], b.v[s.at.from:s.at.to]
		switch {
		case w.state == invalid || w.size != s.size:
			o.invalid += n
			o.because(errWriteInvalid)
		case n > 0 && t[n-1] > newest:
			o.tooNew += n
			o.because(errWriteNew)
		case w.state == unwanted:
			o.written += n
		default:
			late := sink.Append(w.id, t, v)
			if late > 0 {
				o.because(errWriteOrder)
			}
			o.outOfOrder += late
			o.written += n - late
		}
	}
	return o
}

// add gives a new series its number.
func (x *writeIndex) add(c *RemoteWriteConfig, b *writeBatch, s *writeSeries, sink SampleSink, o *outcome) written {
	w := written{size: s.size}
	if n := len(x.free); n > 0 {
		w.id, x.free = x.free[n-1], x.free[:n-1]
	} else {
		w.id = uint32(len(x.seen))
		x.seen = append(x.seen, 0)
	}
	ls, err := b.labelsOf(c, *s)
	switch {
	case err != nil:
		w.state = invalid
		o.because(err)
	case sink.Add(w.id, ls):
		w.state = wanted
	}
	x.known[s.key] = w
	return w
}

// sweep takes the numbers back of series that send nothing more.
func (x *writeIndex) sweep(sink SampleSink, now time.Time) {
	if now.Unix()-x.swept < int64(forgetWritten.Seconds()/2) {
		return
	}
	x.swept = now.Unix()
	for key, w := range x.known {
		if now.Unix()-x.seen[w.id] < int64(forgetWritten.Seconds()) {
			continue
		}
		delete(x.known, key)
		x.free = append(x.free, w.id)
		if w.state == wanted {
			sink.Forget(w.id)
		}
	}
}

// len is how many series are known.
func (x *writeIndex) len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.known)
}
