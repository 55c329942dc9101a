package correlate_test

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
)

var t0 = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestALoneAlertIsItsOwnIncident(t *testing.T) {
	e := correlate.NewEngine(correlate.DefaultConfig(), correlate.Deps{})
	e.Alerts(t0, []*model.Alert{{
		Labels:   model.LabelSet{"alertname": "HighErrorRate", "service": "cart", "severity": "critical"},
		StartsAt: t0,
	}})
	require.Empty(t, e.Step(t0), "told before the wait was over")
	events := e.Step(t0.Add(3 * time.Second))
	require.Len(t, events, 1)
	require.Equal(t, correlate.EventOpened, events[0].Type)
	i := events[0].Incident
	require.Equal(t, "HighErrorRate on cart", i.Title)
	require.Equal(t, "critical", i.Severity)
	require.Equal(t, "cart", i.Causes[0].Entity.Name)
	require.Len(t, i.Alerts, 1)
}
