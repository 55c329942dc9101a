package runbook_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook"
)

func TestApprovedCalledVerified(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		p := r.approve()
		require.Equal(t, 1, r.end.calls())
		require.JSONEq(t, `{"resource":"db-0","cause":"db-0/disk"}`, r.end.bodies[0])
		h := r.end.requests[0]
		require.Equal(t, p.Key, h.Get("webhook-id"))
		require.Equal(t, p.Key, h.Get("Idempotency-Key"))
		require.Equal(t, "application/json", h.Get("Content-Type"))

		r.keepFresh(3*time.Minute, nil)
		require.Equal(t, runbook.StateVerifying, r.one().State)
		require.Equal(t, "7 of 12 series are outside their band", r.one().Waiting)
		r.base.set(true, nil)
		r.keepFresh(time.Minute, nil)
		require.Equal(t, runbook.StateVerifying, r.one().State, "well for a minute is not two")
		r.keepFresh(2*time.Minute, nil)

		p = r.one()
		require.Equal(t, runbook.StateVerified, p.State)
		require.Equal(t, runbook.VerdictVerified, p.Verdict)
		require.Equal(t, "ann", p.ApprovedBy)
		require.Equal(t, 1.0, r.count(runbook.VerdictVerified))
		require.Equal(t, []string{"suggested", "approved", "call.started", "call.intent", "call.result", "verifying", "verdict"}, r.mem.actions())
		problems, err := testutil.GatherAndLint(r.reg)
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}

func TestARecoveryThatBreaksBeginsAnew(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.approve()
		for range 4 { // Well for 90 s, four times: never two minutes in a row.
			r.base.set(true, nil)
			r.keepFresh(90*time.Second, nil)
			r.base.set(false, nil)
			r.keepFresh(10*time.Second, nil)
		}
		require.Equal(t, runbook.StateVerifying, r.one().State)
		r.base.set(true, nil)
		r.keepFresh(time.Minute, nil)
		r.base.set(true, errors.New("Prometheus does not answer"))
		r.keepFresh(10*time.Second, nil)
		require.Contains(t, r.one().Waiting, "it cannot be told: Prometheus does not answer")
	})
}

func TestNoRecoveryInTime(t *testing.T) {
	for name, tc := range map[string]struct {
		anomalies int
		want      runbook.Verdict
	}{
		"as bad as before":  {7, runbook.VerdictNotVerified},
		"worse than before": {9, runbook.VerdictHarmful},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, failover, func(r *rig) {
				r.approve()
				r.keepFresh(11*time.Minute, func(i *runbook.Incident) { i.Anomalies = tc.anomalies })
				require.Equal(t, runbook.StateFailed, r.one().State)
				require.Equal(t, tc.want, r.one().Verdict)
				require.Equal(t, 1.0, r.count(tc.want))
			})
		})
	}
}

func TestVerificationByExpression(t *testing.T) {
	inBubble(t, failover[:len(failover)-len("  verify: {for: 2m, timeout: 10m}\n")]+"  verify: {expr: 'up == 1', for: 1m}\n", func(r *rig) {
		r.base.set(true, nil)
		r.approve()
		r.keepFresh(2*time.Minute, nil)
		require.Equal(t, runbook.StateVerified, r.one().State)
		require.Equal(t, "up == 1", r.base.expr)
	})
}

func TestProposingIsDeterministicAndIdempotent(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		first := r.m.Propose(incident())
		require.Equal(t, first, r.m.Propose(incident()))
		require.Equal(t, []string{"suggested"}, r.mem.actions())
		require.Regexp(t, "^[0-9a-f]{16}$", first[0].ID)

		i := incident()
		i.Cause = "db-0/disk/sda"
		again := r.m.Propose(i)
		require.Equal(t, first[0].ID, again[0].ID)
		require.JSONEq(t, `{"resource":"db-0","cause":"db-0/disk/sda"}`, string(again[0].Body), "a suggestion follows the incident")

		i.CauseKind = "deploy"
		require.Equal(t, runbook.StateExpired, r.m.Propose(i)[0].State)
		i.CauseKind = "disk"
		require.Equal(t, runbook.StateSuggested, r.m.Propose(i)[0].State, "the cause came back")
		i.Resolved = true
		require.Equal(t, runbook.StateExpired, r.m.Propose(i)[0].State)
		require.Zero(t, r.end.calls())
	})
}

func TestWhatIsApprovedIsWhatIsSent(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		require.NoError(t, r.m.Pause(t.Context(), "ann", ""))
		require.NoError(t, r.m.Resume(t.Context(), "ann", ""))
		r.net.err = errors.New("no route")
		r.approve()
		i := incident()
		i.Resource = "db-1"
		r.m.Propose(i)
		r.net.mu.Lock()
		r.net.err = nil
		r.net.mu.Unlock()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, r.end.calls())
		require.JSONEq(t, `{"resource":"db-0","cause":"db-0/disk"}`, r.end.bodies[0])
	})
}

func TestApprovalIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg    string
		before func(r *rig, id string)
		by     string
		want   string
	}{
		"without a name":         {failover, nil, "", "an approval needs a name"},
		"of a suggested runbook": {failover + "  roles: [admin]\n", nil, "ann", "you may not approve this runbook"},
		"of a runbook that is only suggested": {
			`[{name: a, matchers: ['cause_kind="disk"'], url: "http://x.example"}]`, nil, "ann",
			`runbook "a" has mode suggest, Tidemark does not call it`,
		},
		"while paused": {failover, func(r *rig, _ string) { require.NoError(r.t, r.m.Pause(r.t.Context(), "bob", "x")) }, "ann", "actions are paused"},
		"on stale data": {failover, func(r *rig, _ string) {
			i := incident()
			i.DataTime = time.Now().Add(-10 * time.Minute)
			r.m.Propose(i)
		}, "ann", "stands on data 10m0s old, at most 3m0s is acted upon"},
		"of a resolved incident": {failover, func(r *rig, _ string) {
			i := incident()
			i.Resolved = true
			r.m.Propose(i)
		}, "ann", "is expired"},
		"twice": {failover, func(r *rig, id string) {
			_, err := r.m.Approve(r.t.Context(), id, "bob")
			require.NoError(r.t, err)
		}, "ann", "only a suggested one"},
		"after a rejection": {failover, func(r *rig, id string) {
			_, err := r.m.Reject(r.t.Context(), id, "bob")
			require.NoError(r.t, err)
		}, "ann", "is rejected"},
		"of a body that misses a label": {
			`[{name: a, mode: approve, matchers: ['cause_kind="disk"'], url: "http://x.example", body: {x: "{{ .Labels.rack }}"}}]`,
			nil, "ann", `nothing sound to send: body.x`,
		},
		"when the runbook was changed": {failover, func(r *rig, _ string) {
			require.NoError(r.t, r.m.ApplyConfig(config(r.t, failover+"  method: PUT\n")))
		}, "ann", "was changed after it was suggested"},
		"when the runbook is gone": {failover, func(r *rig, _ string) { require.NoError(r.t, r.m.ApplyConfig(nil)) }, "ann", "no longer configured"},
		"when the disk fails":      {failover, func(r *rig, _ string) { r.mem.setFail(errors.New("no space left on device")) }, "ann", "no space left"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, tc.cfg, func(r *rig) {
				id := r.m.Propose(incident())[0].ID
				if tc.before != nil {
					tc.before(r, id)
				}
				before := r.one().State
				_, err := r.m.Approve(t.Context(), id, tc.by)
				require.ErrorContains(t, err, tc.want)
				if before == runbook.StateSuggested {
					require.Equal(t, runbook.StateSuggested, r.one().State)
					synctest.Wait()
					require.Zero(t, r.end.calls())
				}
			})
		})
	}
}

func TestUnknownProposal(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		_, err := r.m.Approve(t.Context(), "nope", "ann")
		require.ErrorIs(t, err, runbook.ErrNotFound)
		_, err = r.m.Reject(t.Context(), "nope", "ann")
		require.ErrorIs(t, err, runbook.ErrNotFound)
	})
}

func TestLimitPerTargetAndHour(t *testing.T) {
	inBubble(t, failover+"  limits: {per_target: 1, per_hour: 2}\n", func(r *rig) {
		r.approve()
		other := func(id, resource string) error {
			i := incident()
			i.ID, i.Resource = id, resource
			_, err := r.m.Approve(t.Context(), r.m.Propose(i)[0].ID, "ann")
			synctest.Wait()
			return err
		}
		require.ErrorContains(t, other("i-2", "db-0"), `limits.per_target: runbook "failover" was called 1 times for "db-0/disk db-0" within an hour`)
		require.NoError(t, other("i-3", "db-1"))
		require.ErrorContains(t, other("i-4", "db-2"), "limits.per_hour: runbook \"failover\" was called 2 times")
		require.Equal(t, 2, r.end.calls())
		time.Sleep(time.Hour)
		require.NoError(t, other("i-5", "db-0"))
	})
}

func TestTwoApprovalsAtOnceDoNotPassALimit(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.net.err = errors.New("no route")
		a, b := incident(), incident()
		b.ID = "i-2"
		pa, pb := r.m.Propose(a)[0], r.m.Propose(b)[0]
		_, errA := r.m.Approve(t.Context(), pa.ID, "ann")
		_, errB := r.m.Approve(t.Context(), pb.ID, "ann")
		require.NoError(t, errA)
		synctest.Wait()
		states := map[runbook.State]int{}
		for _, p := range r.m.List() {
			states[p.State]++
		}
		require.Equal(t, 1, states[runbook.StateCalling])
		if errB == nil {
			require.Equal(t, 1, states[runbook.StateApproved], "the second waits")
		}
	})
}

