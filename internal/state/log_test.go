package state_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/internal/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openLog(t testing.TB, fs state.FS, change ...func(*state.LogOptions)) *state.Log {
	t.Helper()
	o := state.LogOptions{Dir: "log", FS: fs}
	for _, c := range change {
		c(&o)
	}
	l, err := state.OpenLog(o)
	require.NoError(t, err)
	return l
}

type seen struct {
	pos     state.Pos
	kind    byte
	payload string
}

func replay(t testing.TB, l *state.Log, from state.Pos) ([]seen, state.Report) {
	t.Helper()
	var got []seen
	report, err := l.Replay(from, func(pos state.Pos, kind byte, payload []byte) error {
		got = append(got, seen{pos, kind, string(payload)})
		return nil
	})
	require.NoError(t, err)
	return got, report
}

func payloads(got []seen) []string {
	out := make([]string, len(got))
	for i, s := range got {
		out[i] = s.payload
	}
	return out
}

func TestReplayGivesWhatWasAppended(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs)
	ctx := context.Background()
	long := strings.Repeat("a long record that compresses ", 1000)
	require.NoError(t, l.Append(ctx, 1, []byte("first")))
	mid := l.End()
	require.NoError(t, l.Append(ctx, 2, []byte(long)))
	require.NoError(t, l.Append(ctx, 3, nil))
	require.NoError(t, l.Probe(ctx))
	require.NoError(t, l.Close())

	l = openLog(t, fs.powerLoss())
	got, report := replay(t, l, state.Pos{})
	require.Equal(t, []string{"first", long, ""}, payloads(got))
	require.Equal(t, []byte{1, 2, 3}, []byte{got[0].kind, got[1].kind, got[2].kind})
	require.Empty(t, report.Damaged)
	require.Equal(t, 3, report.Records)

	got, _ = replay(t, l, mid)
	require.Equal(t, []string{long, ""}, payloads(got), "a replay from a checkpoint starts after it")
	require.Equal(t, mid, got[0].pos)
	parsed, err := state.ParsePos(mid.String())
	require.NoError(t, err)
	require.Equal(t, mid, parsed)
}

