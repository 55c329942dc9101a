package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// sender posts numbered alerts to Tidemark's webhook, as Alertmanager does: a message that got no 2xx
// is sent again. Nothing but the webhook brings these alerts, so what is lost stays lost.
type sender struct {
	url  string
	next atomic.Int64 // The number of the last alert.

	mu     sync.Mutex
	acked  []int
	missed [][]int // Messages without a 2xx.
}

// perMessage is how many alerts a message holds.
const perMessage = 5

// send posts the alerts with these numbers in one message and says whether it was acknowledged.
func (s *sender) send(ctx context.Context, numbers []int) bool {
	status, err := s.post(ctx, numbers)
	ok := err == nil && status/100 == 2
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.acked = append(s.acked, numbers...)
	} else {
		s.missed = append(s.missed, numbers)
	}
	return ok
}

func (s *sender) post(ctx context.Context, numbers []int) (int, error) {
	began := time.Now().UTC().Truncate(time.Millisecond)
	alerts := make([]map[string]any, len(numbers))
	for i, n := range numbers {
		alerts[i] = map[string]any{
			"status": "firing", "startsAt": began, "endsAt": time.Time{},
			"annotations": map[string]string{"summary": fmt.Sprintf("alert %d", n)},
			"labels":      numberedLabels(n),
		}
	}
	body, err := json.Marshal(map[string]any{
		"version": "4", "status": "firing", "receiver": "tidemark", "alerts": alerts,
		"groupKey": fmt.Sprintf(`{}:{first="%d"}`, numbers[0]),
	})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/alerts/webhook", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// numberedLabels spread the alerts over services, instances and clusters.
func numberedLabels(n int) map[string]string {
	return map[string]string{
		"alertname": "Numbered" + strconv.Itoa(n%3), "number": strconv.Itoa(n), "path": "correlate", "severity": "warning",
		"cluster": "c" + strconv.Itoa(n%2), "service": "s" + strconv.Itoa(n%7), "instance": "host-" + strconv.Itoa(n%31),
	}
}

// numbers takes the numbers of the next message.
func (s *sender) numbers() []int {
	end := int(s.next.Add(perMessage))
	out := make([]int, perMessage)
	for i := range out {
		out[i] = end - perMessage + 1 + i
	}
	return out
}

// takeMissed takes a message that has to be sent again.
func (s *sender) takeMissed() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.missed) == 0 {
		return nil
	}
	m := s.missed[0]
	s.missed = s.missed[1:]
	return m
}

// load posts from several goroutines until ctx ends, repeating what was missed first. A worker whose
// message fails ends, when giveUp is set: the server is gone.
func (s *sender) load(ctx context.Context, workers int, giveUp bool) *sync.WaitGroup {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				m := s.takeMissed()
				if m == nil {
					m = s.numbers()
				}
				if !s.send(context.WithoutCancel(ctx), m) && giveUp {
					return
				}
			}
		})
	}
	return &wg
}

// resend repeats every missed message until it is acknowledged.
func (s *sender) resend(t *testing.T) {
	t.Helper()
	eventually(t, soon, "every message is acknowledged", func(ctx context.Context) (bool, error) {
		for m := s.takeMissed(); m != nil; m = s.takeMissed() {
			if !s.send(ctx, m) {
				return false, nil
			}
		}
		return true, nil
	})
}

func (s *sender) acknowledged() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acked)
}

// oneIncidentEach waits until every acknowledged alert is a member of an incident, and checks that it
// is of exactly one.
func oneIncidentEach(t *testing.T, b *stack.Bare, acked []int) {
	t.Helper()
	of := map[string][]string{}
	missing := len(acked)
	eventually(t, soon, "every acknowledged alert is in an incident", func(ctx context.Context) (bool, error) {
		all, err := b.Tidemark.Incidents(ctx)
		clear(of)
		for _, i := range all {
			for _, a := range i.Alerts {
				if n := a.Labels["number"]; i.MergedInto == "" && n != "" {
					of[n] = append(of[n], i.ID)
				}
			}
		}
		lost := slices.DeleteFunc(slices.Clone(acked), func(n int) bool { return len(of[strconv.Itoa(n)]) > 0 })
		if len(lost) > 0 && err == nil {
			err = fmt.Errorf("%d of %d alerts are in no incident, such as %d", len(lost), len(acked), lost[0])
		}
		missing = len(lost)
		return missing == 0, err
	})
	for n, ids := range of {
		require.Len(t, ids, 1, "alert %s is a member of %v", n, ids)
	}
}