func TestPauseStopsAttemptsAndSurvivesARestart(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.end.answer = func(n int, w http.ResponseWriter, _ *http.Request, act func()) {
			if n < 3 {
				w.WriteHeader(503)
				return
			}
			act()
		}
		r.approve()
		require.Equal(t, 1, r.end.calls())
		require.NoError(t, r.m.Pause(t.Context(), "bob", "not now"))
		r.keepFresh(5*time.Minute, nil)
		require.Equal(t, 1, r.end.calls())
		require.Equal(t, runbook.StateApproved, r.one().State)
		require.Equal(t, "actions are paused", r.one().Waiting)

		r.stop()
		r.open()
		require.Equal(t, "not now", r.m.Paused().Reason)
		r.keepFresh(5*time.Minute, nil)
		require.Equal(t, 1, r.end.calls())

		require.NoError(t, r.m.Resume(t.Context(), "bob", "go on"))
		r.keepFresh(5*time.Minute, nil)
		require.Equal(t, 3, r.end.calls())
		require.Equal(t, 1, r.end.raw())
	})
}

func TestPauseWorksOnAFullDisk(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.mem.setFail(errors.New("no space left on device"))
		require.ErrorContains(t, r.m.Pause(t.Context(), "bob", ""), "not over a restart: ")
		require.True(t, r.m.Paused().Paused)
		require.Error(t, r.m.Resume(t.Context(), "bob", ""))
		require.True(t, r.m.Paused().Paused, "a resume that is not recorded does not count")
	})
}

func TestUnreadableSwitchIsAPause(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.stop()
		r.mem.values["pause"] = []byte("{")
		r.open()
		require.True(t, r.m.Paused().Paused)
	})
}

func TestUnreadableProposalsAreLeftAlone(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		p := r.m.Propose(incident())[0]
		r.stop()
		good := r.mem.values["proposal/"+p.ID]
		var future map[string]any
		require.NoError(t, json.Unmarshal(good, &future))
		future["v"], future["state"] = 99, "approved"
		newer, err := json.Marshal(future)
		require.NoError(t, err)
		for name, value := range map[string][]byte{
			"half": good[:len(good)/2], "empty": nil, "newer": newer, "other key": []byte(`{"v":1,"id":"zz","state":"approved"}`),
		} {
			r.mem.values["proposal/"+p.ID] = value
			r.open()
			require.Empty(t, r.m.List(), name)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Zero(t, r.end.calls(), name)
			r.stop()
			require.Equal(t, value, r.mem.values["proposal/"+p.ID], "left as it was")
		}
	})
}

func TestApprovalExpires(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.m.Propose(incident())
		require.NoError(t, r.m.Pause(t.Context(), "bob", ""))
		require.NoError(t, r.m.Resume(t.Context(), "bob", ""))
		p := r.one()
		// The data goes stale right after the approval, and no view comes for longer than ttl.
		_, err := r.m.Approve(t.Context(), p.ID, "ann")
		require.NoError(t, err)
		require.NoError(t, r.m.Pause(t.Context(), "bob", ""))
		synctest.Wait()
		calls := r.end.calls()
		r.keepFresh(31*time.Minute, nil)
		require.NoError(t, r.m.Resume(t.Context(), "bob", ""))
		r.keepFresh(time.Minute, nil)
		require.Equal(t, calls, r.end.calls())
	})
}

func TestSuggestionOfAnIncidentThatIsGoneExpires(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		r.m.Propose(incident())
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		require.Equal(t, runbook.StateSuggested, r.one().State)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, runbook.StateExpired, r.one().State)
		time.Sleep(31 * 24 * time.Hour)
		synctest.Wait()
		require.Empty(t, r.m.List(), "what ended a month ago is dropped")
		require.Empty(t, r.mem.values)
	})
}

func TestChangedRunbookIsApprovedAnew(t *testing.T) {
	inBubble(t, failover, func(r *rig) {
		p := r.m.Propose(incident())[0]
		require.NoError(t, r.m.Pause(t.Context(), "x", ""))
		require.NoError(t, r.m.Resume(t.Context(), "x", ""))
		i := incident()
		i.DataTime = time.Now().Add(-2*time.Minute - 59*time.Second)
		r.m.Propose(i)
		r.stop() // Approved while nothing dispatches, then another configuration.
		_, err := r.m.Approve(t.Context(), p.ID, "ann")
		require.NoError(t, err)
		r.cfg = config(t, failover+"  method: PUT\n")
		r.open()
		r.keepFresh(time.Minute, nil)
		require.Equal(t, runbook.StateSuggested, r.one().State)
		require.Contains(t, r.one().Reason, "approve it anew")
		require.Zero(t, r.end.calls())
		_, err = r.m.Approve(t.Context(), p.ID, "ann")
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, r.end.calls())
	})
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	mem, base := newMemory(), &baseline{}
	for want, deps := range map[string]runbook.Deps{
		"no store":     {Audit: mem, Verifier: base},
		"no audit log": {Store: mem, Verifier: base},
		"no verifier":  {Store: mem, Audit: mem},
	} {
		_, err := runbook.New(nil, deps)
		require.ErrorContains(t, err, want)
	}
	cfg, err := parseConfig(failover)
	require.NoError(t, err)
	_, err = runbook.New(cfg, runbook.Deps{Store: mem, Audit: mem, Verifier: base})
	require.ErrorContains(t, err, "was not validated")
}
