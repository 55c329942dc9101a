package baseline

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// The saved state is a header and one record per series:
//
//	"tidebase" version:u16
//	"\xfeSER" length:u32 crc32c(payload):u32 payload
//
// A payload begins with what it is of: a series, a group of siblings, or the end.
//
// A record that is cut or damaged is skipped: the reader looks for the next mark.
const (
	stateMagic   = "tidebase"
	stateVersion = 8
	recordMagic  = "\xfeSER"
	maxRecord    = 1 << 20
	maxLabels    = 256
	maxText      = 64 << 10

	seriesRecord, groupRecord, endRecord = 0, 1, 2
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
	all := e.hashed()
	bw := bufio.NewWriterSize(w, 1<<16)
	head := append([]byte(stateMagic), 0, 0)
	endian.PutUint16(head[len(stateMagic):], stateVersion)
	_, _ = bw.Write(head) // the error stays in bw
	var buf []byte
	put := func(encode func([]byte) ([]byte, error)) error {
		b, err := encode(buf[:0])
		if err != nil {
			return err
		}
		buf = b
		rec := append([]byte(nil), recordMagic...)
		rec = endian.AppendUint32(rec, uint32(len(b)))
		rec = endian.AppendUint32(rec, crc32.Checksum(b, castagnoli))
		_, _ = bw.Write(rec)
		_, _ = bw.Write(b)
		return nil
	}
	for _, s := range all {
		if err := put(s.encode); err != nil {
			return fmt.Errorf("encode baseline of %s: %w", s.Labels(), err)
		}
	}
	for _, g := range e.groupList() {
		if err := put(g.encode); err != nil {
			return err
		}
	}
	if err := put(func(b []byte) ([]byte, error) { return append(b, endRecord), nil }); err != nil {
		return err
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write baseline state: %w", err)
	}
	return nil
}

// fixed is the part of a series of fixed size.
func (s *Series) fixed() []any {
	return []any{&s.core, &s.cells, &s.usual, &s.gap, &s.pool.PoolState, &s.rate, &s.scale, &s.peak, &s.lpeak}
}

func (s *Series) encode(b []byte) ([]byte, error) {
	s.lock()
	defer s.unlock()
	b = appendText(append(b, seriesRecord), s.Watch())
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
	if string(head[:len(stateMagic)]) != stateMagic || endian.Uint16(head[len(stateMagic):]) != stateVersion {
		return ErrStateFormat
	}
	skip := &SkippedError{}
	whole := false
	for !whole {
		kind, err := e.loadRecord(br)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			whole = kind == endRecord
			if kind == seriesRecord {
				skip.Loaded++
			}
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
	if !whole && skip.Skipped == 0 {
		skip.note(fmt.Errorf("%w: the end is missing", errRecord), Part{Offset: at()})
	}
	if skip.Skipped > 0 {
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

// loadRecord reads one record and consumes it only when it is whole; it says what it is of.
func (e *Engine) loadRecord(br *bufio.Reader) (kind byte, err error) {
	const head = len(recordMagic) + 8
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
	case b[0] == seriesRecord:
		err = e.restore(b[1:n])
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

var errLayout = errors.New("another layout")

// restore makes the series of one payload.
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
		e.symbols.release(s.packed)
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
	for _, x := range []float64{c.LastValue, c.N, c.AbsMean, c.MinStep, c.Short, c.LocalAbs, c.LocalVol, c.Slow, c.SlowAbs, float64(s.pool.Mean), float64(s.pool.Var), float64(c.Debt)} {
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

func (c *cold) check() error {
	if c.Trend.Filled < 0 || c.Trend.Filled > trendPoints || c.Trend.Teeth < 0 {
		return errors.New("a counter under zero")
	}
	return nil
}
