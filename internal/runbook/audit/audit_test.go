package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook/audit"
)

func clock() func() time.Time {
	t := time.Date(2026, 11, 22, 9, 0, 0, 123456789, time.FixedZone("CET", 3600))
	return func() time.Time { t = t.Add(time.Second); return t }
}

// filled writes a log of n records and returns its path and bytes.
func filled(t *testing.T, n int) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, _, err := audit.Open(path, clock())
	require.NoError(t, err)
	for i := range n {
		_, err := l.Append(audit.Event{
			Action: "approved", Actor: "ann", Runbook: "failover", Incident: "i-1",
			Proposal: fmt.Sprintf("p-%d", i), Detail: map[string]string{"body": `{"x":"<&é\u2028"}`, "state": "approved"},
		})
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return path, data
}

func verify(t *testing.T, data []byte) audit.Report {
	t.Helper()
	rep, err := audit.Verify(bytes.NewReader(data))
	require.NoError(t, err)
	return rep
}

func TestSoundLogVerifies(t *testing.T) {
	_, data := filled(t, 5)
	rep := verify(t, data)
	require.True(t, rep.OK())
	require.Equal(t, 5, rep.Records)
	require.EqualValues(t, 5, rep.Head.Seq)
	require.EqualValues(t, len(data), rep.Bytes)
	require.Zero(t, rep.TornBytes)
}

func TestEveryChangedByteIsFound(t *testing.T) {
	_, data := filled(t, 2)
	for i := range data {
		for _, bit := range []int{0, 5} { // The next character, and the other case.
			changed := bytes.Clone(data)
			changed[i] ^= 1 << bit
			rep := verify(t, changed)
			// A newline made of another byte, or unmade at the end, shows as a torn or broken line.
			require.Falsef(t, rep.OK() && rep.TornBytes == 0, "byte %d (%q), bit %d", i, data[i], bit)
		}
	}
}

func TestChangedOrderAndMissingLinesAreFound(t *testing.T) {
	_, data := filled(t, 5)
	lines := strings.SplitAfter(string(data), "\n")[:5]
	join := func(order ...int) []byte {
		var b strings.Builder
		for _, i := range order {
			b.WriteString(lines[i])
		}
		return []byte(b.String())
	}
	for name, tc := range map[string]struct {
		data []byte
		line int
		what string
	}{
		"two lines swapped":      {join(0, 2, 1, 3, 4), 2, "removed, inserted or moved"},
		"a line removed":         {join(0, 1, 3, 4), 3, "removed, inserted or moved"},
		"the first line removed": {join(1, 2, 3, 4), 1, "removed, inserted or moved"},
		"a line twice":           {join(0, 1, 1, 2, 3, 4), 3, "removed, inserted or moved"},
		"a line of text":         {[]byte(lines[0] + "hello\n" + lines[1]), 2, "not a record"},
		"an empty line":          {[]byte(lines[0] + "\n" + lines[1]), 2, "not a record"},
		"a field renamed":        {[]byte(strings.Replace(string(data), `"actor"`, `"Actor"`, 1)), 1, "was changed"},
		"a field added":          {[]byte(strings.Replace(string(data), `{"seq"`, `{"note":"x","seq"`, 1)), 1, "was changed"},
		"another person":         {[]byte(strings.Replace(string(data), `"ann"`, `"bob"`, 1)), 1, "was changed"},
		"a line without end":     {[]byte(strings.Repeat("x", 300<<10)), 1, "not a record"},
	} {
		t.Run(name, func(t *testing.T) {
			rep := verify(t, tc.data)
			require.NotEmpty(t, rep.Problems)
			require.Equal(t, tc.line, rep.Problems[0].Line)
			require.Contains(t, rep.Problems[0].What, tc.what)
		})
	}
}

func TestLinesCutFromTheEndAreFoundByAKnownHead(t *testing.T) {
	_, data := filled(t, 5)
	full := verify(t, data)
	lines := strings.SplitAfter(string(data), "\n")
	cut, err := audit.Verify(strings.NewReader(strings.Join(lines[:3], "")), full.Head)
	require.NoError(t, err)
	require.Equal(t, "line 4: log ends at record 3, the known head is record 5: records after 3 were cut off", cut.Problems[0].Error())

	middle := verify(t, []byte(strings.Join(lines[:3], ""))).Head
	rep, err := audit.Verify(bytes.NewReader(data), middle, full.Head)
	require.NoError(t, err)
	require.True(t, rep.OK(), "a log that goes on behind a known head is sound")

	rep, err = audit.Verify(bytes.NewReader(data), audit.Head{Seq: 3, Hash: full.Head.Hash})
	require.NoError(t, err)
	require.Contains(t, rep.Problems[0].What, "rewritten")
}

