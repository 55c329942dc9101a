package stormtest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/stormtest"
)

func TestASeedGivesTheSameStorm(t *testing.T) {
	first, second := stormtest.Generate(3, stormtest.Options{}), stormtest.Generate(3, stormtest.Options{})
	require.Equal(t, first, second)
	require.NotEqual(t, stormtest.Generate(3, stormtest.Options{}).Events, stormtest.Generate(4, stormtest.Options{}).Events)
}

func TestTheTruthScoresFull(t *testing.T) {
	s := stormtest.Generate(5, stormtest.Options{Incidents: 3})
	groups := map[string][]string{}
	for f, inc := range s.Truth {
		groups[inc] = append(groups[inc], f)
	}
	var a stormtest.Answer
	for inc, members := range groups {
		a.Groups = append(a.Groups, members)
		a.Causes = append(a.Causes, []stormtest.Cause{{Entity: s.Incidents[inc].Root, Confidence: 1}})
	}
	f := s.Score(a)
	require.InDelta(t, 1, f.PairF1, 1e-9)
	require.InDelta(t, 1, f.B3F1, 1e-9)
	require.InDelta(t, 1, f.Split, 1e-9)
	require.InDelta(t, 1, f.Reduction(), 1e-9)
	require.Zero(t, f.Mixed)
	require.Equal(t, f.Roots, f.Root1)
	require.Zero(t, f.ECE())
}

// TestCorrelationOfEveryTypeOfFault holds what the benchmark measures at length.
func TestCorrelationOfEveryTypeOfFault(t *testing.T) {
	for _, kind := range stormtest.Types {
		t.Run(kind, func(t *testing.T) {
			var all []stormtest.Figures
			for seed := range uint64(6) {
				s := stormtest.Generate(seed+300, stormtest.Options{Types: []string{kind}, Incidents: 1})
				all = append(all, s.Score(s.RunOnce(correlate.DefaultConfig(), correlate.Deps{})))
			}
			f := stormtest.Mean(all)
			require.Greater(t, f.B3F1, 0.9)
			require.Less(t, f.Mixed, 0.12)
			require.GreaterOrEqual(t, f.Root3*2, f.Roots, "the root is among three for half of them at least")
		})
	}
}