func TestManyWritersShareOneFsync(t *testing.T) {
	fs, reg := newMemFS(), prometheus.NewRegistry()
	l := openLog(t, fs, func(o *state.LogOptions) { o.Registerer = reg; o.SegmentBytes = 4096 })
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := range 20 {
				if err := l.Append(context.Background(), 1, fmt.Appendf(nil, "%d/%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, l.Close())
	l = openLog(t, fs.powerLoss())
	got, report := replay(t, l, state.Pos{})
	require.Len(t, got, 64*20)
	require.Greater(t, report.Segments, 1)
	next := map[string]int{}
	for _, s := range got {
		w, i, _ := strings.Cut(s.payload, "/")
		require.Equal(t, fmt.Sprint(next[w]), i, "records of one writer stay in order")
		next[w]++
	}
	n, err := testutil.GatherAndCount(reg)
	require.NoError(t, err)
	require.Positive(t, n)
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// Every file operation fails once, in turn; after each, what was acknowledged must be there after a power
// loss, and the log must take writes again by itself.
func TestEveryFileOperationMayFail(t *testing.T) {
	run := func(fs *memFS) (acked []string) {
		l, err := state.OpenLog(state.LogOptions{Dir: "log", FS: fs, SegmentBytes: 200})
		if err != nil {
			return nil // the start fails loudly; nothing was acknowledged
		}
		defer func() { _ = l.Close() }()
		for i := range 12 {
			if p := fmt.Sprintf("record %d of the test", i); l.Append(context.Background(), 1, []byte(p)) == nil {
				acked = append(acked, p)
			}
		}
		return acked
	}
	clean := newMemFS()
	require.Len(t, run(clean), 12)
	total := clean.calls
	for _, how := range []int{opError, opShort} {
		for at := 1; at <= total; at++ {
			fs := newMemFS()
			fs.failAt = func(n int) int {
				if n == at {
					return how
				}
				return opOK
			}
			acked := run(fs)
			name := fmt.Sprintf("operation %d (%s)", at, fs.ops[at-1])
			if acked == nil {
				continue
			}
			require.GreaterOrEqual(t, len(acked), 11, "%s: more than the failed write was refused", name)
			for _, after := range []*memFS{fs.powerLoss(), fs.copied()} {
				got, report := replay(t, openLog(t, after), state.Pos{})
				require.Empty(t, missing(acked, payloads(got)), name)
				for _, d := range report.Damaged {
					require.True(t, d.Torn, "%s: %s", name, d.Reason)
				}
			}
		}
	}
}

func missing(want, got []string) []string {
	have := map[string]bool{}
	for _, g := range got {
		have[g] = true
	}
	var out []string
	for _, w := range want {
		if !have[w] {
			out = append(out, w)
		}
	}
	return out
}

// A writer may give up while its record waits for the disk, and use its buffer again.
func TestPayloadIsNotKept(t *testing.T) {
	fs := newMemFS()
	inSync, goOn := make(chan struct{}), make(chan struct{})
	first := true
	fs.failAt = func(int) int {
		if fs.ops[len(fs.ops)-1] == "write" && first {
			first = false
			close(inSync)
			<-goOn
		}
		return opOK
	}
	l := openLog(t, fs)
	lead := make(chan error)
	go func() { lead <- l.Append(context.Background(), 1, []byte("lead")) }()
	<-inSync
	ctx, cancel := context.WithCancel(context.Background())
	buf := []byte("mine")
	second, third := make(chan error), make(chan error)
	one := l.Pending()
	go func() { second <- l.Append(context.Background(), 1, []byte("second")) }() // leads the next batch
	for l.Pending() == one {
		runtime.Gosched()
	}
	two := l.Pending()
	go func() { third <- l.Append(ctx, 1, buf) }()
	for l.Pending() == two {
		runtime.Gosched()
	}
	cancel()
	require.ErrorIs(t, <-third, context.Canceled)
	copy(buf, "XXXX")
	close(goOn)
	require.NoError(t, <-lead)
	require.NoError(t, <-second)
	got, _ := replay(t, openLog(t, fs.powerLoss()), state.Pos{})
	require.ElementsMatch(t, []string{"lead", "second", "mine"}, payloads(got))
}

func TestFullDiskIsSaidAndHeals(t *testing.T) {
	fs := newMemFS()
	full := false
	fs.failAt = func(int) int {
		if full {
			return opShort
		}
		return opOK
	}
	l := openLog(t, fs)
	ctx := context.Background()
	require.NoError(t, l.Append(ctx, 1, []byte("before")))
	full = true
	for range 5 {
		require.ErrorIs(t, l.Append(ctx, 1, []byte("lost")), errIO)
	}
	_, err := l.Err()
	require.ErrorIs(t, err, errIO)
	full = false
	require.NoError(t, l.Probe(ctx))
	_, err = l.Err()
	require.NoError(t, err)
	require.NoError(t, l.Append(ctx, 1, []byte("after")))
	got, _ := replay(t, openLog(t, fs.powerLoss()), state.Pos{})
	require.Equal(t, []string{"before", "after"}, payloads(got))
}

func TestTornTailAtEveryByte(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs)
	for _, p := range []string{"one", "two", "the last one"} {
		require.NoError(t, l.Append(context.Background(), 1, []byte(p)))
	}
	name := fs.names(".wal")[0]
	whole := fs.read(name)
	got, _ := replay(t, l, state.Pos{})
	last := int(got[2].pos.Offset)
	for size := range len(whole) {
		fs.write(name, whole[:size])
		after := openLog(t, fs)
		got, report := replay(t, after, state.Pos{})
		if size >= last {
			require.Equal(t, []string{"one", "two"}, payloads(got), "cut at %d", size)
			require.LessOrEqual(t, len(report.Damaged), 1)
		}
		for _, d := range report.Damaged {
			require.True(t, d.Torn)
		}
		require.NoError(t, after.Append(context.Background(), 1, []byte("goes on")))
		got, _ = replay(t, after, state.Pos{})
		require.Equal(t, "goes on", got[len(got)-1].payload)
		require.NoError(t, after.Close())
		require.NoError(t, fs.Remove(fs.names(".wal")[1]))
	}
}

func TestZeroesAfterAPowerLossAreATornTail(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs)
	require.NoError(t, l.Append(context.Background(), 1, []byte("one")))
	name := fs.names(".wal")[0]
	fs.write(name, append(fs.read(name), make([]byte, 4096)...))
	got, report := replay(t, openLog(t, fs), state.Pos{})
	require.Equal(t, []string{"one"}, payloads(got))
	require.Len(t, report.Damaged, 1)
	require.True(t, report.Damaged[0].Torn)
	require.Empty(t, report.Damaged[0].Saved)
}

// One flipped bit costs at most the record it is in, and the report names it.
func TestFlippedBitsCostOneRecord(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fs := newMemFS()
	l := openLog(t, fs)
	const records = 20
	for i := range records {
		p := make([]byte, rng.IntN(300))
		for j := range p {
			p[j] = byte(rng.Uint32())
		}
		require.NoError(t, l.Append(context.Background(), byte(1+i), p))
	}
	name := fs.names(".wal")[0]
	whole := fs.read(name)
	for range 10_000 {
		bit := rng.IntN(len(whole) * 8)
		damaged := append([]byte(nil), whole...)
		damaged[bit/8] ^= 1 << (bit % 8)
		after := newMemFS()
		after.write(name, damaged)
		got, report := replay(t, openLog(t, after), state.Pos{})
		if len(got) < records {
			require.Len(t, got, records-1, "bit %d", bit)
			require.Len(t, report.Damaged, 1, "bit %d", bit)
			require.NotEmpty(t, report.Damaged[0].Saved)
		}
	}
}

func TestDamagedSegmentsAreSetAside(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs)
	require.NoError(t, l.Append(context.Background(), 1, []byte("one")))
	name := fs.names(".wal")[0]
	whole := fs.read(name)
	future := append([]byte(nil), whole...)
	for _, tc := range []struct {
		name   string
		bytes  []byte
		reason string
		torn   bool
	}{
		{"empty file", nil, "frame ends before its length", true},
		{"other file", []byte(strings.Repeat("hello", 100)), "segment header is damaged", false},
		{"both headers damaged", append(make([]byte, 42), future[42:]...), "segment header is damaged", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fs := newMemFS()
			fs.write(name, tc.bytes)
			after := openLog(t, fs)
			got, report := replay(t, after, state.Pos{})
			require.Empty(t, got)
			if len(tc.bytes) > 0 {
				require.Equal(t, tc.reason, report.Damaged[0].Reason)
				require.Equal(t, tc.torn, report.Damaged[0].Torn)
			}
			require.NoError(t, after.Append(context.Background(), 1, []byte("goes on")))
		})
	}
}

