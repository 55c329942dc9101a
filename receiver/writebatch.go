package receiver

import (
	"errors"
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/protobuf/encoding/protowire"
)

// writeBatch is a remote-write message taken apart without unmarshalling it: what it holds points into the
// message, and all of its memory is used again, so that a message of known series allocates nothing.
//
// Messages: prometheus.WriteRequest (prompb/remote.proto, 1.0) and io.prometheus.write.v2.Request
// (prompb/io/prometheus/write/v2/types.proto, 2.0) of Prometheus.
type writeBatch struct {
	seed    maphash.Seed
	symbols [][]byte // of 2.0; in 1.0 each name and value once it comes
	hashes  []uint64 // of the symbols
	refs    []uint32 // name, value, name, value … of all series, as places in symbols
	series  []writeSeries
	t       []int64
	v       []float64
	// Native histograms and exemplars are counted and left out.
	histograms, exemplars int
}

// writeSeries is one series of a message.
type writeSeries struct {
	key  uint64 // hash of its labels: the same in 1.0 and 2.0
	size uint32 // bytes of its names and values
	refs span
	at   span // its samples in t and v
}

type span struct{ from, to int }

func (b *writeBatch) reset() {
	b.symbols, b.hashes, b.refs = b.symbols[:0], b.hashes[:0], b.refs[:0]
	b.series, b.t, b.v = b.series[:0], b.t[:0], b.v[:0]
	b.histograms, b.exemplars = 0, 0
}

var (
	errWriteWire   = errors.New("the body is not a remote-write message")
	errWriteRefs   = errors.New("a series refers to a symbol that is not there")
	errWritePairs  = errors.New("a series has a label name without a value")
	errWriteSymbol = errors.New("the symbols must begin with the empty string")
)

// field takes the next field off a message: its number, its type, the payload of a length-delimited field or the
// number of a varint or fixed64 one, and the rest. ok is false for what is no protobuf.
func field(b []byte) (num protowire.Number, typ protowire.Type, data []byte, n uint64, rest []byte, ok bool) {
	num, typ, size := protowire.ConsumeTag(b)
	if size < 0 {
		return 0, 0, nil, 0, nil, false
	}
	b = b[size:]
	switch typ {
	case protowire.BytesType:
		data, size = protowire.ConsumeBytes(b)
	case protowire.VarintType:
		n, size = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		n, size = protowire.ConsumeFixed64(b)
	default:
		size = protowire.ConsumeFieldValue(num, typ, b)
	}
	if size < 0 {
		return 0, 0, nil, 0, nil, false
	}
	return num, typ, data, n, b[size:], true
}

// decodeV1 takes a prometheus.WriteRequest apart.
func (b *writeBatch) decodeV1(msg []byte) error {
	b.reset()
	for len(msg) > 0 {
		num, typ, data, _, rest, ok := field(msg)
		if !ok {
			return errWriteWire
		}
		if num == 1 && typ == protowire.BytesType {
			if err := b.seriesV1(data); err != nil {
				return err
			}
		}
		msg = rest
	}
	return nil
}

func (b *writeBatch) seriesV1(msg []byte) error {
	s := b.begin()
	for len(msg) > 0 {
		num, typ, data, _, rest, ok := field(msg)
		if !ok {
			return errWriteWire
		}
		msg = rest
		if typ != protowire.BytesType {
			continue
		}
		switch num {
		case 1:
			if !b.labelV1(data) {
				return errWriteWire
			}
		case 2:
			if !b.sample(data) {
				return errWriteWire
			}
		case 3:
			b.exemplars++
		case 4:
			b.histograms++
		}
	}
	return b.end(s)
}

func (b *writeBatch) labelV1(msg []byte) bool {
	var name, value []byte
	for len(msg) > 0 {
		num, typ, data, _, rest, ok := field(msg)
		if !ok {
			return false
		}
		msg = rest
		switch {
		case typ != protowire.BytesType:
		case num == 1:
			name = data
		case num == 2:
			value = data
		}
	}
	b.refs = append(b.refs, b.symbol(name), b.symbol(value))
	return true
}

