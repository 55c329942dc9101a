package baseline_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/baseline"
)

func TestConfigMistakesSayWhatWouldBeRight(t *testing.T) {
	for text, want := range map[string]string{
		"budget: {per_series: -1}":     "baseline: budget.per_series is -1; it must be a positive number of false alarms, 1 if in doubt",
		"budget: {window: 5m}":         "baseline: budget.window is 5m; it must be at least 1h, 10d if in doubt",
		"budget: {total_per_week: -2}": "baseline: budget.total_per_week is -2; it must be 0 (no bound) or a positive number",
		"time_zone: Mars/Base":         `baseline: time_zone is "Mars/Base"; it must be a name of the IANA database such as Europe/Berlin or UTC`,
		"weekend: [sat]":               `baseline: weekend has "sat"; a day is written saturday, friday, …`,
		"interval: 10ms":               "baseline: interval is 10ms; it must be between 1s and 1d",
		"history: 500d":                "baseline: history is 500d; it must be between 0 (learn from now on) and 400d",
		"holidays: {days: [24.12.]}":   `baseline: holidays.days has "24.12."; a day is written 2026-12-24, or 12-24 for every year`,
		"holidays: {country: XX}":      `baseline: holidays.country is "XX"; it must be one of AT, AU, BE, CA, CH, CZ, DE, DK, ES, FR, GB, IE, IT, JP, NL, NO, NZ, PL, SE, US`,
	} {
		var c baseline.Config
		require.EqualError(t, yaml.Unmarshal([]byte(text), &c), want, text)
	}
	var c baseline.Config
	require.NoError(t, yaml.Unmarshal([]byte("budget: {per_series: 2}"), &c))
	want := baseline.DefaultConfig()
	want.Budget.PerSeries = 2
	require.Equal(t, want, c)
}
