package runbook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook"
)

// crashAt makes the process die at its nth write from now on (from 0), before or after the write
// took place: no write after it counts, until revive.
func (m *memory) crashAt(n int, after bool) (died func() bool) {
	count, dead := 0, false
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crash = func() (bool, bool) {
		defer func() { count++ }()
		if dead {
			return true, false
		}
		if count == n {
			dead = true
			return !after, after
		}
		return false, false
	}
	return func() bool { m.mu.Lock(); defer m.mu.Unlock(); return dead }
}

func (m *memory) revive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crash = nil
}

// live plays the whole life of one action from wherever it stands, and stops when the process dies.
func (r *rig) live(died func() bool) {
	for range 60 {
		if died() {
			return
		}
		for _, p := range r.m.Propose(incident()) {
			if p.State == runbook.StateSuggested {
				_, _ = r.m.Approve(r.t.Context(), p.ID, "ann") // A person tries again after an error.
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
	}
}

// TestKilledBetweenEveryStep kills the process before and after every write of an action's life,
// opens it again over what was on disk, and lets it go on.
func TestKilledBetweenEveryStep(t *testing.T) {
	answers := map[string]func(n int, w http.ResponseWriter, r *http.Request, act func()){
		"200": nil,
		"reset after the effect, then 200": func(n int, _ http.ResponseWriter, _ *http.Request, act func()) {
			act()
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
		},
		"503, then 200": func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
			if n == 1 {
				w.WriteHeader(503)
				return
			}
			act()
		},
	}
	for name, answer := range answers {
		for _, idempotent := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, idempotent %v", name, idempotent), func(t *testing.T) {
				points := 0
				for ; ; points++ {
					if !killedAt(t, idempotent, answer, points, false) {
						break
					}
					killedAt(t, idempotent, answer, points, true)
				}
				// From the suggestion to the result there are five steps, each with a record in the audit
				// log and one in the store; what is verified has more.
				require.GreaterOrEqual(t, points, 10)
			})
		}
	}
}

// killedAt runs one life with one death and says whether the death took place.
func killedAt(t *testing.T, idempotent bool, answer func(int, http.ResponseWriter, *http.Request, func()), point int, after bool) (happened bool) {
	t.Helper()
	cfg := failover
	if !idempotent {
		cfg = strings.Replace(failover, "idempotent: true", "idempotent: false", 1)
	}
	inBubble(t, cfg, func(r *rig) {
		where := fmt.Sprintf("killed at write %d, after it: %v", point, after)
		r.end.answer = answer
		r.base.set(true, nil)
		died := r.mem.crashAt(point, after)
		r.live(died)
		happened = died()
		r.stop()
		r.mem.revive()
		r.open()
		r.live(func() bool { return false })
		p := r.one()
		if idempotent {
			require.Equal(t, runbook.StateVerified, p.State, where+": "+p.Reason)
			require.Equal(t, 1, r.end.distinct(), where)
			return
		}
		require.LessOrEqual(t, r.end.raw(), 1, where)
		require.Contains(t, []runbook.State{runbook.StateVerified, runbook.StateUnknown}, p.State, where+": "+p.Reason)
		if p.State == runbook.StateVerified {
			require.Equal(t, 1, r.end.raw(), where)
		}
	})
	return happened
}

// TestKilledTwice kills the process in the first life and again in the second, at every pair of writes.
func TestKilledTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("every pair of deaths takes seconds")
	}
	for first := range 14 {
		for second := range 8 {
			inBubble(t, failover, func(r *rig) {
				r.base.set(true, nil)
				for _, point := range []int{first, second} {
					died := r.mem.crashAt(point, first%2 == 0)
					r.live(died)
					r.stop()
					r.mem.revive()
					r.open()
				}
				r.live(func() bool { return false })
				require.Equal(t, runbook.StateVerified, r.one().State, "killed at %d and %d: %s", first, second, r.one().Reason)
				require.Equal(t, 1, r.end.distinct())
			})
		}
	}
}
