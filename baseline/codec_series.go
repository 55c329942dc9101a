package baseline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// fixed is the part of a series of fixed size.
func (s *Series) fixed() []any {
	return []any{&s.core, &s.cells, &s.usual, &s.gap, &s.pool.PoolState, &s.rate, &s.scale, &s.peak, &s.lpeak}
}

func (s *Series) encode(b []byte) ([]byte, error) {
	s.lock()
	defer s.unlock()
	if s.open() != nil {
		w := s.name.engine.work.Get().(*work)
		s.close(w)
		s.name.engine.work.Put(w)
	}
	b = appendText(b, s.Watch())
	ls := s.labelSet()
	b = endian.AppendUint16(b, uint16(ls.Len()))
	ls.Range(func(l labels.Label) { b = appendText(appendText(b, l.Name), l.Value) })
	var err error
	for _, part := range s.fixed() {
		if b, err = binary.Append(b, endian, part); err != nil {
			return nil, err
		}
	}
	if b, err = s.appendShown(b); err != nil {
		return nil, err
	}
	if s.blank() {
		return b, nil
	}
	if s.live != nil {
		for _, part := range s.live.parts() {
			if b, err = binary.Append(b, endian, part); err != nil {
				return nil, err
			}
		}
	}
	k := s.page()
	if b, err = binary.Append(b, endian, k.ledger); err != nil {
		return nil, err
	}
	return s.model.Append(b)
}

func appendText(b []byte, s string) []byte {
	return append(endian.AppendUint32(b, uint32(len(s))), s...)
}

func text(b []byte) (string, []byte, bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	n := endian.Uint32(b)
	if n > maxText || int(n) > len(b)-4 {
		return "", nil, false
	}
	return string(b[4 : 4+n]), b[4+n:], true
}

var errLayout = errors.New("another layout")

// restore makes a series of what encode wrote.
func (e *Engine) restore(b []byte) error {
	watch, b, ok := text(b)
	if !ok || len(b) < 2 {
		return errLayout
	}
	n := int(endian.Uint16(b))
	b = b[2:]
	if n > maxLabels {
		return fmt.Errorf("%d labels", n)
	}
	sb := labels.NewScratchBuilder(n)
	for range n {
		var name, value string
		if name, b, ok = text(b); !ok {
			return errLayout
		}
		if value, b, ok = text(b); !ok {
			return errLayout
		}
		sb.Add(name, value)
	}
	sb.Sort()
	s := newSeries(e, watch, sb.Labels(), 0, SeriesOptions{})
	for _, part := range s.fixed() {
		k, err := binary.Decode(b, endian, part)
		if err != nil {
			return errLayout
		}
		b = b[k:]
	}
	if err := s.check(); err != nil {
		return err
	}
	var err error
	if b, err = s.decodeShown(b); err != nil {
		return err
	}
	if step := s.core.step(); step > 0 {
		scale, peak, lpeak := s.scale, s.peak, s.lpeak
		s.setStep(step)
		s.scale, s.peak, s.lpeak = scale, peak, lpeak
		if s.live != nil {
			for _, part := range s.live.parts() {
				if b, err = take(b, part); err != nil {
					return err
				}
			}
			if err := s.live.check(); err != nil {
				return err
			}
		}
		n, err := binary.Decode(b, endian, s.cold.ledger)
		if err != nil {
			return errLayout
		}
		if err := s.cold.check(); err != nil {
			return err
		}
		if b, err = s.model.Decode(b[n:]); err != nil {
			return err
		}
	}
	if len(b) != 0 {
		return errLayout
	}
	e.mu.Lock()
	kept := e.insert(s)
	e.mu.Unlock()
	if !kept {
		e.symbols.release(s.packed())
		return nil
	}
	s.putAway()
	return nil
}

// check refuses a state that no run can have reached.
func (s *Series) check() error {
	c := &s.core
	if c.step() < 0 || c.step() > (400*24*time.Hour).Milliseconds() || (c.step() > 0 && c.step() < 1000) {
		return fmt.Errorf("a step of %d ms", c.step())
	}
	for _, x := range []float64{c.LastValue, c.N, float64(c.AbsMean), c.MinStep, c.Short, c.LocalAbs, float64(c.LocalVol), c.Slow, c.SlowAbs, float64(s.pool.Mean), float64(s.pool.Var), float64(c.Debt)} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return errors.New("a number that is none")
		}
	}
	if !s.cells.Valid() {
		return errors.New("a calibration without scale")
	}
	for _, x := range []float32{s.scale.Mean, s.scale.Vol, s.peak.Days, s.lpeak.Days} {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return errors.New("a spread that is none")
		}
	}
	if !(c.Debt >= 1) {
		return errors.New("a debt under one")
	}
	if c.Hour < 0 {
		return errors.New("an hour before 1970")
	}
	return nil
}

func (l *live) parts() []any { return []any{&l.frame, &l.beat} }

// check refuses what could lead astray.
func (l *live) check() error {
	if !(l.N >= 0 && l.N < tuning.MostBeat) || l.Row < noRow || int(l.Row) >= detect.Count || l.State > Ready {
		return errors.New("a beat that is none")
	}
	if l.Next == 0 && l.N == 0 { // Everything is looked up before the next sample.
		return nil
	}
	for _, x := range []float32{l.Scale, l.Local, l.Global, l.Bulk, l.Floor, l.PerScale, l.PerLocal, l.PerBulk} {
		if !(x > 0) || math.IsInf(float64(x), 0) {
			return errors.New("a spread that is none")
		}
	}
	if !(l.HeldRaw >= 0) || math.IsInf(float64(l.HeldRaw), 0) {
		return errors.New("a score that is none")
	}
	return nil
}

func (c *cold) check() error {
	if c.Trend.Filled < 0 || c.Trend.Filled > trendPoints || c.Trend.Teeth < 0 {
		return errors.New("a counter under zero")
	}
	return nil
}
