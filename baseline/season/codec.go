package season

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrState is returned for bytes that are no state of the model at hand.
var ErrState = errors.New("not a state of this model")

var order = binary.LittleEndian

// Append encodes the model after b. The layout is fixed by the number of slots and days. What is remembered of a slot is
// written as its difference to the same slot of the day stored before it, modulo 256: days resemble each other, and a
// compressor makes a third less of that.
func (m *Model) Append(b []byte) ([]byte, error) {
	b = order.AppendUint16(b, uint16(m.slots))
	b = order.AppendUint16(b, uint16(m.days))
	b, err := binary.Append(b, order, &m.State)
	if err != nil {
		return nil, err
	}
	for _, part := range []any{m.base, m.unit, m.number, m.class, m.over, m.under, m.today, m.Spread, m.Peak, m.LocalPeak} {
		if b, err = binary.Append(b, order, part); err != nil {
			return nil, err
		}
	}
	at := len(b)
	b = append(b, m.codes...)
	m.differ(b[at:])
	return b, nil
}

// before is the index of the code that another one is compared with; false for the very first.
func (m *Model) before(i int) (int, bool) {
	if i%m.days == 0 { // The first day of a slot: that of the slot before.
		return i - m.days, i > 0
	}
	return i - 1, true
}

func (m *Model) differ(codes []uint8) {
	for i := len(codes) - 1; i > 0; i-- {
		if k, ok := m.before(i); ok {
			codes[i] -= codes[k]
		}
	}
}

// rejoin is differ backwards.
func (m *Model) rejoin(codes []uint8) {
	for i := range codes {
		if k, ok := m.before(i); ok {
			codes[i] += codes[k]
		}
	}
}

// Decode restores what Append encoded and returns the rest of b.
func (m *Model) Decode(b []byte) ([]byte, error) {
	if len(b) < 4 || int(order.Uint16(b)) != m.slots || int(order.Uint16(b[2:])) != m.days {
		return nil, ErrState
	}
	b = b[4:]
	for _, part := range []any{&m.State, m.base, m.unit, m.number, m.class, m.over, m.under, m.today, m.Spread, m.Peak, m.LocalPeak, m.codes} {
		n, err := binary.Decode(b, order, part)
		if err != nil {
			return nil, ErrState
		}
		b = b[n:]
	}
	m.rejoin(m.codes)
	if m.Slot < -1 || int(m.Slot) >= m.slots || int(m.Filled) > m.days || int(m.Head) >= m.days || m.Chosen >= kinds || bad(float64(m.Low+m.High+m.Least+m.Most)) {
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