func TestPayloadThatLooksLikeAFrameStaysAPayload(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs)
	require.NoError(t, l.Append(context.Background(), 1, []byte("inner")))
	first := fs.read(fs.names(".wal")[0])
	// A whole segment of another log as payload, and then its own frame damaged: the reader looks for the
	// next frame inside it.
	victim := newMemFS()
	l = openLog(t, victim)
	require.NoError(t, l.Append(context.Background(), 1, first))
	name := victim.names(".wal")[0]
	whole := victim.read(name)
	got, _ := replay(t, l, state.Pos{})
	whole[got[0].pos.Offset+8] ^= 1 // its checksum
	victim.write(name, whole)
	got, report := replay(t, openLog(t, victim), state.Pos{})
	require.Empty(t, got)
	require.Len(t, report.Damaged, 1)
}

func TestTruncateBeforeDeletesOldSegmentsOnly(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs, func(o *state.LogOptions) { o.SegmentBytes = 100 })
	for i := range 20 {
		require.NoError(t, l.Append(context.Background(), 1, fmt.Appendf(nil, "record %d", i)))
	}
	before := len(fs.names(".wal"))
	got, _ := replay(t, l, state.Pos{})
	keep := got[10]
	require.NoError(t, l.TruncateBefore(keep.pos))
	require.Less(t, len(fs.names(".wal")), before)
	got, _ = replay(t, l, keep.pos)
	require.Equal(t, keep, got[0])
	require.Len(t, got, 10)
	require.NoError(t, l.TruncateBefore(state.Pos{Segment: 1 << 60}))
	require.Len(t, fs.names(".wal"), 1, "the segment in use stays")
}

