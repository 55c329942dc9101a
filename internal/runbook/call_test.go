package runbook_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook"
)

// TestEndpointsThatMisbehave has the endpoint act as soon as a request with a new key is read, and
// then fail to say so in every way; it must have acted once, and Tidemark must know what it knows.
func TestEndpointsThatMisbehave(t *testing.T) {
	written := 0
	for name, tc := range map[string]struct {
		extra   string // Configuration beside the usual.
		answer  func(n int, w http.ResponseWriter, r *http.Request, act func())
		state   runbook.State
		calls   int
		effects int
		reason  string
		check   func(r *rig)
	}{
		"30 s slow, every time": {
			answer: func(_ int, _ http.ResponseWriter, _ *http.Request, act func()) { act(); time.Sleep(30 * time.Second) },
			state:  runbook.StateUnknown, calls: 5, effects: 1, reason: "after 5 attempts: no answer within 15s",
		},
		"200 after our timeout, at once the second time": {
			answer: func(n int, _ http.ResponseWriter, _ *http.Request, act func()) {
				act()
				if n == 1 {
					time.Sleep(16 * time.Second)
				}
			},
			state: runbook.StateVerifying, calls: 2, effects: 1, reason: "answered 200 OK",
		},
		"500 five times": {
			answer: func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(500) },
			state:  runbook.StateFailed, calls: 5, reason: "after 5 attempts: the endpoint answered 500 Internal Server Error",
		},
		"500 five times, then 200": {
			extra: "  attempts: 6\n",
			answer: func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
				if n <= 5 {
					w.WriteHeader(500)
					return
				}
				act()
			},
			state: runbook.StateVerifying, calls: 6, effects: 1, reason: "answered 200 OK",
			check: func(r *rig) {
				gap := r.end.times[5].Sub(r.end.times[4])
				require.GreaterOrEqual(r.t, gap, time.Minute, "after five failures the endpoint is left alone")
			},
		},
		"429 with Retry-After": {
			answer: func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
				if n == 1 {
					w.Header().Set("Retry-After", "90")
					w.WriteHeader(429)
					return
				}
				act()
			},
			state: runbook.StateVerifying, calls: 2, effects: 1, reason: "answered 200 OK",
			check: func(r *rig) { require.Equal(r.t, 90*time.Second, r.end.times[1].Sub(r.end.times[0])) },
		},
		"503 with a date in Retry-After": {
			answer: func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
				if n == 1 {
					w.Header().Set("Retry-After", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat))
					w.WriteHeader(503)
					return
				}
				act()
			},
			state: runbook.StateVerifying, calls: 2, effects: 1, reason: "answered 200 OK",
			check: func(r *rig) { require.Equal(r.t, 2*time.Minute, r.end.times[1].Sub(r.end.times[0])) },
		},
		"Retry-After beyond the time to live": {
			answer: func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
				w.Header().Set("Retry-After", "7200")
				w.WriteHeader(429)
			},
			state: runbook.StateFailed, calls: 1, reason: "the approval is older than ttl (30m); the last attempt: the endpoint answered 429",
		},
		"410": {
			answer: func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(410) },
			state:  runbook.StateFailed, calls: 1, reason: "after 1 attempt: the endpoint answered 410 Gone",
		},
		"302 to the metadata service": {
			answer: func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
				w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
				w.WriteHeader(302)
			},
			state: runbook.StateFailed, calls: 1, reason: "a redirect; redirects are not followed",
			check: func(r *rig) { require.Equal(r.t, 1, r.net.dials) },
		},
		"reset after the body, every time": {
			answer: func(_ int, _ http.ResponseWriter, _ *http.Request, act func()) { act(); panic(http.ErrAbortHandler) },
			state:  runbook.StateUnknown, calls: 5, effects: 1, reason: "the connection broke before an answer",
		},
		"reset after the body, then 200": {
			answer: func(n int, _ http.ResponseWriter, _ *http.Request, act func()) {
				act()
				if n < 3 {
					panic(http.ErrAbortHandler)
				}
			},
			state: runbook.StateVerifying, calls: 3, effects: 1, reason: "answered 200 OK",
		},
		"an answer that never ends": {
			answer: func(_ int, w http.ResponseWriter, r *http.Request, act func()) {
				act()
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			},
			state: runbook.StateVerifying, calls: 1, effects: 1, reason: "answered 200 OK",
		},
		"an answer of 1 GB": {
			answer: func(_ int, w http.ResponseWriter, _ *http.Request, act func()) {
				act()
				chunk := []byte(strings.Repeat("x", 64<<10))
				for written = 0; written < 1<<30; written += len(chunk) {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			},
			state: runbook.StateVerifying, calls: 1, effects: 1, reason: "answered 200 OK",
			check: func(r *rig) { require.LessOrEqual(r.t, written, 4*runbook.MaxAnswer, "the rest is not read") },
		},
		"a header that never ends": {
			answer: func(_ int, w http.ResponseWriter, _ *http.Request, act func()) {
				act()
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				for err == nil {
					_, err = conn.Write([]byte("X-Header: " + strings.Repeat("x", 1000) + "\r\n"))
				}
			},
			state: runbook.StateUnknown, calls: 5, effects: 1, reason: "the connection broke before an answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, failover+tc.extra, func(r *rig) {
				r.end.answer = tc.answer
				r.approve()
				r.keepFresh(9*time.Minute, nil)
				if tc.state == runbook.StateFailed && tc.calls == 1 {
					r.keepFresh(25*time.Minute, nil)
				}
				p := r.one()
				require.Equal(t, tc.state, p.State, p.Reason)
				require.Contains(t, p.Reason, tc.reason)
				require.Equal(t, tc.calls, r.end.calls())
				require.Equal(t, tc.effects, r.end.distinct(), "effects by key")
				for _, h := range r.end.requests {
					require.Equal(t, p.Key, h.Get("Webhook-Id"), "one key over all attempts")
				}
				if tc.check != nil {
					tc.check(r)
				}
				if tc.state == runbook.StateUnknown {
					require.Equal(t, 1.0, r.count(runbook.VerdictUnknown))
				}
			})
		})
	}
}

