package season

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrState is returned for bytes that are no state of the model at hand.
var ErrState = errors.New("not a state of this model")

var order = binary.LittleEndian

// Append encodes the model after b. The layout is fixed by the number of slots and days.
func (m *Model) Append(b []byte) ([]byte, error) {
	b = order.AppendUint16(b, uint16(m.slots))
	b = order.AppendUint16(b, uint16(m.days))
	b, err := binary.Append(b, order, &m.State)
	if err != nil {
		return nil, err
	}
	for _, part := range []any{m.base, m.unit, m.number, m.class, m.over, m.under, m.codes, m.today} {
		if b, err = binary.Append(b, order, part); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Decode restores what Append encoded and returns the rest of b.
func (m *Model) Decode(b []byte) ([]byte, error) {
	if len(b) < 4 || int(order.Uint16(b)) != m.slots || int(order.Uint16(b[2:])) != m.days {
		return nil, ErrState
	}
	b = b[4:]
	for _, part := range []any{&m.State, m.base, m.unit, m.number, m.class, m.over, m.under, m.codes, m.today} {
		n, err := binary.Decode(b, order, part)
		if err != nil {
			return nil, ErrState
		}
		b = b[n:]
	}
	if m.Slot < -1 || m.Slot >= int64(m.slots) || int(m.Filled) > m.days || int(m.Head) >= m.days || m.Chosen >= kinds || bad(float64(m.Low)) || bad(float64(m.High)) {
		return nil, ErrState
	}
	for i := range m.Cand {
		if c := &m.Cand[i]; bad(c.Level) || bad(float64(c.Err)) || bad(float64(c.Cur)) || bad(float64(c.Prev)) || bad(float64(c.Next)) {
			return nil, ErrState
		}
	}
	for i := range m.base {
		if bad(float64(m.base[i])) || bad(float64(m.unit[i])) {
			return nil, ErrState
		}
	}
	return b, nil
}

func bad(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }

// Append encodes the scale after b.
func (s *Scale) Append(b []byte) ([]byte, error) {
	b, err := binary.Append(b, order, &s.ScaleState)
	if err != nil {
		return nil, err
	}
	return binary.Append(b, order, s.slot)
}

// Decode restores what Append encoded and returns the rest of b.
func (s *Scale) Decode(b []byte) ([]byte, error) {
	b, err := decode(b, &s.ScaleState, s.slot)
	if err != nil || bad(float64(s.Mean)) || bad(float64(s.Vol)) || badHalves(s.slot) {
		return nil, ErrState
	}
	return b, nil
}

// Append encodes the peaks after b.
func (p *Peaks) Append(b []byte) ([]byte, error) {
	b, err := binary.Append(b, order, &p.PeakState)
	if err != nil {
		return nil, err
	}
	return binary.Append(b, order, p.q)
}

// Decode restores what Append encoded and returns the rest of b.
func (p *Peaks) Decode(b []byte) ([]byte, error) {
	b, err := decode(b, &p.PeakState, p.q)
	if err != nil || bad(float64(p.Days)) || badHalves(p.q) {
		return nil, ErrState
	}
	return b, nil
}

func badHalves(h []half) bool {
	for _, x := range h {
		if bad(unpack(x)) {
			return true
		}
	}
	return false
}

func decode(b []byte, parts ...any) ([]byte, error) {
	for _, part := range parts {
		n, err := binary.Decode(b, order, part)
		if err != nil {
			return nil, ErrState
		}
		b = b[n:]
	}
	return b, nil
}
