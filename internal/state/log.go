package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Pos is a place in the log: before the record that starts there.
type Pos struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
}

// Less says whether p is before q.
func (p Pos) Less(q Pos) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Segment, p.Offset) }

// ParsePos reads what Pos.String wrote.
func ParsePos(s string) (Pos, error) {
	a, b, ok := strings.Cut(s, ":")
	seg, err1 := strconv.ParseUint(a, 10, 64)
	off, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || err1 != nil || err2 != nil || off < 0 {
		return Pos{}, fmt.Errorf("log position %q is not SEGMENT:OFFSET", s)
	}
	return Pos{seg, off}, nil
}

var (
	// ErrClosed is returned by calls after Close.
	ErrClosed = errors.New("write-ahead log is closed")
	// ErrOverloaded is returned when more bytes wait for the disk than LogOptions.MaxPendingBytes.
	ErrOverloaded = errors.New("write-ahead log: too many bytes wait for the disk")
	// ErrFull is returned when the segments hold more than LogOptions.MaxBytes.
	ErrFull = errors.New("write-ahead log is full: no checkpoint freed its segments")
)

// LogOptions are the settings of a Log; zero values take the defaults.
type LogOptions struct {
	Dir             string
	FS              FS                    // default OS{}
	SegmentBytes    int64                 // a new segment begins above it; default 64 MiB
	MaxRecordBytes  int                   // largest payload; default 64 MiB
	MaxPendingBytes int64                 // waiting for the disk; default 256 MiB
	MaxBytes        int64                 // of all segments; default 8 GiB
	Logger          *slog.Logger          // default: discards
	Registerer      prometheus.Registerer // default: none
	Clock           func() time.Time      // default time.Now
}

