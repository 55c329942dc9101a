package baseline

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// The saved state is a header and records:
//
//	"tidebase" version:u16
//	"\xfeSER" length:u32 crc32c(payload):u32 payload
//
// A payload begins with what it is of: a block of series, a group of siblings, or the end.
//
// A record that is cut or damaged is skipped: the reader looks for the next mark.
const (
	stateMagic   = "tidebase"
	stateVersion = 12
	recordMagic  = "\xfeSER"
	maxRecord    = 1 << 20
	maxLabels    = 256
	maxText      = 64 << 10

	blockRecord, groupRecord, endRecord = 0, 1, 2
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	endian     = binary.LittleEndian
)

// SkippedError reports that a saved state was loaded but for some damaged or foreign records; the
// series concerned learn again.
type SkippedError struct {
	Loaded, Skipped int
	First           error  // what was wrong with the first
	Parts           []Part // where they are
}

// Part is a damaged part of a saved state, in bytes from its begin.
type Part struct{ Offset, Length int64 }

// Error says how much was skipped and why.
func (e *SkippedError) Error() string {
	return fmt.Sprintf("baseline state: %d series loaded, %d damaged parts skipped, the first: %v", e.Loaded, e.Skipped, e.First)
}

// Unwrap is the first cause.
func (e *SkippedError) Unwrap() error { return e.First }

// ErrStateFormat is returned when what is loaded is no saved state of this version.
var ErrStateFormat = errors.New("baseline state: not a state of this version")

// Save writes all series, in an order that depends on their watches and labels alone. Series may be observed meanwhile; each is
// written as of one sample.
func (e *Engine) Save(w io.Writer) error {
	bw := bufio.NewWriterSize(w, 1<<16)
	head := append([]byte(stateMagic), 0, 0)
	endian.PutUint16(head[len(stateMagic):], stateVersion)
	_, _ = bw.Write(head) // the error stays in bw
	put := func(b []byte) error {
		rec := append([]byte(nil), recordMagic...)
		rec = endian.AppendUint32(rec, uint32(len(b)))
		rec = endian.AppendUint32(rec, crc32.Checksum(b, castagnoli))
		_, _ = bw.Write(rec)
		_, err := bw.Write(b)
		return err
	}
	if err := eachBlock(e.hashed(), put); err != nil {
		return err
	}
	for _, g := range e.groupList() {
		b, err := g.encode(nil)
		if err != nil {
			return err
		}
		_ = put(b) // The error stays in bw.
	}
	_ = put([]byte{endRecord})
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write baseline state: %w", err)
	}
	return nil
}

// Load reads what Save wrote into the engine, beside the series it has; a series that exists
// already keeps what it learned. Damaged records are skipped and reported as *SkippedError. Options
// of the series are set when Add is called for them.
func (e *Engine) Load(r io.Reader) error {
	in := &counted{r: r}
	br := bufio.NewReaderSize(in, maxRecord+64)
	at := func() int64 { return in.n - int64(br.Buffered()) }
	head := make([]byte, len(stateMagic)+2)
	if _, err := io.ReadFull(br, head); err != nil {
		return fmt.Errorf("%w: %w", ErrStateFormat, err)
	}
	if string(head[:len(stateMagic)]) != stateMagic {
		return ErrStateFormat
	}
	if v := endian.Uint16(head[len(stateMagic):]); v != stateVersion {
		return fmt.Errorf("%w: it is of version %d, this build reads %d", ErrStateFormat, v, stateVersion)
	}
	skip := &SkippedError{}
	blocks := e.openBlocks()
	defer blocks.close()
	whole := false
	for !whole {
		from := at()
		kind, err := e.loadRecord(br, func(b []byte) { blocks.take(b, Part{Offset: from, Length: int64(recordHead + len(b))}) })
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			whole = kind == endRecord
			continue
		}
		if !errors.Is(err, errRecord) {
			return fmt.Errorf("read baseline state: %w", err)
		}
		begin := at()
		last := nextMark(br)
		if last != nil && !errors.Is(last, io.EOF) {
			return fmt.Errorf("read baseline state: %w", last)
		}
		if last != nil {
			if _, err := io.Copy(io.Discard, br); err != nil {
				return fmt.Errorf("read baseline state: %w", err)
			}
		}
		skip.note(err, Part{Offset: begin, Length: at() - begin})
	}
	blocks.close()
	skip.Loaded = int(blocks.loaded.Load())
	for _, bad := range blocks.bad {
		skip.note(bad.err, bad.part)
	}
	if !whole && skip.Skipped == 0 {
		skip.note(fmt.Errorf("%w: the end is missing", errRecord), Part{Offset: at()})
	}
	if skip.Skipped > 0 {
		slices.SortFunc(skip.Parts, func(a, b Part) int { return cmp.Compare(a.Offset, b.Offset) })
		return skip
	}
	return nil
}

// note counts a damaged part.
func (e *SkippedError) note(err error, p Part) {
	if e.Skipped++; e.First == nil {
		e.First = err
	}
	if n := len(e.Parts); n > 0 && e.Parts[n-1].Offset+e.Parts[n-1].Length == p.Offset {
		e.Parts[n-1].Length += p.Length
		return
	}
	e.Parts = append(e.Parts, p)
}

// counted counts what was read.
type counted struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

var errRecord = errors.New("damaged record")

// nextMark moves past at least one byte to the next record mark.
func nextMark(br *bufio.Reader) error {
	if _, err := br.Discard(1); err != nil {
		return err
	}
	for {
		b, err := br.Peek(4096)
		if i := bytes.Index(b, []byte(recordMagic)); i >= 0 {
			_, err := br.Discard(i)
			return err
		}
		if err != nil {
			return err
		}
		if _, err := br.Discard(len(b) - len(recordMagic) + 1); err != nil {
			return err
		}
	}
}

// recordHead is what stands before a payload.
const recordHead = len(recordMagic) + 8

// loadRecord reads one record and consumes it only when it is whole; it says what it is of. The payload of a block is
// given to block, which must not keep it.
func (e *Engine) loadRecord(br *bufio.Reader, block func([]byte)) (kind byte, err error) {
	const head = recordHead
	b, err := br.Peek(head)
	if len(b) == 0 {
		return 0, err
	}
	if len(b) < head || string(b[:len(recordMagic)]) != recordMagic {
		return 0, fmt.Errorf("%w: no mark where one belongs", errRecord)
	}
	n, sum := int(endian.Uint32(b[4:])), endian.Uint32(b[8:])
	if n > maxRecord {
		return 0, fmt.Errorf("%w: %d bytes long", errRecord, n)
	}
	b, err = br.Peek(head + n)
	if len(b) < head+n {
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		return 0, fmt.Errorf("%w: cut short", errRecord)
	}
	b = b[head:]
	if crc32.Checksum(b, castagnoli) != sum {
		return 0, fmt.Errorf("%w: checksum differs", errRecord)
	}
	switch {
	case n == 0:
		err = errLayout
	case b[0] == groupRecord:
		err = e.restoreGroup(b[1:n])
	case b[0] == blockRecord:
		block(b[:n])
	case b[0] != endRecord:
		err = errLayout
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errRecord, err)
	}
	kind = b[0]
	_, err = br.Discard(head + n)
	return kind, err
}
