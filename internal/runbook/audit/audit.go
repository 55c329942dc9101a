// Package audit keeps the append-only, hash-chained log of every decision and action.
//
// The file is JSON lines. Each line carries the SHA-256 of the line before it, so that a changed
// byte, a removed line or a changed order is found by [Verify]; the technique is the linked time
// stamp of Haber and Stornetta (1991). A record is on disk (fsync) before Append returns.
package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxLine bounds one record; longer ones are refused when written and are damage when read.
const maxLine = 256 << 10

// Genesis is the previous hash of the first record of a log.
const Genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// Event is what a caller records: one decision or one step of an action.
type Event struct {
	// Action names what happened, such as "approved" or "call.intent".
	Action string `json:"action"`
	// Actor is who did it: a user name, or "tidemark" for the process itself.
	Actor string `json:"actor"`
	// Runbook, Incident and Proposal say what it was about; empty when they do not apply.
	Runbook  string `json:"runbook,omitempty"`
	Incident string `json:"incident,omitempty"`
	Proposal string `json:"proposal,omitempty"`
	// Detail holds further facts as text. It never holds secrets.
	Detail map[string]string `json:"detail,omitempty"`
}

// Record is one line of the log.
type Record struct {
	// Seq counts from 1 without a gap.
	Seq uint64 `json:"seq"`
	// Time is when the record was written, UTC.
	Time time.Time `json:"time"`
	Event
	// Prev is the hash of the record before, Genesis for the first.
	Prev string `json:"prev"`
	// Hash is hex(SHA-256(Prev ‖ the record as JSON with an empty Hash)).
	Hash string `json:"hash,omitempty"`
}

// Head names the end of a chain. Whoever kept a head can tell later whether lines were cut off.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// String returns the head as SEQ:HASH, the form that [ParseHead] reads.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads the form that [Head.String] writes.
func ParseHead(s string) (Head, error) {
	var h Head
	if _, err := fmt.Sscanf(s, "%d:%64s", &h.Seq, &h.Hash); err != nil || len(h.Hash) != 64 || h.String() != s {
		return Head{}, fmt.Errorf("head %q: want SEQ:HASH, a number and 64 hexadecimal digits", s)
	}
	return h, nil
}

// seal fills r.Hash and returns the line that stands in the file, newline included.
func (r *Record) seal() ([]byte, error) {
	r.Hash = ""
	canonical, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode audit record %d: %w", r.Seq, err)
	}
	sum := sha256.New()
	sum.Write([]byte(r.Prev))
	sum.Write(canonical)
	r.Hash = hex.EncodeToString(sum.Sum(nil))
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode audit record %d: %w", r.Seq, err)
	}
	if len(line) >= maxLine {
		return nil, fmt.Errorf("audit record %d has %d bytes, at most %d are kept", r.Seq, len(line), maxLine)
	}
	return append(line, '\n'), nil
}

// file is the part of *os.File the log needs, so that a test can make the disk fail.
type file interface {
	io.Writer
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// Log is an open audit log. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	f    file
	path string
	now  func() time.Time
	head Head
	size int64 // Bytes up to and including the last whole record.
	torn bool  // A failed write may have left bytes behind size.
}

// Recovery says what Open found and did.
type Recovery struct {
	// TornBytes were cut from the end: a record whose write was never acknowledged.
	TornBytes int64
	// Quarantined is where a damaged log was moved; empty when the log was sound.
	Quarantined string
	// Damage is why.
	Damage error
}

// Open opens or creates the log at path, checks its whole chain and goes on behind its last record.
// An unfinished last line (a crash in the middle of a write) is cut. A broken chain never stops the
// start: the file is moved aside, and a new log begins whose first record names it.
func Open(path string, now func() time.Time) (*Log, Recovery, error) {
	if now == nil {
		now = time.Now
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, Recovery{}, fmt.Errorf("create folder of audit log: %w", err)
	}
	rec, head, size, err := inspect(path)
	if err != nil {
		return nil, rec, err
	}
	if rec.Damage != nil {
		rec.Quarantined = fmt.Sprintf("%s.damaged-%s", path, now().UTC().Format("20060102T150405.000000000Z"))
		if err := os.Rename(path, rec.Quarantined); err != nil {
			return nil, rec, fmt.Errorf("move damaged audit log aside: %w", err)
		}
		head, size = Head{Hash: Genesis}, 0
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, rec, fmt.Errorf("open audit log: %w", err)
	}
	l := &Log{f: f, path: path, now: now, head: head, size: size, torn: rec.TornBytes > 0}
	if err := errors.Join(l.repair(), syncDir(filepath.Dir(path))); err != nil {
		return nil, rec, errors.Join(fmt.Errorf("prepare audit log: %w", err), f.Close())
	}
	if err := l.noteRecovery(rec); err != nil {
		return nil, rec, errors.Join(err, f.Close())
	}
	return l, rec, nil
}

