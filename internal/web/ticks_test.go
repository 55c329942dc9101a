package web

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTicksAreRoundTimes(t *testing.T) {
	from := time.Date(2026, 11, 3, 10, 30, 8, 0, time.UTC)
	for _, c := range []struct {
		name  string
		span  time.Duration
		first string
		n     int
	}{
		{"ten seconds", 10 * time.Second, "10:30:08", 6},
		{"a minute", time.Minute, "10:30:10", 6},
		{"twenty minutes", 20 * time.Minute, "10:35", 4},
		{"two hours", 2 * time.Hour, "10:45", 8},
		{"a day and a half", 36 * time.Hour, "Nov 3 12:00", 6},
		{"ten days", 10 * 24 * time.Hour, "Nov 5", 5},
		{"three years", 3 * 365 * 24 * time.Hour, "Apr 2027", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, layout := ticks(from, from.Add(c.span), 8)
			require.NotEmpty(t, at)
			require.Equal(t, c.first, at[0].Format(layout))
			require.Len(t, at, c.n)
			require.LessOrEqual(t, len(at), 9)
		})
	}
}
