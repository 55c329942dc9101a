//go:build unix

package state_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/state"
)

// appendUntilKilled is the child of TestNothingAcknowledgedIsLostByKill: eight writers append numbers and
// print each one after its acknowledgement.
func appendUntilKilled(dir, first string) {
	from, _ := strconv.Atoi(first)
	l, err := state.OpenLog(state.LogOptions{Dir: dir, SegmentBytes: 16 << 10})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := from + w; ; i += 8 {
				if l.Append(context.Background(), 1, fmt.Appendf(nil, "%d", i)) != nil {
					return
				}
				out.Lock()
				fmt.Println(i)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// A process that is killed at any moment loses nothing that it acknowledged.
func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	if dir := os.Getenv("TIDEMARK_TEST_APPEND_DIR"); dir != "" {
		appendUntilKilled(dir, os.Getenv("TIDEMARK_TEST_APPEND_FROM"))
		return
	}
	dir := t.TempDir()
	acked := map[string]bool{}
	for round := range 25 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNothingAcknowledgedIsLostByKill$")
		cmd.Env = append(os.Environ(), "TIDEMARK_TEST_APPEND_DIR="+dir, fmt.Sprintf("TIDEMARK_TEST_APPEND_FROM=%d", round*1_000_000))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 1 + rand.IntN(20); n > 0 && lines.Scan(); n-- { // kill after a random number of acknowledgements
			acked[lines.Text()] = true
		}
		time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		for lines.Scan() {
			acked[lines.Text()] = true
		}
		_ = cmd.Wait()
	}
	l, err := state.OpenLog(state.LogOptions{Dir: dir})
	require.NoError(t, err)
	kept := map[string]bool{}
	report, err := l.Replay(state.Pos{}, func(_ state.Pos, _ byte, p []byte) error { kept[string(p)] = true; return nil })
	require.NoError(t, err)
	require.Greater(t, len(acked), 25)
	for n := range acked {
		require.True(t, kept[n], "%s was acknowledged and is gone", n)
	}
	for _, d := range report.Damaged {
		require.True(t, d.Torn)
	}
}
