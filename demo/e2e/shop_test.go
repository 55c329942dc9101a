package e2e_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/pager"
	"github.com/tidemark/tidemark/demo/stack"
)

// The demo's story, and worse: Tidemark is killed while its runbook is under way.
func TestAStormBecomesOneIncidentThatIsActedOnOnceThoughTidemarkIsKilled(t *testing.T) {
	t.Parallel()
	s := running(t, stack.Options{History: 28 * 24 * time.Hour})
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
	// What is abnormal now is asked for now: at the end, when every panel is looked at, nothing may be.
	eventually(t, soon, "Prometheus has what is abnormal", func(ctx context.Context) (bool, error) {
		worst, err := s.Prometheus.Query(ctx, `topk(20, tidemark_anomaly_score > 1)`)
		return len(worst) > 0, err
	})

	p := proposalFor(t, s, incident.Labels["incident"])
	require.NoError(t, s.Tidemark.Approve(t.Context(), p.ID))
	eventually(t, soon, "the runbook is called", func(context.Context) (bool, error) { return len(s.FailOver.Calls()) > 0, nil })
	var known map[string]bool
	eventually(t, soon, "Tidemark knows the storm", func(ctx context.Context) (bool, error) {
		before, err := s.Tidemark.Incidents(ctx)
		known = members(before)
		return len(known) >= 50, err
	})
	require.NoError(t, s.Tidemark.Kill())
	startTidemark(t, s)

	after, err := s.Tidemark.Incidents(t.Context())
	require.NoError(t, err)
	require.Subset(t, slices.Collect(maps.Keys(members(after))), slices.Collect(maps.Keys(known)), "what was known before the kill")
	require.True(t, slices.ContainsFunc(after, func(i stack.Incident) bool { return i.ID == incident.Labels["incident"] }), "the incident keeps its identity")
	eventually(t, later, "the call that was under way comes to its end, and the recovery is verified", func(ctx context.Context) (bool, error) {
		return proposalState(ctx, s, p.ID) == "verified", nil
	})
	eventually(t, later, "the pager is told of the end", func(context.Context) (bool, error) {
		return slices.ContainsFunc(s.Pager.Events(), func(e pager.Event) bool {
			return e.EventAction == pager.Resolve && e.DedupKey == first.DedupKey
		}), nil
	})
	require.Equal(t, 1, s.FailOver.Effects(), "one effect")
	for _, c := range s.FailOver.Calls() {
		require.Equal(t, p.Key, c.Key, "a repeated call has the same key")
	}
	require.Empty(t, triggers(s, false), "raw alerts are held back: Tidemark came back before its heartbeat ended")
	require.Empty(t, s.Pager.Refused())
	_, err = s.Tidemark.AuditVerify(t.Context())
	require.NoError(t, err)
	eventually(t, soon, "Prometheus has the verdict", func(ctx context.Context) (bool, error) {
		verified, err := s.Prometheus.Query(ctx, `increase(tidemark_runbook_calls_total{verdict="verified"}[2m]) > 0`)
		return len(verified) > 0, err
	})
	everyPanelShowsSomething(t, s.Prometheus.URL)
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
