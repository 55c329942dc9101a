package progress

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// screen is what a terminal of one line shows after what was written to it.
func screen(written string) string {
	var line []rune
	column := 0
	for _, r := range written {
		if r == '\r' {
			column = 0
			continue
		}
		if column == len(line) {
			line = append(line, ' ')
		}
		line[column] = r
		column++
	}
	return strings.TrimRight(string(line), " ")
}

func TestTheLineSaysHowFarARunIs(t *testing.T) {
	const empty, half, full = "[>                             ]", "[===============>              ]", "[==============================]"
	for _, c := range []struct {
		name string
		tell func(b *Bar, pass func(time.Duration))
		want string
	}{
		{"nothing before the first share", func(*Bar, func(time.Duration)) {}, ""},
		{"the begin has no time left yet", func(b *Bar, _ func(time.Duration)) { b.Set(0) }, "Learning " + empty + "   0 %"},
		{"half of it after ten seconds leaves ten", func(b *Bar, pass func(time.Duration)) {
			pass(10 * time.Second)
			b.Set(.5)
		}, "Learning " + half + "  50 %  10s left"},
		{"a shorter line leaves nothing of the longer", func(b *Bar, pass func(time.Duration)) {
			pass(10 * time.Second)
			b.Set(.5)
			pass(time.Second)
			b.Set(1)
		}, "Learning " + full + " 100 %"},
		{"steps are counted", func(b *Bar, _ func(time.Duration)) { b.Of(3, 6) }, "Learning " + half + "  50 %  3 of 6"},
		{"no steps are all steps", func(b *Bar, _ func(time.Duration)) { b.Of(0, 0) }, "Learning " + full + " 100 %  0 of 0"},
		{"more than all is all", func(b *Bar, _ func(time.Duration)) { b.Set(1.5) }, "Learning " + full + " 100 %"},
		{"less than nothing is nothing", func(b *Bar, _ func(time.Duration)) { b.Set(-1) }, "Learning " + empty + "   0 %"},
		{"no number is nothing", func(b *Bar, _ func(time.Duration)) { b.Set(math.NaN()) }, "Learning " + empty + "   0 %"},
		{"quick changes are not drawn", func(b *Bar, pass func(time.Duration)) {
			b.Set(0)
			pass(every / 2)
			b.Set(.5)
		}, "Learning " + empty + "   0 %"},
		{"the end is drawn at once", func(b *Bar, _ func(time.Duration)) {
			b.Set(0)
			b.Set(1)
		}, "Learning " + full + " 100 %"},
		{"done leaves an empty line", func(b *Bar, _ func(time.Duration)) {
			b.Set(.5)
			b.Done()
			b.Set(.6)
			b.Done()
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var out bytes.Buffer
			c.tell(newBar(&out, "Learning", func() time.Time { return now }), func(d time.Duration) { now = now.Add(d) })
			require.Equal(t, c.want, screen(out.String()))
			require.NotContains(t, out.String(), "\n")
			require.LessOrEqual(t, len(screen(out.String())), 79)
		})
	}
}

func TestNoTerminalIsToldNothing(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	var buf bytes.Buffer
	for _, w := range []io.Writer{file, null, &buf, nil} {
		b := New(w, "Learning")
		b.Set(.5)
		b.Of(1, 2)
		b.Done()
	}
	require.Zero(t, buf.Len())
	info, err := file.Stat()
	require.NoError(t, err)
	require.Zero(t, info.Size())
	(*Bar)(nil).Set(1)
	(*Bar)(nil).Done()
}

func TestWorkersMayTellAtTheSameTime(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, "Backtesting", time.Now)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { b.Of(i, 8) })
	}
	wg.Wait()
	b.Done()
	require.Empty(t, screen(out.String()))
}
