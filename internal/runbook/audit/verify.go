package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxProblems bounds a report: behind a broken line more of the same follows.
const maxProblems = 20

// Problem is one place where the chain does not hold.
type Problem struct {
	// Line counts from 1.
	Line int `json:"line"`
	// What says what is wrong there.
	What string `json:"what"`
}

// Error returns the problem as one line of text.
func (p Problem) Error() string { return fmt.Sprintf("line %d: %s", p.Line, p.What) }

// Report is the result of a verification.
type Report struct {
	// Records is the number of sound lines.
	Records int `json:"records"`
	// Head is the last record.
	Head Head `json:"head"`
	// Bytes is the size of the whole lines read before any torn end.
	Bytes int64 `json:"bytes"`
	// TornBytes is the length of a last line without its newline: a write that a crash cut short.
	TornBytes int64 `json:"torn_bytes"`
	// Problems are the broken places, at most 20.
	Problems []Problem `json:"problems,omitempty"`
}

// OK says whether every whole line holds.
func (r Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) add(line int, what string) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, Problem{Line: line, What: what})
	}
}

// Verify reads a whole log and reports where the chain is broken: a changed byte, a removed,
// inserted or reordered line, a torn end. A chain alone cannot tell that its last lines were cut
// off, or that all of it was written anew; heads that were kept elsewhere (the process log has one
// per record) can: the log must pass through each known one. The error is one of reading, not of
// the log.
func Verify(in io.Reader, known ...Head) (Report, error) {
	rep := Report{Head: Head{Hash: Genesis}}
	err := rep.read(in, known)
	for _, h := range known {
		if rep.Head.Seq < h.Seq {
			rep.add(rep.Records+1, fmt.Sprintf("log ends at record %d, the known head is record %d: records after %d were cut off",
				rep.Head.Seq, h.Seq, rep.Head.Seq))
		}
	}
	return rep, err
}

func (r *Report) read(in io.Reader, known []Head) error {
	br := bufio.NewReaderSize(in, maxLine)
	for n := 1; ; n++ {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			r.TornBytes = int64(len(line))
			return nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			r.add(n, fmt.Sprintf("longer than %d bytes: not a record", maxLine))
			return nil // Nothing behind an endless line can be placed.
		}
		if err != nil {
			return err
		}
		r.Bytes += int64(len(line))
		r.check(n, bytes.TrimSuffix(line, []byte("\n")))
		for _, h := range known {
			if h.Seq == r.Head.Seq && h.Hash != r.Head.Hash {
				r.add(n, fmt.Sprintf("record %d has another hash than the known head: the log was rewritten", h.Seq))
			}
		}
	}
}

// check judges one line against the head and moves the head when the line can be read at all, so
// that one flipped byte is one problem and not a problem of every line behind it.
func (r *Report) check(n int, line []byte) {
	var rec Record
	if err := json.Unmarshal(line, &rec); err != nil {
		r.add(n, fmt.Sprintf("not a record: %v", err))
		return
	}
	switch want, err := reencode(rec, r.Head.Hash); {
	case rec.Seq != r.Head.Seq+1:
		r.add(n, fmt.Sprintf("record %d follows record %d: a line was removed, inserted or moved", rec.Seq, r.Head.Seq))
	case rec.Prev != r.Head.Hash:
		r.add(n, fmt.Sprintf("record %d does not continue the record before it: one of the two was changed", rec.Seq))
	case err != nil || !bytes.Equal(want, line):
		r.add(n, fmt.Sprintf("record %d was changed: its hash does not fit its content", rec.Seq))
	default:
		r.Records++
	}
	r.Head = Head{Seq: rec.Seq, Hash: rec.Hash}
}
