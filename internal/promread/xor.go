package promread

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// xorDecoder decodes whole XOR chunks into slices, without a call for each sample. Format: Prometheus
// tsdb/docs/format/chunks.md and tsdb/chunkenc/xor.go (the compression of Gorilla, VLDB 2015):
// two bytes with the count, then a bit stream of timestamps as deltas of deltas and of values as
// differences by XOR. BenchmarkDecode compares it with the iterator of chunkenc, and a fuzz test holds
// that both give the same.
type xorDecoder struct {
	padded []byte
}

// xorPadding is how far past its end a chunk may be read: the longest sample is under 19 bytes,
// and a load takes eight.
const xorPadding = 40

var errXOR = faultf(Corrupt, "a chunk can't be decoded: it is cut, or its bits make no sense")

// decode appends all samples of a chunk to t and v.
func (d *xorDecoder) decode(chunk []byte, t []int64, v []float64) ([]int64, []float64, error) {
	n := int(binary.BigEndian.Uint16(chunk))
	if n == 0 {
		return t, v, nil
	}
	// A copy with room behind it: then a load of eight bytes never needs a bounds decision.
	body := chunk[2:]
	d.padded = append(append(d.padded[:0], body...), make([]byte, xorPadding)...)
	b, limit := d.padded, uint(len(body))*8

	first, size := binary.Varint(body)
	if size <= 0 || len(body) < size+8 {
		return t, v, errXOR
	}
	value := binary.BigEndian.Uint64(body[size:])
	t, v = append(t, first), append(v, math.Float64frombits(value))
	if n == 1 {
		return t, v, nil
	}
	step, more := binary.Uvarint(body[size+8:])
	if more <= 0 {
		return t, v, errXOR
	}
	s := xorState{pos: uint(size+8+more) * 8, limit: limit, t: first + int64(step), delta: step, value: value}
	if !s.readValue(b, b64(b, s.pos)) {
		return t, v, errXOR
	}
	t, v = append(t, s.t), append(v, math.Float64frombits(s.value))
	return s.rest(b, n-2, t, v)
}

// xorState is where a decoder is: the bit it reads next, and the sample before.
type xorState struct {
	pos, limit uint
	t          int64
	delta      uint64
	value      uint64
	width      uint // Meaningful bits of the last difference; 0 means 64, none read yet.
	trailing   uint
}

// rest decodes n samples, the third and those after it.
func (s *xorState) rest(b []byte, n int, t []int64, v []float64) ([]int64, []float64, error) {
	at := len(t)
	t, v = grow(t, n), grow(v, n)
	ts, vs := t[at:], v[at:][:len(t)-at]
	for i := range ts {
		w := b64(b, s.pos)
		if w>>63 == 0 { // The same distance as before: one bit.
			s.pos++
			w <<= 1
		} else {
			s.readDelta(b, w)
			w = b64(b, min(s.pos, s.limit))
		}
		s.t += int64(s.delta)
		if w>>63 == 0 { // The same value as before: one bit.
			s.pos++
		} else if !s.readValue(b, w) {
			return t[:at+i], v[:at+i], errXOR
		}
		if s.pos > s.limit {
			return t[:at+i], v[:at+i], errXOR
		}
		ts[i], vs[i] = s.t, math.Float64frombits(s.value)
	}
	return t, v, nil
}

// readDelta reads a delta of deltas whose first bit is one: 14, 17, 20 or 64 bits behind two to four
// bits of prefix.
func (s *xorState) readDelta(b []byte, w uint64) {
	var size uint
	switch bits.LeadingZeros64(^w) {
	case 1:
		s.pos, size = s.pos+2, 14
	case 2:
		s.pos, size = s.pos+3, 17
	case 3:
		s.pos, size = s.pos+4, 20
	default:
		s.pos += 4
		s.delta += readBits(b, s.pos, 64)
		s.pos += 64
		return
	}
	d := readBits(b, s.pos, size)
	s.pos += size
	if d > 1<<(size-1) { // Prometheus keeps 1<<(size-1) positive.
		d -= 1 << size
	}
	s.delta += d
}

// readValue reads a difference; w holds the bits at pos, at least 56 of them. It says whether the bits make sense.
func (s *xorState) readValue(b []byte, w uint64) bool {
	switch w >> 62 {
	case 0b00, 0b01: // The same value.
		s.pos++
		return s.pos <= s.limit
	case 0b11: // A new position of the meaningful bits.
		leading := uint(w>>57) & 31
		s.width = uint(w>>51) & 63
		s.pos += 13
		width := s.width
		if width == 0 {
			width = 64
		}
		if leading+width > 64 {
			return false
		}
		s.trailing = 64 - leading - width
	default:
		s.pos += 2
	}
	width := s.width
	if width == 0 {
		width = 64
	}
	if s.pos+width > s.limit {
		return false
	}
	s.value ^= readBits(b, s.pos, width) << s.trailing
	s.pos += width
	return true
}

// b64 is the bits from pos on, left-aligned; 57 of them at least are valid.
func b64(b []byte, pos uint) uint64 {
	return binary.BigEndian.Uint64(b[pos>>3:]) << (pos & 7)
}

// readBits reads 1 to 64 bits.
func readBits(b []byte, pos, n uint) uint64 {
	w := b64(b, pos)
	if left := 64 - pos&7; n > left { // The last bits are in the ninth byte.
		w |= uint64(b[pos>>3+8]) >> (left - 56)
	}
	return w >> (64 - n)
}

// grow makes s longer by n.
func grow[T any](s []T, n int) []T {
	if need := len(s) + n; need > cap(s) {
		s = append(make([]T, 0, max(need, 2*cap(s))), s...)
	}
	return s[:len(s)+n]
}
