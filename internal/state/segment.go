package state

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// keepBuffer is the largest write buffer that is kept for the next batch.
const keepBuffer = 8 << 20

// write puts one batch on disk; commitMu is held.
func (l *Log) write(b *batch) error {
	if err := l.roll(); err != nil {
		l.m.failures.Inc()
		return err
	}
	buf := l.buf[:0]
	for _, r := range b.records {
		buf = r.append(buf, l.salt)
	}
	if cap(buf) <= keepBuffer {
		l.buf = buf
	}
	n, err := l.active.Write(buf)
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	if err == nil {
		start := l.opts.Clock()
		err = l.active.Sync()
		l.m.fsyncSeconds.Observe(l.opts.Clock().Sub(start).Seconds())
	}
	if err != nil {
		l.abandon()
		l.m.failures.Inc()
		return fmt.Errorf("write to the write-ahead log: %w", err)
	}
	l.advance(n)
	l.m.records.Add(float64(len(b.records)))
	l.m.bytes.Add(float64(n))
	return nil
}

func (l *Log) advance(n int) {
	l.mu.Lock()
	l.end.Offset += int64(n)
	l.sizes[l.end.Segment] = l.end.Offset
	l.mu.Unlock()
	l.publishSize()
}

// roll makes sure that there is an active segment with room.
func (l *Log) roll() error {
	end := l.End()
	if l.active != nil && end.Offset < l.opts.SegmentBytes {
		return nil
	}
	if l.totalBytes() >= l.opts.MaxBytes {
		return ErrFull
	}
	if l.active != nil {
		if err := l.active.Close(); err != nil {
			l.opts.Logger.Warn("Closing a segment failed", "segment", end.Segment, "err", err)
		}
		l.active = nil
	}
	return l.begin()
}

// begin makes the next segment with its header, durable together with its name in the folder. A number is
// used once: a failed attempt may have left a file behind.
func (l *Log) begin() error {
	l.mu.Lock()
	seg := l.next
	l.next++
	l.mu.Unlock()
	f, err := l.opts.FS.Create(l.name(seg))
	if err != nil {
		return fmt.Errorf("begin segment %d of the write-ahead log: %w", seg, err)
	}
	header, salt := newSegmentHeader()
	n, err := f.Write(header)
	if err == nil && n < len(header) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.opts.FS.SyncDir(l.opts.Dir)
	}
	if err != nil {
		_ = f.Close()
		// Nothing was acknowledged in it; leaving files behind at every retry on a full disk would not end.
		_ = l.opts.FS.Remove(l.name(seg))
		return fmt.Errorf("begin segment %d of the write-ahead log: %w", seg, err)
	}
	l.active, l.salt = f, salt
	l.mu.Lock()
	l.end = Pos{seg, 0}
	l.mu.Unlock()
	l.advance(len(header))
	return nil
}

// abandon leaves the active segment after a failed write, parts of which may stand. Cutting them off
// is tidy but not needed: Replay skips an unfinished frame, and a whole one is delivered again, which
// the contract of Append allows.
func (l *Log) abandon() {
	end := l.End()
	_ = l.active.Close()
	l.active = nil
	_ = l.opts.FS.Truncate(l.name(end.Segment), end.Offset)
}

// segments lists the numbers of the segment files in order.
func (l *Log) segments() ([]uint64, error) {
	names, err := l.opts.FS.ReadDir(l.opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the write-ahead log: %w", err)
	}
	var segs []uint64
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, ".wal")
		if seg, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && seg > 0 {
			segs = append(segs, seg)
		}
	}
	slices.Sort(segs)
	return segs, nil
}

func (l *Log) readSegment(seg uint64) ([]byte, error) {
	f, err := l.opts.FS.Open(l.name(seg))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return data, err
}

func (l *Log) totalBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum int64
	for _, n := range l.sizes {
		sum += n
	}
	return sum
}

func (l *Log) publishSize() {
	l.mu.Lock()
	n := len(l.sizes)
	l.mu.Unlock()
	l.m.segments.Set(float64(n))
	l.m.size.Set(float64(l.totalBytes()))
}
