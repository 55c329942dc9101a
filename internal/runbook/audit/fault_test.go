package audit

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sick is a file whose nth call fails; a failing write has put half of its bytes down.
type sick struct {
	data  []byte
	calls int
	fail  int
}

func fixed() time.Time { return time.Unix(0, 0) }

var errDisk = errors.New("no space left on device")

func (s *sick) bad() bool { s.calls++; return s.calls == s.fail }

func (s *sick) Write(p []byte) (int, error) {
	if s.bad() {
		s.data = append(s.data, p[:len(p)/2]...)
		return len(p) / 2, errDisk
	}
	s.data = append(s.data, p...)
	return len(p), nil
}

func (s *sick) Sync() error {
	if s.bad() {
		return errDisk
	}
	return nil
}

func (s *sick) Truncate(size int64) error {
	if s.bad() {
		return errDisk
	}
	s.data = s.data[:size]
	return nil
}

func (s *sick) Close() error { return nil }

// TestEveryCallToTheDiskFailsOnce: whatever fails, what was acknowledged is whole, what was not is
// not there, and the log goes on by itself.
func TestEveryCallToTheDiskFailsOnce(t *testing.T) {
	for fail := 1; ; fail++ {
		f := &sick{fail: fail}
		l := &Log{f: f, now: fixed, head: Head{Hash: Genesis}}
		var acked []string
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			if r, err := l.Append(Event{Action: name, Actor: "x"}); err == nil {
				require.EqualValues(t, len(acked)+1, r.Seq)
				acked = append(acked, name)
			}
		}
		if f.calls < fail {
			require.Greater(t, fail, 10, "write and sync of five records")
			return
		}
		require.GreaterOrEqual(t, len(acked), 3)
		f.fail = 0
		_, err := l.Append(Event{Action: "z"}) // Cuts what the last failure may have left.
		require.NoError(t, err)
		acked = append(acked, "z")
		rep, err := Verify(bytes.NewReader(f.data))
		require.NoError(t, err)
		require.True(t, rep.OK(), rep.Problems)
		require.Equal(t, len(acked), rep.Records)
		require.Equal(t, l.Head(), rep.Head)
	}
}

// TestATruncationThatFailsIsTriedAgain: two failures in a row, of a write and of its repair.
func TestATruncationThatFailsIsTriedAgain(t *testing.T) {
	f := &sick{fail: 3}
	l := &Log{f: f, now: fixed, head: Head{Hash: Genesis}}
	_, err := l.Append(Event{Action: "a"})
	require.NoError(t, err)
	_, err = l.Append(Event{Action: "b"})
	require.ErrorIs(t, err, errDisk)
	f.fail = f.calls + 1
	_, err = l.Append(Event{Action: "c"})
	require.ErrorContains(t, err, "repair audit log")
	r, err := l.Append(Event{Action: "d"})
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Seq)
	rep, err := Verify(bytes.NewReader(f.data))
	require.NoError(t, err)
	require.True(t, rep.OK())
	require.Equal(t, 2, rep.Records)
}
