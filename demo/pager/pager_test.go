package pager_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/demo/pager"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

const key = "0123456789abcdef0123456789abcdef"

func TestEvents(t *testing.T) {
	trigger := `{"routing_key":"` + key + `","event_action":"trigger","dedup_key":"d","payload":{"summary":"s","source":"x","severity":"critical"}}`
	for _, c := range []struct {
		name, body string
		objection  string // Empty: accepted.
	}{
		{"a trigger with a payload is accepted", trigger, ""},
		{"a resolve needs no payload", `{"routing_key":"` + key + `","event_action":"resolve","dedup_key":"d"}`, ""},
		{"half a JSON is refused", trigger[:40], "decode event: unexpected end of JSON input"},
		{"a short routing key is refused", strings.Replace(trigger, key, "abc", 1), "routing_key has 3 characters, not 32"},
		{"an unknown action is refused", strings.Replace(trigger, "trigger", "page", 1), `event_action "page"`},
		{"a resolve without its key is refused", `{"routing_key":"` + key + `","event_action":"resolve"}`, "resolve without dedup_key"},
		{"a trigger without payload is refused", `{"routing_key":"` + key + `","event_action":"trigger"}`, "trigger without payload"},
		{"an unknown severity is refused", strings.Replace(trigger, "critical", "page", 1), `payload.severity "page"`},
		{"a long summary is refused", strings.Replace(trigger, `"s"`, `"`+strings.Repeat("s", 1025)+`"`, 1), "payload.summary is too long"},
		{"a huge event is refused", strings.Replace(trigger, `"s"`, `"`+strings.Repeat("s", 512_000)+`"`, 1), "event is larger than 512000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := pager.New()
			require.NoError(t, err)
			defer func() { require.NoError(t, p.Close()) }()
			resp, err := http.Post(p.URL(), "application/json", strings.NewReader(c.body))
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			if c.objection == "" {
				require.Equal(t, http.StatusAccepted, resp.StatusCode)
				var answer map[string]string
				require.NoError(t, json.Unmarshal(body, &answer))
				require.Equal(t, "success", answer["status"])
				require.Len(t, p.Events(), 1)
				require.Empty(t, p.Refused())
				return
			}
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			require.Empty(t, p.Events())
			require.Equal(t, "["+c.objection+"]", fmt.Sprint(p.Refused()))
		})
	}
}