func (o *LogOptions) validate() error {
	if o.Dir == "" {
		return errors.New("write-ahead log: Dir is missing")
	}
	if o.FS == nil {
		o.FS = OS{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	defaultTo(&o.SegmentBytes, 64<<20)
	defaultTo(&o.MaxRecordBytes, 64<<20)
	defaultTo(&o.MaxPendingBytes, 256<<20)
	defaultTo(&o.MaxBytes, 8<<30)
	return nil
}

func defaultTo[T int | int64](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Log is an append-only log in segment files with group commit: writers that come while an fsync runs
// share the next one. It has no goroutine of its own: the first writer of a batch commits it. All
// methods are safe for concurrent use.
//
//	        Append ok                       write or fsync fails
//	┌─────┐──────────▶┌───────┐──────────────────────────────────▶┌─────────┐
//	│ new │           │ clean │◀──────────────────────────────────│ failing │──▶ (each Append tries again,
//	└─────┘           └───────┘   Append or Probe ok, new segment └─────────┘     in a new segment)
//
// After a failed fsync the kernel may have dropped the pages, so the segment is left behind and the
// next batch starts a new one.
type Log struct {
	opts LogOptions
	m    *logMetrics

	commitMu sync.Mutex // held while a batch goes to disk; guards active, salt, buf
	active   File
	salt     [saltSize]byte
	buf      []byte

	mu      sync.Mutex // guards what follows; never held over a file operation
	cur     *batch
	pending int64
	end     Pos    // after the last durable record
	next    uint64 // number of the segment to come
	sizes   map[uint64]int64
	lastErr error
	errAt   time.Time
	closed  bool
}

type batch struct {
	records []record
	size    int
	done    chan struct{}
	err     error
}

// OpenLog opens or makes the log in opts.Dir. The first Append begins a new segment, so that opening
// writes nothing: a log on a full or read-only disk opens, replays, and answers Append with an error
// until the disk heals. A torn tail stays where it is; Replay steps over it and says so.
func OpenLog(opts LogOptions) (*Log, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	l := &Log{opts: opts, m: newLogMetrics(opts.Registerer), sizes: map[uint64]int64{}}
	if err := opts.FS.MkdirAll(opts.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make folder of the write-ahead log: %w", err)
	}
	segs, err := l.segments()
	if err != nil {
		return nil, err
	}
	for _, seg := range segs {
		if l.sizes[seg], err = opts.FS.Size(l.name(seg)); err != nil {
			return nil, fmt.Errorf("size of segment %d of the write-ahead log: %w", seg, err)
		}
	}
	l.next = 1
	if n := len(segs); n > 0 {
		last := segs[n-1]
		l.end, l.next = Pos{last, l.sizes[last]}, last+1
	}
	l.publishSize()
	return l, nil
}

// Append makes one record durable: it returns nil only after an fsync that covers it. kind is the
// caller's, 1 to 255. The payload is not kept. On an error the record may or may not be found by a
// later Replay (the power may fail between disk and answer); the caller must say "not kept" to its
// client and drop duplicates on replay. When ctx ends first its error is returned.
func (l *Log) Append(ctx context.Context, kind byte, payload []byte) error {
	if kind == kindProbe {
		return errors.New("write-ahead log: kind 0 is reserved")
	}
	return l.append(ctx, kind, payload)
}

// Probe writes a record that Replay skips: nil means that the disk takes writes.
func (l *Log) Probe(ctx context.Context) error { return l.append(ctx, kindProbe, nil) }

func (l *Log) append(ctx context.Context, kind byte, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(payload) > l.opts.MaxRecordBytes {
		return fmt.Errorf("record of %d bytes is larger than the limit of %d", len(payload), l.opts.MaxRecordBytes)
	}
	start := l.opts.Clock()
	r := newRecord(kind, payload)
	b, leader, err := l.join(r)
	if err != nil {
		return err
	}
	if leader {
		l.commit(b)
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if b.err == nil {
		l.m.appendSeconds.Observe(l.opts.Clock().Sub(start).Seconds())
	}
	return b.err
}

// join adds a record to the batch that waits; leader is true for the first of a batch.
func (l *Log) join(r record) (b *batch, leader bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, false, ErrClosed
	}
	if l.pending+int64(r.size()) > l.opts.MaxPendingBytes {
		return nil, false, ErrOverloaded
	}
	if l.cur == nil {
		l.cur, leader = &batch{done: make(chan struct{})}, true
	}
	l.cur.records = append(l.cur.records, r)
	l.cur.size += r.size()
	l.pending += int64(r.size())
	return l.cur, leader, nil
}

// commit waits for the batch before, closes this one to newcomers and writes it.
func (l *Log) commit(b *batch) {
	l.commitMu.Lock()
	defer l.commitMu.Unlock()
	l.mu.Lock()
	l.cur = nil
	closed := l.closed
	l.mu.Unlock()
	if closed {
		b.err = ErrClosed
	} else {
		b.err = l.write(b)
	}
	l.mu.Lock()
	l.pending -= int64(b.size)
	if b.err == nil || !errors.Is(b.err, ErrClosed) {
		l.setErr(b.err)
	}
	l.mu.Unlock()
	close(b.done)
}

func (l *Log) setErr(err error) {
	switch {
	case err == nil && l.lastErr != nil:
		l.opts.Logger.Info("Write-ahead log takes writes again", "failing_for", l.opts.Clock().Sub(l.errAt).String())
	case err != nil && l.lastErr == nil:
		l.errAt = l.opts.Clock()
		l.opts.Logger.Error("Write-ahead log does not take writes", "err", err)
	}
	l.lastErr = err
}

// Err gives the error of the last commit and since when commits fail; nil when the last one stood.
func (l *Log) Err() (since time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errAt, l.lastErr
}

// Pending gives the bytes that wait for the disk.
func (l *Log) Pending() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pending
}

// End is the position after the last durable record: a snapshot of everything delivered so far may be
// stored with it, and Replay(End) gives what came later. The caller must make sure that no record is
// durable and not yet in the snapshot.
func (l *Log) End() Pos {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// TruncateBefore deletes the segments that lie wholly before pos. The newest one stays, whatever pos says: its
// number keeps those of later segments growing over restarts, and with them the positions. A segment that
// cannot be deleted is reported and tried again the next time.
func (l *Log) TruncateBefore(pos Pos) error {
	l.mu.Lock()
	var old []uint64
	newest := slices.Max(append(slices.Collect(maps.Keys(l.sizes)), 0))
	for seg := range l.sizes {
		if seg < pos.Segment && seg < newest {
			old = append(old, seg)
		}
	}
	l.mu.Unlock()
	slices.Sort(old)
	for _, seg := range old {
		if err := l.opts.FS.Remove(l.name(seg)); err != nil {
			return fmt.Errorf("delete segment %d of the write-ahead log: %w", seg, err)
		}
		l.mu.Lock()
		delete(l.sizes, seg)
		l.mu.Unlock()
	}
	l.publishSize()
	return nil
}

// Close waits for the batch on its way to disk and closes the segment. Records that still wait for
// their turn get ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.commitMu.Lock()
	defer l.commitMu.Unlock()
	if l.active == nil {
		return nil
	}
	err := l.active.Close()
	l.active = nil
	return err
}

func (l *Log) name(seg uint64) string {
	return filepath.Join(l.opts.Dir, fmt.Sprintf("%010d.wal", seg))
}
