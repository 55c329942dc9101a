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
	for _, part := range []any{m.base, m.unit, m.number, m.class, m.over, m.under, m.codes, m.today, m.Spread, m.Peak, m.LocalPeak} {
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
	for _, part := range []any{&m.State, m.base, m.unit, m.number, m.class, m.over, m.under, m.codes, m.today, m.Spread, m.Peak, m.LocalPeak} {
		n, err := binary.Decode(b, order, part)
		if err != nil {
			return nil, ErrState
		}
		b = b[n:]
	}
	if m.Slot < -1 || m.Slot >= int64(m.slots) || int(m.Filled) > m.days || int(m.Head) >= m.days || m.Chosen >= kinds || bad(float64(m.Low+m.High+m.Least+m.Most)) {
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
	if badHalves(m.Spread) || badHalves(m.Peak) || badHalves(m.LocalPeak) {
		return nil, ErrState
	}
	return b, nil
}

func bad(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }

func badHalves(h []Half) bool {
	for _, x := range h {
		if bad(unpack(x)) {
			return true
		}
	}
	return false
}
