package correlate

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// Recorded is one alert event of a recording: JSON lines in the manner of Alertmanager's alerts with
// the time at which each was received.
type Recorded struct {
	ReceivedAt  time.Time      `json:"receivedAt"`
	Status      string         `json:"status"` // firing or resolved
	StartsAt    time.Time      `json:"startsAt"`
	EndsAt      time.Time      `json:"endsAt"`
	Fingerprint string         `json:"fingerprint"`
	Labels      model.LabelSet `json:"labels"`
	Annotations model.LabelSet `json:"annotations"`
}

// maxRecordedLine bounds one line of a recording.
const maxRecordedLine = 4 << 20

// ReadRecording reads JSON lines and returns them in order of arrival. An event without receivedAt
// counts as received when it happened. Errors name the line.
func ReadRecording(r io.Reader) ([]Recorded, error) {
	var out []Recorded
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxRecordedLine)
	for line := 1; sc.Scan(); line++ {
		if len(sc.Bytes()) == 0 {
			continue
		}
		var a Recorded
		if err := json.Unmarshal(sc.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("line %d: %w (want one alert as a JSON object)", line, err)
		}
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		out = append(out, a)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	slices.SortStableFunc(out, func(a, b Recorded) int {
		return cmp.Or(a.ReceivedAt.Compare(b.ReceivedAt), a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(a.Status, b.Status))
	})
	return out, nil
}

func (a *Recorded) check() error {
	switch {
	case len(a.Labels) == 0:
		return errors.New(`the alert has no "labels"`)
	case a.StartsAt.IsZero():
		return errors.New(`the alert has no "startsAt" (RFC 3339)`)
	case a.Status != StateFiring && a.Status != StateResolved:
		return fmt.Errorf(`"status" is %q: want firing or resolved`, a.Status)
	}
	if a.ReceivedAt.IsZero() {
		a.ReceivedAt = a.StartsAt
		if a.Status == StateResolved && a.EndsAt.After(a.StartsAt) {
			a.ReceivedAt = a.EndsAt
		}
	}
	return nil
}

func (a *Recorded) alert() *model.Alert {
	out := &model.Alert{Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.StartsAt}
	if a.Status == StateResolved {
		out.EndsAt = a.EndsAt
		if out.EndsAt.IsZero() || out.EndsAt.Year() <= 1 || out.EndsAt.After(a.ReceivedAt) {
			out.EndsAt = a.ReceivedAt
		}
	}
	return out
}

// Replay drives an engine as the live process does: events when they came, steps when the engine
// asks for them, on the recording's own clock. Recorded must be in order of arrival.
func Replay(ctx context.Context, e *Engine, recorded []Recorded) error {
	var now time.Time
	for i := 0; i < len(recorded); {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := recorded[i].ReceivedAt
		for next := e.NextStep(now); !next.IsZero() && next.Before(at); next = e.NextStep(now) {
			now = maxTime(now, next)
			e.Step(now)
		}
		now = at
		var batch []*model.Alert
		for ; i < len(recorded) && recorded[i].ReceivedAt.Equal(at); i++ {
			batch = append(batch, recorded[i].alert())
		}
		e.Alerts(now, batch)
	}
	e.Step(now)
	return nil
}
