package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGarbageOfALargeHeapIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		live uint64
		want int
	}{
		"a small heap is left as Go has it":     {10 << 20, 100},
		"a gigabyte has a quarter of it":        {1 << 30, 25},
		"never less than a sixth of what lives": {10 << 30, 15},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, garbagePercent(c.live)) })
	}
}
