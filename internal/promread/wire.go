package promread

import (
	"bytes"
	"errors"
	"unicode/utf8"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/protobuf/encoding/protowire"
)

// Limits on the labels of one series. Prometheus' label encoder panics on values of 16 MiB and
// more, so lengths are checked before labels are built.
const (
	maxLabels     = 256
	maxLabelName  = 1 << 10
	maxLabelValue = 64 << 10
)

var (
	errWire   = errors.New("malformed protobuf message")
	errLabels = errors.New("labels over the limit or not UTF-8")
)

// fields calls fn for every field of a protobuf message, with the payload of length-delimited
// fields, or the number of varint and fixed64 fields. Nothing is copied.
func fields(b []byte, fn func(num protowire.Number, typ protowire.Type, data []byte, n uint64) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errWire
		}
		b = b[n:]
		var data []byte
		var number uint64
		switch typ {
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return errWire
		}
		if err := fn(num, typ, data, number); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// chunk is prometheus.Chunk of prompb/types.proto; data aliases the frame.
type chunk struct {
	minTime, maxTime int64
	encoding         uint64
	data             []byte
}

func parseChunk(b []byte) (chunk, error) {
	var c chunk
	err := fields(b, func(num protowire.Number, typ protowire.Type, data []byte, n uint64) error {
		switch {
		case num == 1 && typ == protowire.VarintType:
			c.minTime = int64(n)
		case num == 2 && typ == protowire.VarintType:
			c.maxTime = int64(n)
		case num == 3 && typ == protowire.VarintType:
			c.encoding = n
		case num == 4 && typ == protowire.BytesType:
			c.data = data
		}
		return nil
	})
	return c, err
}

// labelReader turns the repeated Label fields of a series message into labels. It remembers the
// bytes of the series before, so that a series that spans several frames is recognised by one
// comparison of memory and its labels are built once.
type labelReader struct {
	raw, last []byte
	pairs     int
	known     bool
	builder   labels.ScratchBuilder
}

func (r *labelReader) begin() { r.raw, r.pairs = r.raw[:0], 0 }

// add takes one Label message.
func (r *labelReader) add(b []byte) {
	r.raw = protowire.AppendBytes(r.raw, b)
	r.pairs++
}

// finish says whether these labels are a new series, and if so builds them.
func (r *labelReader) finish() (lset labels.Labels, isNew bool, err error) {
	if r.known && bytes.Equal(r.raw, r.last) {
		return labels.EmptyLabels(), false, nil
	}
	r.last, r.raw, r.known = r.raw, r.last, true
	lset, err = r.build(r.last)
	return lset, true, err
}

func (r *labelReader) build(b []byte) (labels.Labels, error) {
	if r.pairs > maxLabels {
		return labels.EmptyLabels(), errLabels
	}
	r.builder.Reset()
	r.builder.SetUnsafeAdd(true) // What Labels makes has copies of all texts.
	for len(b) > 0 {
		pair, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return labels.EmptyLabels(), errWire
		}
		b = b[n:]
		name, value, err := parseLabel(pair)
		if err != nil {
			return labels.EmptyLabels(), err
		}
		if len(value) > 0 { // An empty value is no label.
			r.builder.Add(text(name), text(value))
		}
	}
	r.builder.Sort()
	lset := r.builder.Labels()
	if _, duplicate := lset.HasDuplicateLabelNames(); duplicate {
		return labels.EmptyLabels(), errLabels
	}
	return lset, nil
}

// text is b without a copy: it holds until b is overwritten.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// parseLabel returns name and value of a Label message; they are parts of it. Labels are read of every series in each
// step: nothing is copied here.
func parseLabel(b []byte) (name, value []byte, err error) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, nil, errWire
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return nil, nil, errWire
			}
			b = b[n:]
			continue
		}
		data, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, nil, errWire
		}
		b = b[n:]
		switch num {
		case 1:
			if len(data) == 0 || len(data) > maxLabelName || !utf8.Valid(data) {
				return nil, nil, errLabels
			}
			name = data
		case 2:
			if len(data) > maxLabelValue || !utf8.Valid(data) {
				return nil, nil, errLabels
			}
			value = data
		}
	}
	if len(name) == 0 {
		return nil, nil, errLabels
	}
	return name, value, nil
}
