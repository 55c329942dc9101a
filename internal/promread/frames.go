package promread

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// frameStep is how much of a frame is read before more memory is asked for, so that a length
// that lies costs no more memory than what was really sent.
const frameStep = 1 << 20

// frameReader reads the frames of a STREAMED_XOR_CHUNKS answer: a uvarint length, the CRC-32
// (Castagnoli, big endian) of the message, and the message. Source: prompb/remote.proto and
// storage/remote/chunked.go of Prometheus. One frame is held at a time, and its memory is reused.
type frameReader struct {
	r     *bufio.Reader
	limit int
	table *crc32.Table
	buf   []byte
}

func newFrameReader(r io.Reader, limit int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 64<<10), limit: limit, table: crc32.MakeTable(crc32.Castagnoli)}
}

// next returns the next message, valid until the following call, or io.EOF at a frame boundary.
func (f *frameReader) next() ([]byte, error) {
	size, err := binary.ReadUvarint(f.r)
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, cut(err, "in the length of a frame")
	case size > uint64(f.limit):
		return nil, &fault{
			reason: TooLarge, msg: sprintf("a frame of %d bytes is over the limit of %d", size, f.limit),
			hint: "raise prometheus.max_frame_bytes, or lower --storage.remote.read-max-bytes-in-frame in Prometheus",
		}
	}
	var sum [4]byte
	if _, err := io.ReadFull(f.r, sum[:]); err != nil {
		return nil, cut(err, "in the checksum of a frame")
	}
	if err := f.fill(int(size)); err != nil {
		return nil, cut(err, "inside a frame")
	}
	if got, want := crc32.Checksum(f.buf, f.table), binary.BigEndian.Uint32(sum[:]); got != want {
		return nil, faultf(Corrupt, "a frame of %d bytes has the checksum %08x, its header says %08x", size, got, want)
	}
	return f.buf, nil
}

func (f *frameReader) fill(size int) error {
	f.buf = f.buf[:0]
	for len(f.buf) < size {
		n := min(size-len(f.buf), frameStep)
		at := len(f.buf)
		if cap(f.buf) < at+n {
			f.buf = append(make([]byte, 0, max(2*cap(f.buf), at+n)), f.buf...)
		}
		f.buf = f.buf[:at+n]
		if _, err := io.ReadFull(f.r, f.buf[at:]); err != nil {
			return err
		}
	}
	return nil
}

// cut says where an answer ended that should have gone on; other errors are of the network.
func cut(err error, where string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return faultf(Truncated, "the answer ended %s", where)
	}
	return &fault{reason: Unreachable, msg: "the answer broke off " + where, err: err}
}

// readFrames walks all frames of an answer and hands their series and chunks to h.
func readFrames(r io.Reader, limit int, h handler) error {
	f := newFrameReader(r, limit)
	w := frameWalker{h: h}
	for {
		b, err := f.next()
		if errors.Is(err, io.EOF) {
			return h.end()
		}
		if err != nil {
			return err
		}
		if err := w.frame(b); err != nil {
			return wireFault(err)
		}
	}
}

// frameWalker takes ChunkedReadResponse messages apart without unmarshalling them. Frames of one
// series follow each other, so a series goes on while its labels stay the same bytes.
type frameWalker struct {
	h      handler
	labels labelReader
	chunks [][]byte
}

func (w *frameWalker) frame(b []byte) error {
	return fields(b, func(num protowire.Number, typ protowire.Type, data []byte, _ uint64) error {
		if num != 1 || typ != protowire.BytesType { // 2 is query_index; we ask one query a call.
			return nil
		}
		return w.series(data)
	})
}

func (w *frameWalker) series(b []byte) error {
	w.labels.begin()
	w.chunks = w.chunks[:0]
	err := fields(b, func(num protowire.Number, typ protowire.Type, data []byte, _ uint64) error {
		switch {
		case typ != protowire.BytesType:
		case num == 1:
			w.labels.add(data)
		case num == 2:
			w.chunks = append(w.chunks, data)
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
	for _, raw := range w.chunks {
		c, err := parseChunk(raw)
		if err != nil {
			return err
		}
		if err := w.h.chunk(c); err != nil {
			return err
		}
	}
	return nil
}

// wireFault names a message that can't be taken apart, and lets other errors through.
func wireFault(err error) error {
	if errors.Is(err, errWire) {
		return faultf(Corrupt, "the answer is not a remote read message of Prometheus")
	}
	return err
}