// symbol files a string of the message; its hash is taken once.
func (b *writeBatch) symbol(s []byte) uint32 {
	b.symbols, b.hashes = append(b.symbols, s), append(b.hashes, maphash.Bytes(b.seed, s))
	return uint32(len(b.symbols) - 1)
}

// decodeV2 takes an io.prometheus.write.v2.Request apart. Symbols are read first, wherever they stand.
func (b *writeBatch) decodeV2(msg []byte) error {
	b.reset()
	for rest := msg; len(rest) > 0; {
		num, typ, data, _, next, ok := field(rest)
		if !ok {
			return errWriteWire
		}
		if num == 4 && typ == protowire.BytesType {
			b.symbol(data)
		}
		rest = next
	}
	if len(b.symbols) > 0 && len(b.symbols[0]) > 0 {
		return errWriteSymbol
	}
	for len(msg) > 0 {
		num, typ, data, _, rest, _ := field(msg)
		if num == 5 && typ == protowire.BytesType {
			if err := b.seriesV2(data); err != nil {
				return err
			}
		}
		msg = rest
	}
	return nil
}

func (b *writeBatch) seriesV2(msg []byte) error {
	s := b.begin()
	for len(msg) > 0 {
		num, typ, data, n, rest, ok := field(msg)
		if !ok {
			return errWriteWire
		}
		msg = rest
		switch {
		case num == 1 && typ == protowire.VarintType: // not packed
			b.refs = append(b.refs, uint32(n))
		case typ != protowire.BytesType:
		case num == 1:
			for len(data) > 0 {
				ref, size := protowire.ConsumeVarint(data)
				if size < 0 {
					return errWriteWire
				}
				b.refs, data = append(b.refs, uint32(ref)), data[size:]
			}
		case num == 2:
			if !b.sample(data) {
				return errWriteWire
			}
		case num == 3:
			b.histograms++
		case num == 4:
			b.exemplars++
		}
	}
	return b.end(s)
}

// sample reads a Sample, which is the same in both versions.
func (b *writeBatch) sample(msg []byte) bool {
	var t int64
	var v float64
	for len(msg) > 0 {
		num, typ, _, n, rest, ok := field(msg)
		if !ok {
			return false
		}
		msg = rest
		switch {
		case num == 1 && typ == protowire.Fixed64Type:
			v = math.Float64frombits(n)
		case num == 2 && typ == protowire.VarintType:
			t = int64(n)
		}
	}
	b.t, b.v = append(b.t, t), append(b.v, v)
	return true
}

func (b *writeBatch) begin() writeSeries {
	return writeSeries{refs: span{from: len(b.refs)}, at: span{from: len(b.t)}}
}

// end closes a series. Its key mixes the hashes of its symbols in their order; they are seeded anew in each
// process, so that nobody can make two series meet on purpose. By chance two of a million do once in 30 million
// processes, and the size tells most of these.
func (b *writeBatch) end(s writeSeries) error {
	s.refs.to, s.at.to = len(b.refs), len(b.t)
	refs := b.refs[s.refs.from:s.refs.to]
	if len(refs)%2 != 0 {
		return errWritePairs
	}
	s.key = uint64(len(refs))
	for _, ref := range refs {
		if int(ref) >= len(b.symbols) {
			return errWriteRefs
		}
		s.key = bits.RotateLeft64(s.key^b.hashes[ref], 27)*0x9e3779b185ebca87 + 0x52dce729
		s.size += uint32(len(b.symbols[ref]))
	}
	b.series = append(b.series, s)
	return nil
}

// labelsOf builds the labels of a series, or says what is wrong with them. It is called once for each new series.
func (b *writeBatch) labelsOf(c *RemoteWriteConfig, s writeSeries) (labels.Labels, error) {
	refs := b.refs[s.refs.from:s.refs.to]
	build := labels.NewScratchBuilder(len(refs) / 2)
	for i := 0; i < len(refs); i += 2 {
		name, value := b.symbols[refs[i]], b.symbols[refs[i+1]]
		if len(value) == 0 {
			continue // no label at all, as in Prometheus
		}
		if err := checkWriteLabel(c, name, value); err != nil {
			return labels.EmptyLabels(), err
		}
		build.Add(string(name), string(value))
	}
	build.Sort()
	ls := build.Labels()
	return ls, checkWriteLabels(c, ls)
}
