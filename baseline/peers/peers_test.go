package peers_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/peers"
)

// Every method is quiet on a clean daily rhythm but for the settling, and every method but those
// that are known to be blind sees a value ten times as high.
func TestEveryMethod(t *testing.T) {
	blindToSpike := map[string]bool{"grafana-robust": true} // it tests one-hour medians
	for _, m := range peers.All() {
		t.Run(m.Name, func(t *testing.T) {
			const perDay = 288
			s := m.New(5 * time.Minute)
			rhythm := func(i int) float64 {
				return 100 + 10*math.Sin(2*math.Pi*float64(i)/perDay) + math.Sin(float64(i*i%97))
			}
			loud := 0
			n := 15 * perDay
			for i := range n {
				x := s.Score(int64(i)*300e3, rhythm(i))
				require.False(t, math.IsNaN(x) || x < 0)
				if i > 14*perDay && x > 1 {
					loud++
				}
			}
			require.Less(t, loud, perDay/5, "samples of the last day outside the band")
			seen := s.Score(int64(n)*300e3, 10*rhythm(n)) > 1
			require.Equal(t, !blindToSpike[m.Name], seen)
		})
	}
}

func TestGrafanaRulesLoseASeriesThatFallsToZero(t *testing.T) {
	for _, m := range peers.All()[4:] {
		s := m.New(time.Minute)
		for i := range 3 * 1440 {
			s.Score(int64(i)*60e3, 100)
		}
		for i := range 60 {
			require.Zero(t, s.Score(int64(3*1440+i)*60e3, 0))
		}
	}
}
