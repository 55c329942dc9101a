package promread

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// A handler takes the parts of an answer: series starts a series, chunk and floats bring its
// samples in order of time, end completes the series before (and may come twice). What chunk and
// floats are given is valid until they return.
type handler interface {
	series(lset seriesLabels) error
	chunk(c chunk) error
	floats(t []int64, v []float64) error
	end() error
	discard() // Forgets the series that is not complete.
}

// seriesLabels are the labels of a series, or why they are refused.
type seriesLabels struct {
	lset labels.Labels
	err  error
}

// onceHandler lets every series through once: when an answer breaks off and is asked for again,
// the series that were complete are passed over. It holds eight bytes a series of one slice.
type onceHandler struct {
	inner   handler
	done    []uint64
	seen    map[uint64]struct{}
	current uint64
	open    bool // A series is under way that inner gets.
}

func (h *onceHandler) restart() {
	if h.open {
		h.inner.discard()
	}
	h.open = false
	if len(h.done) == len(h.seen) {
		return
	}
	h.seen = make(map[uint64]struct{}, len(h.done))
	for _, hash := range h.done {
		h.seen[hash] = struct{}{}
	}
}

func (h *onceHandler) series(s seriesLabels) error {
	if err := h.end(); err != nil {
		return err
	}
	h.current = s.lset.Hash()
	if _, ok := h.seen[h.current]; ok && s.err == nil {
		return nil
	}
	h.open = true
	return h.inner.series(s)
}

func (h *onceHandler) chunk(c chunk) error {
	if !h.open {
		return nil
	}
	return h.inner.chunk(c)
}

func (h *onceHandler) floats(t []int64, v []float64) error {
	if !h.open {
		return nil
	}
	return h.inner.floats(t, v)
}

func (h *onceHandler) end() error {
	if !h.open {
		return nil
	}
	h.open = false
	h.done = append(h.done, h.current)
	return h.inner.end()
}

func (h *onceHandler) discard() { h.inner.discard() }

// floatHandler collects the float samples of a series within [from, to] and hands them over when
// the series is complete. Its memory is reused from series to series.
type floatHandler struct {
	m        *metrics
	from, to int64
	fn       func(Series) error
	dec      floatDecoder
	cur      Series
	open     bool
}

func (h *floatHandler) series(s seriesLabels) error {
	if s.err != nil {
		h.m.refused.WithLabelValues("labels").Inc()
		return nil
	}
	h.cur = Series{Labels: s.lset, T: h.cur.T[:0], V: h.cur.V[:0]}
	h.open = true
	return nil
}

func (h *floatHandler) chunk(c chunk) error {
	if !h.open {
		return nil
	}
	var skipped int
	var err error
	h.cur.T, h.cur.V, skipped, err = h.dec.decode(c, h.from, h.to, h.cur.T, h.cur.V)
	if skipped > 0 {
		h.m.histograms.Add(float64(skipped))
	}
	return err
}

func (h *floatHandler) floats(t []int64, v []float64) error {
	if !h.open {
		return nil
	}
	for i := range t {
		if t[i] >= h.from && t[i] <= h.to {
			h.cur.T, h.cur.V = append(h.cur.T, t[i]), append(h.cur.V, v[i])
		}
	}
	return nil
}

func (h *floatHandler) discard() { h.open = false }

func (h *floatHandler) end() error {
	if !h.open {
		return nil
	}
	h.open = false
	if len(h.cur.T) == 0 {
		return nil
	}
	h.cur.T, h.cur.V = ordered(h.cur.T, h.cur.V)
	h.m.samples.Add(float64(len(h.cur.T)))
	if err := h.fn(h.cur); err != nil {
		return callerError{err}
	}
	return nil
}

// ordered returns the samples in order of time, one for each time. Prometheus sends them so;
// other servers may send chunks that overlap, where the later chunk wins.
func ordered(t []int64, v []float64) ([]int64, []float64) {
	sorted := true
	for i := 1; i < len(t) && sorted; i++ {
		sorted = t[i-1] < t[i]
	}
	if sorted {
		return t, v
	}
	order := make([]int, len(t))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case t[a] < t[b]:
			return -1
		case t[a] > t[b]:
			return 1
		}
		return 0
	})
	st, sv := make([]int64, 0, len(t)), make([]float64, 0, len(v))
	for _, i := range order {
		if n := len(st); n > 0 && st[n-1] == t[i] {
			sv[n-1] = v[i]
			continue
		}
		st, sv = append(st, t[i]), append(sv, v[i])
	}
	return st, sv
}