func TestTornLastLineIsCutAndTheLogGoesOn(t *testing.T) {
	path, data := filled(t, 3)
	ends := []int{0}
	for i, b := range data {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	for cut := ends[2]; cut < ends[3]; cut += 13 {
		require.NoError(t, os.WriteFile(path, data[:cut], 0o600))
		l, rec, err := audit.Open(path, clock())
		require.NoError(t, err)
		require.NoError(t, rec.Damage)
		require.EqualValues(t, cut-ends[2], rec.TornBytes)
		_, err = l.Append(audit.Event{Action: "rejected", Actor: "ann"})
		require.NoError(t, err)
		require.NoError(t, l.Close())
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		rep := verify(t, after)
		require.True(t, rep.OK(), rep.Problems)
		want := 3
		if cut > ends[2] {
			want = 4 // The repair is a record too.
		}
		require.Equal(t, want, rep.Records)
	}
}

func TestDamagedLogIsMovedAsideAndTheStartGoesOn(t *testing.T) {
	path, data := filled(t, 3)
	data[40] ^= 1
	require.NoError(t, os.WriteFile(path, data, 0o600))
	l, rec, err := audit.Open(path, clock())
	require.NoError(t, err)
	require.Error(t, rec.Damage)
	kept, err := os.ReadFile(rec.Quarantined)
	require.NoError(t, err)
	require.Equal(t, data, kept)
	require.EqualValues(t, 1, l.Head().Seq, "the new log begins with what happened")
	var out bytes.Buffer
	head, err := l.Snapshot(&out)
	require.NoError(t, err)
	require.Equal(t, head, verify(t, out.Bytes()).Head)
	require.Contains(t, out.String(), filepath.Base(rec.Quarantined))
	require.NoError(t, l.Close())
}

func TestReopenedLogContinuesTheChain(t *testing.T) {
	path, _ := filled(t, 2)
	l, rec, err := audit.Open(path, clock())
	require.NoError(t, err)
	require.Zero(t, rec)
	r, err := l.Append(audit.Event{Action: "paused", Actor: "ann"})
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Seq)
	require.NoError(t, l.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 3, verify(t, data).Records)
}

func TestTooLongRecordIsRefusedAndHarmsNothing(t *testing.T) {
	l, _, err := audit.Open(filepath.Join(t.TempDir(), "a"), nil)
	require.NoError(t, err)
	_, err = l.Append(audit.Event{Action: "x", Actor: strings.Repeat("a", 300<<10)})
	require.ErrorContains(t, err, "at most 262144 are kept")
	r, err := l.Append(audit.Event{Action: "x", Actor: "a"})
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Seq)
	require.NoError(t, l.Close())
}

func TestHeadIsReadAsItIsWritten(t *testing.T) {
	h := audit.Head{Seq: 12, Hash: strings.Repeat("ab", 32)}
	got, err := audit.ParseHead(h.String())
	require.NoError(t, err)
	require.Equal(t, h, got)
	for _, bad := range []string{"", "12", "12:", "x:" + h.Hash, h.String() + "0", " " + h.String(), "-1:" + h.Hash} {
		_, err := audit.ParseHead(bad)
		require.ErrorContains(t, err, "want SEQ:HASH", bad)
	}
}

func FuzzVerify(f *testing.F) {
	path := filepath.Join(f.TempDir(), "a")
	l, _, err := audit.Open(path, clock())
	require.NoError(f, err)
	for range 3 {
		_, err = l.Append(audit.Event{Action: "approved", Actor: "ann"})
		require.NoError(f, err)
	}
	require.NoError(f, l.Close())
	data, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(data)
	f.Add(data[:len(data)-7])
	f.Add([]byte("{}\n"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		rep, err := audit.Verify(bytes.NewReader(in))
		require.NoError(t, err)
		// What verifies is what the log would write: sound bytes can only be whole sound records.
		if rep.OK() {
			require.Equal(t, bytes.Count(in, []byte("\n")), rep.Records)
		}
	})
}