// TestWithoutIdempotence: an endpoint that knows no keys must not be asked twice once it may have acted.
func TestWithoutIdempotence(t *testing.T) {
	cfg := strings.Replace(failover, "idempotent: true", "idempotent: false", 1)
	for name, tc := range map[string]struct {
		answer func(n int, w http.ResponseWriter, r *http.Request, act func())
		state  runbook.State
		calls  int
	}{
		"slow": {func(_ int, _ http.ResponseWriter, _ *http.Request, act func()) { act(); time.Sleep(time.Minute) }, runbook.StateUnknown, 1},
		"reset after the body": {func(_ int, _ http.ResponseWriter, _ *http.Request, act func()) {
			act()
			panic(http.ErrAbortHandler)
		}, runbook.StateUnknown, 1},
		"500": {func(_ int, w http.ResponseWriter, _ *http.Request, act func()) { act(); w.WriteHeader(500) }, runbook.StateFailed, 1},
		"503, then 200": {func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
			if n == 1 {
				w.WriteHeader(503)
				return
			}
			act()
		}, runbook.StateVerifying, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cfg, func(r *rig) {
				r.end.answer = tc.answer
				r.approve()
				r.keepFresh(5*time.Minute, nil)
				require.Equal(t, tc.state, r.one().State)
				require.Equal(t, tc.calls, r.end.calls())
				require.Equal(t, 1, r.end.raw())
			})
		})
	}
	t.Run("not connected, then 200", func(t *testing.T) {
		inBubble(t, cfg, func(r *rig) {
			r.net.err = errors.New("no route to host")
			r.approve()
			r.net.mu.Lock()
			r.net.err = nil
			r.net.mu.Unlock()
			r.keepFresh(time.Minute, nil)
			require.Equal(t, 1, r.end.raw())
			require.Equal(t, runbook.StateVerifying, r.one().State)
		})
	})
}

func TestAnUnknownOutcomeAsksAPerson(t *testing.T) {
	for _, verb := range []string{"approve", "reject"} {
		t.Run(verb, func(t *testing.T) {
			inBubble(t, strings.Replace(failover, "idempotent: true", "idempotent: false", 1), func(r *rig) {
				r.end.answer = func(n int, _ http.ResponseWriter, _ *http.Request, act func()) {
					if n == 1 {
						panic(http.ErrAbortHandler)
					}
					act()
				}
				r.approve()
				p := r.one()
				require.Equal(t, runbook.StateUnknown, p.State)
				require.Contains(t, p.Reason, "look, then approve to call again with the same key, or reject")
				r.keepFresh(time.Minute, nil)
				require.Equal(t, 1, r.end.calls(), "nothing happens by itself")
				if verb == "reject" {
					_, err := r.m.Reject(t.Context(), p.ID, "bob")
					require.NoError(t, err)
					require.Equal(t, 1.0, r.count(runbook.VerdictUnknown))
					return
				}
				_, err := r.m.Approve(t.Context(), p.ID, "bob")
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, 2, r.end.calls())
				require.Equal(t, p.Key, r.end.requests[1].Get("webhook-id"))
				require.Equal(t, "bob", r.one().ApprovedBy)
			})
		})
	}
}

