package promread

import (
	"errors"
	"io"
	"math"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxSnappyRatio is more than honest snappy can reach (21.3 : 1); what declares more is a bomb.
const maxSnappyRatio = 32

// readSamples reads a SAMPLES answer: one ReadResponse message, compressed by snappy as a block,
// so that it has to be held whole. The length that it declares is checked before it is unpacked.
func readSamples(r io.Reader, limit int, h handler) error {
	packed, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return cut(err, "before its end")
	}
	b, err := unsnappy(packed, limit)
	if err != nil {
		return err
	}
	if err := walkSamples(b, h); err != nil {
		return err
	}
	return h.end()
}

func unsnappy(packed []byte, limit int) ([]byte, error) {
	tooLarge := &fault{reason: TooLarge, hint: "raise prometheus.max_body_bytes, or let the server stream its answers (STREAMED_XOR_CHUNKS)"}
	if len(packed) > limit {
		tooLarge.msg = sprintf("the answer is over the limit of %d bytes", limit)
		return nil, tooLarge
	}
	declared, err := snappy.DecodedLen(packed)
	if err != nil {
		return nil, &fault{reason: Corrupt, msg: "the answer is not snappy", err: err}
	}
	if declared > limit {
		tooLarge.msg = sprintf("the answer unpacks to %d bytes, over the limit of %d", declared, limit)
		return nil, tooLarge
	}
	if declared > maxSnappyRatio*len(packed) {
		return nil, faultf(Corrupt, "the answer of %d bytes declares %d bytes unpacked, more than snappy can hold", len(packed), declared)
	}
	b, err := snappy.Decode(nil, packed)
	if err != nil {
		return nil, &fault{reason: Truncated, msg: "the answer can't be unpacked", err: err}
	}
	return b, nil
}

// walkSamples takes a ReadResponse message apart: results (1) hold timeseries (1) with labels (1)
// and samples (2). Native histograms (4) are passed over; servers that send them stream.
func walkSamples(b []byte, h handler) error {
	w := sampleWalker{h: h}
	err := fields(b, func(num protowire.Number, typ protowire.Type, data []byte, _ uint64) error {
		if num != 1 || typ != protowire.BytesType {
			return nil
		}
		return fields(data, func(num protowire.Number, typ protowire.Type, data []byte, _ uint64) error {
			if num != 1 || typ != protowire.BytesType {
				return nil
			}
			return w.series(data)
		})
	})
	if errors.Is(err, errWire) {
		return wireFault(err)
	}
	return err
}

type sampleWalker struct {
	h      handler
	labels labelReader
	t      []int64
	v      []float64
}

func (w *sampleWalker) series(b []byte) error {
	w.labels.begin()
	w.t, w.v = w.t[:0], w.v[:0]
	err := fields(b, func(num protowire.Number, typ protowire.Type, data []byte, _ uint64) error {
		switch {
		case typ != protowire.BytesType:
		case num == 1:
			w.labels.add(data)
		case num == 2:
			return w.sample(data)
		}
		return nil
	})
	if err != nil {
		return err
	}
	lset, isNew, err := w.labels.finish()
	if isNew {
		if err := w.h.series(seriesLabels{lset: lset, err: err}); err != nil {
			return err
		}
	}
	return w.h.floats(w.t, w.v)
}

func (w *sampleWalker) sample(b []byte) error {
	var t int64
	var v float64
	err := fields(b, func(num protowire.Number, typ protowire.Type, _ []byte, n uint64) error {
		switch {
		case num == 1 && typ == protowire.Fixed64Type:
			v = math.Float64frombits(n)
		case num == 2 && typ == protowire.VarintType:
			t = int64(n)
		}
		return nil
	})
	w.t, w.v = append(w.t, t), append(w.v, v)
	return err
}