// A position must never be given out twice: a record behind a stored checkpoint would be skipped.
func TestPositionsGrowOverRestarts(t *testing.T) {
	fs := newMemFS()
	var checkpoint state.Pos
	for round := range 5 {
		l := openLog(t, fs)
		if round == 3 {
			for _, name := range fs.names(".wal") {
				require.NoError(t, fs.Remove(name), "somebody deletes the log and keeps the store")
			}
			l = openLog(t, fs)
		}
		_, err := l.Replay(checkpoint, func(state.Pos, byte, []byte) error { return nil })
		require.NoError(t, err)
		if round == 1 {
			fs.failAt = func(int) int { return opError } // the numbers of segments are used up
			for range 3 {
				require.Error(t, l.Append(context.Background(), 1, nil))
			}
			fs.failAt = nil
			checkpoint = l.End()
			require.NoError(t, l.TruncateBefore(checkpoint))
			continue // nothing was written in this round
		}
		require.NoError(t, l.Append(context.Background(), 1, fmt.Appendf(nil, "round %d", round)))
		got, _ := replay(t, openLog(t, fs), checkpoint)
		require.Equal(t, []string{fmt.Sprintf("round %d", round)}, payloads(got))
		require.True(t, checkpoint.Less(l.End()))
		checkpoint = l.End()
		require.NoError(t, l.TruncateBefore(checkpoint))
		require.NoError(t, l.Close())
	}
}

func TestSegmentThatCannotBeDeletedIsTriedAgain(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs, func(o *state.LogOptions) { o.SegmentBytes = 50 })
	for range 3 {
		require.NoError(t, l.Append(context.Background(), 1, []byte("a record")))
	}
	fs.failAt = func(int) int { return opError }
	require.ErrorContains(t, l.TruncateBefore(l.End()), "delete segment 1 of the write-ahead log: input/output error")
	fs.failAt = nil
	require.NoError(t, l.TruncateBefore(l.End()))
	require.Len(t, fs.names(".wal"), 1)
}

func TestLimits(t *testing.T) {
	ctx := context.Background()
	t.Run("a record over the limit is refused", func(t *testing.T) {
		l := openLog(t, newMemFS(), func(o *state.LogOptions) { o.MaxRecordBytes = 10 })
		require.EqualError(t, l.Append(ctx, 1, make([]byte, 11)), "record of 11 bytes is larger than the limit of 10")
	})
	t.Run("a log without checkpoints ends at its size", func(t *testing.T) {
		l := openLog(t, newMemFS(), func(o *state.LogOptions) { o.SegmentBytes, o.MaxBytes = 100, 500 })
		var err error
		for range 100 {
			if err = l.Append(ctx, 1, []byte("a record of some length")); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, state.ErrFull)
		require.NoError(t, l.TruncateBefore(l.End()))
		require.NoError(t, l.Append(ctx, 1, []byte("room again")))
	})
	t.Run("kind 0 is the log's own", func(t *testing.T) {
		require.EqualError(t, openLog(t, newMemFS()).Append(ctx, 0, nil), "write-ahead log: kind 0 is reserved")
	})
	t.Run("nothing after Close", func(t *testing.T) {
		l := openLog(t, newMemFS())
		require.NoError(t, l.Close())
		require.ErrorIs(t, l.Append(ctx, 1, nil), state.ErrClosed)
	})
	t.Run("a context that has ended", func(t *testing.T) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, openLog(t, newMemFS()).Append(gone, 1, nil), context.Canceled)
	})
	t.Run("a folder is needed", func(t *testing.T) {
		_, err := state.OpenLog(state.LogOptions{})
		require.EqualError(t, err, "write-ahead log: Dir is missing")
	})
	t.Run("a position has two parts", func(t *testing.T) {
		_, err := state.ParsePos("12")
		require.EqualError(t, err, `log position "12" is not SEGMENT:OFFSET`)
	})
}

