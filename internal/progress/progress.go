// Package progress shows on a terminal how far a long run is: a bar, the share that is done, and the time
// that is left.
//
//	bar := progress.New(os.Stderr, "Replaying")
//	defer bar.Done()
//	for … { bar.Set(share) }
//
// Where the output is no terminal (a pipe, a file, a log of CI) nothing is written at all, so that scripts
// read the same output with and without it.
package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// width is the number of cells of the bar; the whole line fits into 79 columns.
	width = 30
	// every is the shortest time between two drawings: a terminal over ssh keeps up with ten a second.
	every = 100 * time.Millisecond
	// settled is the share from which the time left is worth telling, and with settledAfter how long the run
	// must have taken.
	settled      = 0.02
	settledAfter = time.Second
)

// Bar is one run's line on the terminal. The zero value and nil draw nothing. Safe for concurrent use.
type Bar struct {
	w    io.Writer // Nil: no terminal.
	what string
	now  func() time.Time

	mu    sync.Mutex
	begin time.Time
	drawn time.Time
	note  string
	share float64
	last  int // Columns of the line on the screen.
	done  bool
}

// New begins a bar on w, named by what is being done ("Learning"). When w is no terminal the bar draws nothing.
func New(w io.Writer, what string) *Bar {
	if !Terminal(w) {
		return &Bar{}
	}
	return newBar(w, what, time.Now)
}

func newBar(w io.Writer, what string, now func() time.Time) *Bar {
	return &Bar{w: w, what: what, now: now, begin: now()}
}

// Terminal says whether w is a character device, which is what a terminal is.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull && os.Getenv("TERM") != "dumb"
}

// Set tells the share of the run that is done, 0 to 1. What is outside is taken as the nearer end.
func (b *Bar) Set(share float64) {
	b.update(func() { b.share = share })
}

// Of tells that done of total steps are done; total 0 is a run without steps, which is done.
func (b *Bar) Of(done, total int) {
	share := 1.0
	if total > 0 {
		share = float64(done) / float64(total)
	}
	b.update(func() { b.share, b.note = share, fmt.Sprintf("%d of %d", done, total) })
}

// Done removes the bar from the screen: what is printed next begins at the left edge. Further calls do nothing.
func (b *Bar) Done() {
	if b == nil || b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done && b.last > 0 {
		fmt.Fprintf(b.w, "\r%s\r", strings.Repeat(" ", b.last))
	}
	b.done = true
}

func (b *Bar) update(set func()) {
	if b == nil || b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	set()
	if math.IsNaN(b.share) {
		b.share = 0
	}
	b.share = min(1, max(0, b.share))
	now := b.now()
	if b.done || (!b.drawn.IsZero() && now.Sub(b.drawn) < every && b.share < 1) {
		return
	}
	b.drawn = now
	line := b.line(now)
	columns := utf8.RuneCountInString(line)
	// A shorter line than the one before is followed by blanks over its rest.
	fmt.Fprintf(b.w, "\r%s%s", line, strings.Repeat(" ", max(0, b.last-columns)))
	b.last = max(columns, 0)
}

// line is for example "Replaying  [=========>          ]  43 %  12s left".
func (b *Bar) line(now time.Time) string {
	full := int(b.share * width)
	bar := strings.Repeat("=", full)
	if full < width {
		bar += ">" + strings.Repeat(" ", width-full-1)
	}
	line := fmt.Sprintf("%.20s [%s] %3d %%", b.what, bar, int(b.share*100))
	if b.note != "" {
		line += "  " + b.note
	}
	if took := now.Sub(b.begin); b.share >= settled && b.share < 1 && took >= settledAfter {
		left := time.Duration(float64(took) * (1 - b.share) / b.share)
		line += "  " + left.Round(time.Second).String() + " left"
	}
	return line
}