// inspect reads an existing log: its head, the size of its whole records, and what is wrong with it.
func inspect(path string) (Recovery, Head, int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Recovery{}, Head{Hash: Genesis}, 0, nil
	}
	if err != nil {
		return Recovery{}, Head{}, 0, fmt.Errorf("open audit log: %w", err)
	}
	defer f.Close()
	report, err := Verify(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return Recovery{}, Head{}, 0, fmt.Errorf("read audit log: %w", err)
	}
	rec := Recovery{TornBytes: report.TornBytes}
	if len(report.Problems) > 0 {
		rec.Damage = report.Problems[0]
	}
	return rec, report.Head, report.Bytes, nil
}

// noteRecovery writes what Open repaired into the log itself.
func (l *Log) noteRecovery(rec Recovery) error {
	detail := map[string]string{}
	if rec.TornBytes > 0 && rec.Damage == nil {
		detail["cut_bytes"] = fmt.Sprint(rec.TornBytes)
	}
	if rec.Damage != nil {
		detail["damaged_log"] = filepath.Base(rec.Quarantined)
		detail["damage"] = rec.Damage.Error()
	}
	if len(detail) == 0 {
		return nil
	}
	_, err := l.Append(Event{Action: "audit.recovered", Actor: "tidemark", Detail: detail})
	return err
}

// Append writes e as the next record and returns it once it is on disk. After an error nothing of
// the record counts, and the next Append first cuts what a failed write left behind.
func (l *Log) Append(e Event) (Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.repair(); err != nil {
		return Record{}, fmt.Errorf("repair audit log: %w", err)
	}
	// Round drops the monotonic clock, UTC the place: the JSON form is then the whole value.
	r := Record{Seq: l.head.Seq + 1, Time: l.now().Round(0).UTC(), Event: e, Prev: l.head.Hash}
	line, err := r.seal()
	if err != nil {
		return Record{}, err
	}
	l.torn = true
	if _, err := l.f.Write(line); err != nil {
		return Record{}, fmt.Errorf("write audit record: %w", err)
	}
	if err := l.f.Sync(); err != nil {
		return Record{}, fmt.Errorf("sync audit record: %w", err)
	}
	l.torn, l.size, l.head = false, l.size+int64(len(line)), Head{Seq: r.Seq, Hash: r.Hash}
	return r, nil
}

// repair cuts bytes that do not belong to a whole record.
func (l *Log) repair() error {
	if !l.torn {
		return nil
	}
	if err := l.f.Truncate(l.size); err != nil {
		return err
	}
	if err := l.f.Sync(); err != nil {
		return err
	}
	l.torn = false
	return nil
}

// Head returns the end of the chain.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Snapshot copies all whole records to w and returns the head they end in.
func (l *Log) Snapshot(w io.Writer) (Head, error) {
	l.mu.Lock()
	head, size := l.head, l.size
	l.mu.Unlock()
	f, err := os.Open(l.path)
	if err != nil {
		return Head{}, fmt.Errorf("open audit log: %w", err)
	}
	defer f.Close()
	if _, err := io.CopyN(w, f, size); err != nil {
		return Head{}, fmt.Errorf("copy audit log: %w", err)
	}
	return head, nil
}

// Close closes the file. Records are on disk already.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}

// syncDir makes the creation or renaming of a file in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// reencode returns the line r must have in the file, judged from its content and prev alone.
func reencode(r Record, prev string) ([]byte, error) {
	r.Prev = prev
	line, err := r.seal()
	return bytes.TrimSuffix(line, []byte("\n")), err
}