// A record that takes the process down is tried twice and then set aside; the others are not lost.
func TestPoisonousRecordIsSetAsideAtTheThirdStart(t *testing.T) {
	fs := newMemFS()
	l := openLog(t, fs)
	for _, p := range []string{"one", "poison", "three"} {
		require.NoError(t, l.Append(context.Background(), 1, []byte(p)))
	}
	start := func() (got []string, report state.Report, crashed bool) {
		defer func() { crashed = recover() != nil }()
		l := openLog(t, fs)
		report, err := l.Replay(state.Pos{}, func(_ state.Pos, _ byte, p []byte) error {
			if string(p) == "poison" {
				panic("the process ends here")
			}
			got = append(got, string(p))
			return nil
		})
		require.NoError(t, err)
		return got, report, false
	}
	for range 2 {
		_, _, crashed := start()
		require.True(t, crashed)
	}
	got, report, crashed := start()
	require.False(t, crashed)
	require.Equal(t, []string{"one", "three"}, got)
	require.Len(t, report.Damaged, 1)
	require.Equal(t, "the process ended while this record was replayed, twice", report.Damaged[0].Reason)
	require.NotEmpty(t, report.Damaged[0].Saved)
}

func TestReplayStopsAtAnErrorOfItsCaller(t *testing.T) {
	l := openLog(t, newMemFS())
	require.NoError(t, l.Append(context.Background(), 1, []byte("one")))
	stop := errors.New("stop")
	_, err := l.Replay(state.Pos{}, func(state.Pos, byte, []byte) error { return stop })
	require.ErrorIs(t, err, stop)
	require.ErrorContains(t, err, "replay record at 1:")
}

// A log that an earlier release wrote is read: the file is never to be made anew, a new format gets a file
// beside it.
func TestLogOfFormat1IsRead(t *testing.T) {
	old, err := os.ReadFile("testdata/log-v1.wal")
	require.NoError(t, err)
	fs := newMemFS()
	fs.write("log/0000000001.wal", old)
	got, report := replay(t, openLog(t, fs), state.Pos{})
	require.Equal(t, []string{"one", "", strings.Repeat("compressed ", 100)}, payloads(got))
	require.Equal(t, []byte{1, 2, 3}, []byte{got[0].kind, got[1].kind, got[2].kind})
	require.Empty(t, report.Damaged)

	future := bytes.Clone(old)
	for i := range 2 { // both copies of the header say version 2, with good checksums
		c := future[i*21 : i*21+21]
		c[8] = 2
		binary.LittleEndian.PutUint32(c[17:], crc32.Checksum(c[:17], crc32.MakeTable(crc32.Castagnoli)))
	}
	fs.write("log/0000000001.wal", future)
	got, report = replay(t, openLog(t, fs), state.Pos{})
	require.Empty(t, got)
	require.Equal(t, "segment has a version this release does not know: 2", report.Damaged[0].Reason)
	require.NotEmpty(t, report.Damaged[0].Saved, "it is kept for the release that knows it")
}

func FuzzReplay(f *testing.F) {
	fs := newMemFS()
	l := openLog(f, fs)
	for _, p := range []string{"one", "", strings.Repeat("three ", 500)} {
		if err := l.Append(context.Background(), 1, []byte(p)); err != nil {
			f.Fatal(err)
		}
	}
	whole := fs.read(fs.names(".wal")[0])
	f.Add(whole)
	f.Add(whole[:50])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := newMemFS()
		fs.write("log/0000000001.wal", b)
		_, report := replay(t, openLog(t, fs), state.Pos{})
		var bad int64
		for _, d := range report.Damaged {
			bad += d.Bytes
		}
		require.LessOrEqual(t, bad, int64(len(b)))
	})
}
