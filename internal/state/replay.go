package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
)

// poisonLimit is how many crashes during the replay of one record are taken for chance.
const poisonLimit = 2

// keepBad bounds the files of damaged bytes that are kept for a look.
const keepBad = 64

// Damage is one place of the log that could not be used.
type Damage struct {
	Pos    Pos
	Bytes  int64
	Torn   bool   // an unfinished write at the end of a segment: nobody was told that it is kept
	Reason string // in words
	Saved  string // file with the bytes, empty when there is none
}

// Report says what a Replay found.
type Report struct {
	Records  int
	Bytes    int64 // of payloads
	Damaged  []Damage
	Segments int
}

// Replay calls fn for every record at or after from, in order of appending. Damaged places are copied
// beside the log, reported and stepped over; an error of fn ends the replay and is returned. The
// payload belongs to fn only during the call. Records appended meanwhile may or may not be seen. When from
// lies beyond the log, because its files were removed by hand, later records get positions after from.
//
// A record whose fn took the whole process down (not a panic that fn recovers from) is set aside at the
// third attempt: its position is written to a small file before the call and the file is removed after
// the last record.
func (l *Log) Replay(from Pos, fn func(pos Pos, kind byte, payload []byte) error) (Report, error) {
	segs, err := l.segments()
	if err != nil {
		return Report{}, err
	}
	l.mu.Lock()
	l.next = max(l.next, from.Segment+1)
	l.mu.Unlock()
	r := &replayer{log: l, fn: fn, poison: openPoison(l.opts.FS, filepath.Join(l.opts.Dir, "replaying"))}
	for _, seg := range segs {
		if seg < from.Segment {
			continue
		}
		start := int64(0)
		if seg == from.Segment {
			start = from.Offset
		}
		if err := r.segment(seg, start); err != nil {
			r.poison.close()
			return r.report, err
		}
	}
	r.poison.finish()
	return r.report, nil
}

type replayer struct {
	log    *Log
	fn     func(Pos, byte, []byte) error
	report Report
	poison *poison
}

func (r *replayer) segment(seg uint64, start int64) error {
	r.report.Segments++
	data, err := r.log.readSegment(seg)
	if err != nil {
		// Half a segment is better than none; what cannot be read is said below.
		r.damage(Damage{Pos: Pos{seg, int64(len(data))}, Reason: fmt.Sprintf("read: %v", err)}, nil)
	}
	return walk(data, func(at int, rec record) error {
		if int64(at) < start || rec.kind == kindProbe {
			return nil
		}
		return r.record(Pos{seg, int64(at)}, rec)
	}, func(g gap) {
		if int64(g.to) > start {
			r.damage(Damage{
				Pos: Pos{seg, int64(g.from)}, Bytes: int64(g.to - g.from),
				Torn: errors.Is(g.err, errTorn), Reason: g.err.Error(),
			}, data[g.from:g.to])
		}
	})
}

func (r *replayer) record(pos Pos, rec record) error {
	payload, err := rec.open(r.log.opts.MaxRecordBytes)
	if err != nil {
		r.damage(Damage{Pos: pos, Bytes: int64(rec.size()), Reason: err.Error()}, rec.payload)
		return nil
	}
	if r.poison.seen(pos) >= poisonLimit {
		r.damage(Damage{Pos: pos, Bytes: int64(rec.size()), Reason: "the process ended while this record was replayed, twice"}, rec.payload)
		return nil
	}
	r.poison.mark(pos)
	r.report.Records++
	r.report.Bytes += int64(len(payload))
	if err := r.fn(pos, rec.kind, payload); err != nil {
		return fmt.Errorf("replay record at %s: %w", pos, err)
	}
	return nil
}

func (r *replayer) damage(d Damage, raw []byte) {
	d.Saved = r.log.saveBad(d.Pos, raw)
	r.report.Damaged = append(r.report.Damaged, d)
	if d.Torn {
		r.log.opts.Logger.Info("Unfinished write at the end of a segment stepped over", "pos", d.Pos.String(), "bytes", d.Bytes)
		return
	}
	r.log.m.quarantined.Inc()
	r.log.opts.Logger.Error("Damaged record of the write-ahead log set aside",
		"pos", d.Pos.String(), "bytes", d.Bytes, "reason", d.Reason, "saved", d.Saved)
}

