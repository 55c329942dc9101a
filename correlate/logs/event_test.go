package logs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/logs"
)

func TestEventDropsParametersInBrackets(t *testing.T) {
	for in, want := range map[string]string{
		"x.Y#12 id: 7f3a9b2c [query][Query trip]":        "x.Y#<*> id: <*> [query][Query trip]",
		"[get][trips: [Trip(id=7, name=a), Trip(id=8)]]": "[get]<*>",
		"done {id=7} (ms)":                               "done <*> <*>",
		"open [key: value":                               "open <*>",
		"":                                               "",
	} {
		require.Equal(t, want, logs.Event(in))
	}
}
