package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/pager"
	"github.com/tidemark/tidemark/demo/stack"
)

func TestAStormBecomesOneIncidentThatIsActedOnOnce(t *testing.T) {
	t.Parallel()
	s := running(t, stack.Options{History: 4 * week})
	calm(t, s)
	inject(t, s, "disk")
	storm(t, s, 50)

	var posted []stack.Alert
	eventually(t, later, "Alertmanager has one incident with a cause", func(ctx context.Context) (bool, error) {
		var err error
		posted, err = s.Alertmanager.Alerts(ctx, `alertname="TidemarkIncident"`)
		if len(posted) != 1 || !strings.HasPrefix(posted[0].Annotations["cause"], "db-primary") {
			return false, err
		}
		// The first post tells what was affected by then; it grows with the storm.
		affected := posted[0].Annotations["affected"]
		return strings.Contains(affected, "12 web servers") && strings.Contains(affected, "3 APIs") && strings.Contains(affected, "database"), err
	})
	incident := posted[0]
	require.NotEmpty(t, incident.Labels["incident"])
	require.NotEmpty(t, incident.Annotations["confidence"])
	require.NotEmpty(t, incident.Annotations["evidence"])
	require.NotEmpty(t, incident.Annotations["action"])

	eventually(t, soon, "the pager rings", func(context.Context) (bool, error) { return len(triggers(s, true)) > 0, nil })
	first := triggers(s, true)[0]
	require.Contains(t, first.Payload.CustomDetails["cause"], "db-primary", "the first page names the cause")
	require.Empty(t, triggers(s, false), "raw alerts are held back")
	require.Empty(t, s.Pager.Refused())

	p := proposalFor(t, s, incident.Labels["incident"])
	require.NoError(t, s.Tidemark.Approve(t.Context(), p.ID))
	eventually(t, soon, "the runbook is called", func(context.Context) (bool, error) { return s.FailOver.Effects() == 1, nil })
	eventually(t, later, "the recovery is verified", func(ctx context.Context) (bool, error) {
		return proposalState(ctx, s, p.ID) == "verified", nil
	})
	eventually(t, later, "the pager is told of the end", func(context.Context) (bool, error) {
		return slices.ContainsFunc(s.Pager.Events(), func(e pager.Event) bool {
			return e.EventAction == pager.Resolve && e.DedupKey == first.DedupKey
		}), nil
	})
	require.Len(t, s.FailOver.Calls(), 1, "one call")
	_, err := s.Tidemark.AuditVerify(t.Context())
	require.NoError(t, err)
}

// proposalFor waits for the runbook that is proposed for an incident.
func proposalFor(t *testing.T, s *stack.Stack, incident string) stack.Proposal {
	t.Helper()
	var found stack.Proposal
	eventually(t, soon, "a runbook is proposed", func(ctx context.Context) (bool, error) {
		list, err := s.Tidemark.Proposals(ctx)
		for _, p := range list {
			if p.Incident.ID == incident && p.State == "suggested" {
				found = p
			}
		}
		return found.ID != "", err
	})
	return found
}

func proposalState(ctx context.Context, s *stack.Stack, id string) string {
	list, err := s.Tidemark.Proposals(ctx)
	if err != nil {
		return ""
	}
	for _, p := range list {
		if p.ID == id {
			return p.State
		}
	}
	return ""
}

func TestKilledInTheStormNothingIsLostAndNothingIsDoneTwice(t *testing.T) {
	t.Parallel()
	s := running(t, stack.Options{History: week})
	inject(t, s, "disk")
	storm(t, s, 30)

	var known map[string]bool
	var incident stack.Incident
	eventually(t, later, "an incident of the database has a runbook", func(ctx context.Context) (bool, error) {
		all, err := s.Tidemark.Incidents(ctx)
		known = members(all)
		for _, i := range all {
			if strings.HasPrefix(i.Cause(), "db-primary") {
				incident = i
			}
		}
		return incident.ID != "" && len(known) >= 30, err
	})
	p := proposalFor(t, s, incident.ID)
	require.NoError(t, s.Tidemark.Approve(t.Context(), p.ID))
	eventually(t, soon, "the runbook is called", func(context.Context) (bool, error) { return len(s.FailOver.Calls()) > 0, nil })
	require.NoError(t, s.Tidemark.Kill())

	startTidemark(t, s)
	all, err := s.Tidemark.Incidents(t.Context())
	require.NoError(t, err)
	after := members(all)
	for m := range known {
		require.True(t, after[m], "alert %s was known before the kill", m)
	}
	require.True(t, slices.ContainsFunc(all, func(i stack.Incident) bool { return i.ID == incident.ID }),
		"incident %s keeps its identity", incident.ID)
	eventually(t, later, "the call that was under way comes to its end", func(ctx context.Context) (bool, error) {
		return proposalState(ctx, s, p.ID) == "verified", nil
	})
	require.Equal(t, 1, s.FailOver.Effects(), "one effect")
	for _, c := range s.FailOver.Calls() {
		require.Equal(t, p.Key, c.Key, "a repeated call has the same key")
	}
	require.Empty(t, triggers(s, false), "Tidemark came back before its heartbeat ended")
}

// members are the alerts of all incidents, by name and labels.
func members(all []stack.Incident) map[string]bool {
	out := map[string]bool{}
	for _, i := range all {
		for _, a := range i.Alerts {
			out[a.Labels["alertname"]+" "+a.Labels["instance"]+" "+a.Labels["backend"]+a.Labels["device"]] = true
		}
	}
	return out
}

// heartbeatLife is how long the heartbeat outlives Tidemark, a fixed part of the contract with
// Alertmanager; flush is how soon the example's route notices after that.
const (
	heartbeatLife = 120 * time.Second
	flush         = 30 * time.Second
)

func TestKilledForGoodRawAlertsPageWithinTheHeartbeatsLife(t *testing.T) {
	t.Parallel()
	s := running(t, stack.Options{History: week})
	inject(t, s, "disk")
	storm(t, s, 30)
	eventually(t, soon, "an incident pages", func(context.Context) (bool, error) { return len(triggers(s, true)) > 0, nil })
	eventually(t, soon, "the direct copies are held back", func(ctx context.Context) (bool, error) {
		direct, err := s.Alertmanager.Alerts(ctx, `path="direct"`)
		return len(direct) >= 30 && !slices.ContainsFunc(direct, func(a stack.Alert) bool { return !a.Inhibited }), err
	})
	require.Empty(t, triggers(s, false))

	require.NoError(t, s.Tidemark.Kill())
	killed := time.Now()
	eventually(t, heartbeatLife+flush, "raw alerts page", func(context.Context) (bool, error) { return len(triggers(s, false)) > 0, nil })
	t.Logf("raw alerts paged %s after the kill", time.Since(killed).Round(time.Second))
	require.Empty(t, s.Pager.Refused())

	startTidemark(t, s)
	eventually(t, soon, "raw alerts are held back again", func(ctx context.Context) (bool, error) {
		direct, err := s.Alertmanager.Alerts(ctx, `path="direct"`)
		return len(direct) > 0 && !slices.ContainsFunc(direct, func(a stack.Alert) bool { return !a.Inhibited }), err
	})
}