// saveBad keeps the bytes of a damaged place for a look, in a bounded number of files.
func (l *Log) saveBad(pos Pos, raw []byte) string {
	if len(bytes.Trim(raw, "\x00")) == 0 {
		return ""
	}
	names, err := l.opts.FS.ReadDir(l.opts.Dir)
	if err != nil {
		return ""
	}
	name := filepath.Join(l.opts.Dir, fmt.Sprintf("%010d-%d.bad", pos.Segment, pos.Offset))
	n := 0
	for _, other := range names {
		if other == filepath.Base(name) {
			return name // from an earlier start
		}
		if filepath.Ext(other) == ".bad" {
			n++
		}
	}
	if n >= keepBad {
		return ""
	}
	f, err := l.opts.FS.Create(name)
	if err != nil {
		return ""
	}
	_, err = f.Write(raw)
	if cerr := f.Close(); err != nil || cerr != nil {
		return ""
	}
	return name
}

// gap is a stretch of a segment without a usable frame.
type gap struct {
	from, to int
	err      error
}

// walk calls fn for each frame of a segment and bad for each stretch between frames. The last stretch is
// torn when it is the beginning of a frame or all zeros, as an unfinished write leaves it.
func walk(data []byte, fn func(at int, r record) error, bad func(gap)) error {
	salt, err := readSegmentHeader(data)
	if err != nil {
		bad(gap{0, len(data), err})
		return nil
	}
	for at := headerSize; at < len(data); {
		r, size, err := readFrame(data[at:], salt)
		if err == nil {
			if err := fn(at, r); err != nil {
				return err
			}
			at += size
			continue
		}
		next := len(data)
		if i := nextFrame(data[at+1:], salt); i >= 0 {
			next, err = at+1+i, errDamaged
		} else if len(bytes.Trim(data[at:], "\x00")) == 0 {
			err = errTorn
		}
		bad(gap{at, next, err})
		at = next
	}
	return nil
}

// poison remembers over restarts which record was being replayed. No fsync: it guards against a crash
// of the process, not of the machine. When the file cannot be kept the guard is off.
type poison struct {
	fs    FS
	name  string
	file  File
	last  Pos
	count uint32
}

const poisonSize = 8 + 8 + 4

func openPoison(fs FS, name string) *poison {
	p := &poison{fs: fs, name: name}
	if f, err := fs.Open(name); err == nil {
		var b [poisonSize]byte
		if n, _ := f.Read(b[:]); n == poisonSize {
			p.last = Pos{binary.LittleEndian.Uint64(b[:]), int64(binary.LittleEndian.Uint64(b[8:]))}
			p.count = binary.LittleEndian.Uint32(b[16:])
		}
		_ = f.Close()
	}
	if f, err := fs.OpenWrite(name); err == nil {
		p.file = f
	}
	return p
}

func (p *poison) seen(pos Pos) uint32 {
	if p.last == pos {
		return p.count
	}
	return 0
}

func (p *poison) mark(pos Pos) {
	if p.file == nil {
		return
	}
	// The crash before may be told from a later record only by its position: records before it are
	// marked with count 1, and the old mark is gone then. So a mark at the old place counts on.
	n := uint32(1)
	if p.last == pos {
		n = p.count + 1
	} else if p.last != (Pos{}) && pos.Less(p.last) {
		return // keep the mark of the place that crashed until it is reached again
	}
	var b [poisonSize]byte
	binary.LittleEndian.PutUint64(b[:], pos.Segment)
	binary.LittleEndian.PutUint64(b[8:], uint64(pos.Offset))
	binary.LittleEndian.PutUint32(b[16:], n)
	_, _ = p.file.WriteAt(b[:], 0)
}

func (p *poison) close() {
	if p.file != nil {
		_ = p.file.Close()
	}
}

func (p *poison) finish() {
	p.close()
	_ = p.fs.Remove(p.name)
}