// idsOf are the incidents that were told, those that became part of another included.
func idsOf(t *testing.T, b *stack.Bare) (out []string) {
	t.Helper()
	all, err := b.Tidemark.Incidents(t.Context())
	require.NoError(t, err)
	for _, i := range all {
		if !i.Opened.IsZero() {
			out = append(out, i.ID)
		}
	}
	return out
}

// onlyWebhook is a Tidemark that hears of alerts by its webhook alone: no Alertmanager could bring
// back what was lost.
func onlyWebhook(t *testing.T, edit func(map[string]any), flags ...string) *stack.Bare {
	return newBare(t, stack.BareOptions{Flags: flags, EditTidemark: func(c map[string]any) {
		delete(c, "alertmanagers")
		watchOnly(c, 15*time.Second, nil)
		if edit != nil {
			edit(c)
		}
	}})
}

// firstIncident posts five alerts of one service, waits until they are an incident that was told,
// and returns it.
func firstIncident(t *testing.T, b *stack.Bare, s *sender) stack.Incident {
	t.Helper()
	require.True(t, s.send(t.Context(), s.numbers()))
	var first stack.Incident
	eventually(t, soon, "an incident is told", func(ctx context.Context) (bool, error) {
		all, err := b.Tidemark.Incidents(ctx)
		for _, i := range all {
			if !i.Opened.IsZero() && i.State == "firing" {
				first = i
			}
		}
		return first.ID != "", err
	})
	return first
}

func TestKilledAtRandomMomentsNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	const kills, workers, most = 6, 8, 40
	b := onlyWebhook(t, func(c map[string]any) {
		runbook := c["runbooks"].([]any)[0].(map[string]any)
		runbook["matchers"] = []string{`severity="warning"`}
		runbook["limits"] = map[string]any{"per_hour": 1}
	})
	start(t, b.Prometheus, b.Tidemark)
	s := &sender{url: b.Tidemark.URL}
	first := firstIncident(t, b, s)
	p := proposalOf(t, b, first.ID)
	require.NoError(t, b.Tidemark.Approve(t.Context(), p.ID))

	random := rand.New(rand.NewPCG(1, 2))
	var known []string
	for range kills {
		ctx, cancel := context.WithCancel(t.Context())
		before, enough := len(s.acknowledged()), random.IntN(most)*perMessage
		wg := s.load(ctx, workers, true)
		eventually(t, soon, "some messages are acknowledged", func(context.Context) (bool, error) {
			return len(s.acknowledged())-before >= enough, nil
		})
		known = append(known, idsOf(t, b)...)
		require.NoError(t, b.Tidemark.Kill())
		cancel()
		wg.Wait()
		start(t, b.Tidemark)
	}
	s.resend(t)
	acked := s.acknowledged()
	t.Logf("%d alerts acknowledged, Tidemark killed %d times", len(acked), kills)
	require.Greater(t, len(acked), kills*perMessage)
	oneIncidentEach(t, b, acked)
	require.Subset(t, idsOf(t, b), known, "incidents keep their identity")

	require.Equal(t, 1, b.FailOver.Effects(), "one effect")
	for _, c := range b.FailOver.Calls() {
		require.Equal(t, p.Key, c.Key, "a repeated call has the same key")
	}
	_, err := b.Tidemark.AuditVerify(t.Context())
	require.NoError(t, err)
}

// proposalOf waits for the runbook that is proposed for an incident.
func proposalOf(t *testing.T, b *stack.Bare, incident string) (found stack.Proposal) {
	t.Helper()
	eventually(t, soon, "a runbook is proposed", func(ctx context.Context) (bool, error) {
		list, err := b.Tidemark.Proposals(ctx)
		for _, p := range list {
			if p.Incident.ID == incident && p.State == "suggested" {
				found = p
			}
		}
		return found.ID != "", err
	})
	return found
}