func TestOneRunbookDoesNotHinderAnother(t *testing.T) {
	const cfg = `
- {name: slow, matchers: ['cause_kind="disk"'], url: "http://slow.example", mode: approve, limits: {per_target: 10, per_hour: 10, concurrent: 2}}
- {name: fast, matchers: ['cause_kind="disk"'], url: "http://fast.example", mode: approve, limits: {per_target: 10, per_hour: 10}}
`
	inBubble(t, cfg, func(r *rig) {
		r.end.answer = func(_ int, _ http.ResponseWriter, q *http.Request, act func()) {
			if strings.HasPrefix(q.Host, "slow") {
				time.Sleep(14 * time.Second)
			}
			act()
		}
		for n := range 3 {
			i := incident()
			i.ID = fmt.Sprint("i-", n)
			for _, p := range r.m.Propose(i) {
				_, err := r.m.Approve(t.Context(), p.ID, "ann")
				require.NoError(t, err)
			}
		}
		synctest.Wait()
		states := map[string]int{}
		for _, p := range r.m.List() {
			states[p.Runbook+" "+string(p.State)]++
		}
		require.Equal(t, 2, states["slow calling"], states)
		require.Equal(t, 1, states["slow approved"], states)
		require.Zero(t, states["fast approved"]+states["fast calling"], states)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Equal(t, 6, r.end.raw(), "the one that waited had its turn")
	})
}

func TestAnOpenBreakerHoldsNewCallsBack(t *testing.T) {
	inBubble(t, failover+"  limits: {per_target: 10}\n", func(r *rig) {
		r.end.answer = func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
			if n <= 5 {
				w.WriteHeader(500)
				return
			}
			act()
		}
		r.approve()
		for r.end.calls() < 5 {
			r.keepFresh(5*time.Second, nil)
		}
		i := incident()
		i.ID = "i-2"
		p := r.m.Propose(i)[0]
		_, err := r.m.Approve(t.Context(), p.ID, "ann")
		require.NoError(t, err)
		synctest.Wait()
		p, err = r.m.Get(p.ID)
		require.NoError(t, err)
		require.Equal(t, "the endpoint failed 5 times in a row, it is left alone for a minute", p.Waiting)
		time.Sleep(time.Minute)
		synctest.Wait()
		p, err = r.m.Get(p.ID)
		require.NoError(t, err)
		require.Contains(t, []runbook.State{runbook.StateCalled, runbook.StateVerifying}, p.State)
	})
}

func TestResolvedIncidentEndsTheWaiting(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.end.answer = func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(503) }
		r.approve()
		i := incident()
		i.Resolved = true
		r.m.Propose(i)
		synctest.Wait()
		require.Equal(t, runbook.StateFailed, r.one().State)
		require.Contains(t, r.one().Reason, "the incident is resolved; the last attempt: the endpoint answered 503")
		calls := r.end.calls()
		time.Sleep(time.Hour)
		require.Equal(t, calls, r.end.calls())
	})
}

func TestStaleDataStopsFurtherAttempts(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.end.answer = func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
			if n == 1 {
				w.Header().Set("Retry-After", "300")
				w.WriteHeader(503)
				return
			}
			act()
		}
		r.approve()
		time.Sleep(6 * time.Minute) // Nobody says how the incident stands.
		synctest.Wait()
		require.Equal(t, 1, r.end.calls())
		require.Contains(t, r.one().Waiting, "at most 3m0s is acted upon")
		r.keepFresh(time.Minute, nil)
		require.Equal(t, 2, r.end.calls())
	})
}

func TestAStopWaitsForTheResultOfACall(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.end.answer = func(_ int, _ http.ResponseWriter, _ *http.Request, act func()) { time.Sleep(10 * time.Second); act() }
		r.approve()
		require.True(t, r.one().InFlight)
		r.stop()
		require.Equal(t, runbook.StateCalled, r.one().State)
		r.open()
		r.keepFresh(time.Minute, nil)
		require.Equal(t, 1, r.end.calls())
	})
}

func TestAResultIsKeptUntilTheDiskTakesIt(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.end.answer = func(_ int, _ http.ResponseWriter, _ *http.Request, act func()) {
			act()
			r.mem.setFail(errors.New("no space left on device"))
		}
		r.approve()
		r.keepFresh(time.Minute, nil)
		require.True(t, r.one().InFlight)
		r.mem.setFail(nil)
		r.keepFresh(10*time.Second, nil)
		require.Equal(t, runbook.StateVerifying, r.one().State)
		require.Equal(t, 1, r.end.calls())
	})
}
