package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// Change is something that somebody changed: a deploy, a flag, a migration.
type Change struct {
	Time   time.Time         `json:"time"`
	Kind   string            `json:"kind"`             // deploy, config, scale, flag, … ; "change" when not said
	Entity string            `json:"entity,omitempty"` // what changed, when the sender knows its name
	Labels map[string]string `json:"labels,omitempty"` // or the labels that it carries
	Text   string            `json:"text,omitempty"`
	Source string            `json:"source,omitempty"` // who says so
	Link   string            `json:"link,omitempty"`   // http or https
}

// changeBody is a Change as it is sent, together with the fields of a Grafana annotation (HTTP API,
// POST /api/annotations: time and timeEnd in milliseconds, tags, text), so that tools which post to Grafana
// can post here.
type changeBody struct {
	Time         json.RawMessage   `json:"time"`
	Kind         string            `json:"kind"`
	Entity       string            `json:"entity"`
	Labels       map[string]string `json:"labels"`
	Text         string            `json:"text"`
	Source       string            `json:"source"`
	Link         string            `json:"link"`
	Tags         []string          `json:"tags"`
	DashboardUID string            `json:"dashboardUID"`
}

func (r *Receiver) decodeChanges(c *Config, h http.Header, body []byte) (kept, error) {
	body, err := inflate(c, h.Get("Content-Encoding"), body)
	if err != nil {
		return kept{}, err
	}
	changes, err := parseChanges(&c.Changes, body, r.clock())
	if err != nil {
		r.m.rejected.WithLabelValues("changes").Inc()
		return kept{}, refuse(http.StatusBadRequest, "%v", err)
	}
	if len(changes) == 0 {
		return kept{}, nil
	}
	payload, err := json.Marshal(changes)
	if err != nil {
		return kept{}, refuse(http.StatusBadRequest, "%v", err)
	}
	return kept{payload: payload, deliver: r.deliverChanges(changes)}, nil
}

func (r *Receiver) replayChanges(payload []byte) (kept, error) {
	var changes []Change
	if err := json.Unmarshal(payload, &changes); err != nil {
		return kept{}, err
	}
	return kept{deliver: r.deliverChanges(changes)}, nil
}

func (r *Receiver) deliverChanges(changes []Change) func(context.Context) {
	return func(ctx context.Context) {
		r.m.changes.Add(float64(len(changes)))
		if r.sinks.Changes != nil {
			r.sinks.Changes(ctx, changes)
		}
	}
}

// parseChanges reads one change or an array of them.
func parseChanges(c *ChangesConfig, body []byte, now time.Time) ([]Change, error) {
	s := newScanner(body) // for its depth limit and its messages; then encoding/json
	if _, err := s.value(); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	if err := s.end(); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not UTF-8")
	}
	var bodies []changeBody
	if b := body[len(body)-len(strings.TrimLeft(string(body), " \t\r\n")):]; len(b) > 0 && b[0] == '[' {
		if err := json.Unmarshal(b, &bodies); err != nil {
			return nil, describe(err)
		}
	} else {
		bodies = make([]changeBody, 1)
		if err := json.Unmarshal(b, &bodies[0]); err != nil {
			return nil, describe(err)
		}
	}
	if len(bodies) > c.MaxEvents {
		return nil, fmt.Errorf("the body has %d changes, at most %d are allowed", len(bodies), c.MaxEvents)
	}
	changes := make([]Change, len(bodies))
	for i, b := range bodies {
		ch, err := b.change(c, now)
		if err != nil {
			return nil, fmt.Errorf("change %d: %w", i, err)
		}
		changes[i] = ch
	}
	return changes, nil
}

// describe says in the sender's words what encoding/json did not like.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field == "" {
			return fmt.Errorf("a change must be an object, not a %s", wrong.Value)
		}
		return fmt.Errorf("field %q cannot be a %s", wrong.Field, wrong.Value)
	}
	return fmt.Errorf("the body is not JSON: %w", err)
}

func (b changeBody) change(c *ChangesConfig, now time.Time) (Change, error) {
	ch := Change{Kind: b.Kind, Entity: b.Entity, Labels: b.Labels, Text: b.Text, Source: b.Source, Link: b.Link}
	b.annotate(&ch)
	if ch.Kind == "" {
		ch.Kind = "change"
	}
	t, err := changeTime(b.Time, now)
	if err != nil {
		return Change{}, err
	}
	ch.Time = t
	return ch, ch.check(c, now)
}

// annotate reads the tags of a Grafana annotation: "name:value" and "name=value" are labels, the first
// plain one is the kind.
func (b changeBody) annotate(ch *Change) {
	if len(b.Tags) == 0 {
		return
	}
	labels := map[string]string{}
	for k, v := range ch.Labels {
		labels[k] = v
	}
	for _, tag := range b.Tags {
		if i := strings.IndexAny(tag, ":="); i > 0 {
			labels[strings.TrimSpace(tag[:i])] = strings.TrimSpace(tag[i+1:])
		} else if ch.Kind == "" {
			ch.Kind = strings.TrimSpace(tag)
		}
	}
	ch.Labels = labels
	if ch.Source == "" {
		ch.Source = "grafana"
	}
}

// changeTime reads RFC 3339, unix seconds or unix milliseconds; without a time it is now.
func changeTime(raw json.RawMessage, now time.Time) (time.Time, error) {
	text := strings.Trim(string(raw), `"`)
	if text == "" || text == "null" {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > 1e14 {
		return time.Time{}, fmt.Errorf("time is %.60s, must be RFC 3339 or unix seconds or milliseconds", raw)
	}
	if n < 1e11 { // seconds until the year 5138, milliseconds from 1973 on
		n *= 1000
	}
	return time.UnixMilli(int64(n)).UTC(), nil
}

func (ch *Change) check(c *ChangesConfig, now time.Time) error {
	if ch.Entity == "" && len(ch.Labels) == 0 {
		return errors.New("it names neither an entity nor labels, so nobody can tell what changed")
	}
	if age := now.Sub(ch.Time); age > time.Duration(c.MaxAge) {
		return fmt.Errorf("its time %s is older than %s", ch.Time.Format(time.RFC3339), c.MaxAge)
	} else if age < -10*time.Minute {
		return fmt.Errorf("its time %s is more than 10m ahead", ch.Time.Format(time.RFC3339))
	}
	for _, f := range []struct{ name, value string }{{"kind", ch.Kind}, {"entity", ch.Entity}, {"source", ch.Source}} {
		if len(f.value) > 256 {
			return fmt.Errorf("%s has %d bytes, at most 256 are allowed", f.name, len(f.value))
		}
	}
	if len(ch.Text) > int(c.MaxText) {
		return fmt.Errorf("text has %d bytes, at most %d are allowed", len(ch.Text), c.MaxText)
	}
	return errors.Join(ch.checkLink(), ch.checkLabels(c))
}

func (ch *Change) checkLink() error {
	if ch.Link == "" {
		return nil
	}
	u, err := url.Parse(ch.Link)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(ch.Link) > 2048 {
		return fmt.Errorf("link %.100q is not an http or https URL of at most 2048 bytes", ch.Link)
	}
	return nil
}

func (ch *Change) checkLabels(c *ChangesConfig) error {
	if len(ch.Labels) > c.MaxLabels {
		return fmt.Errorf("it has %d labels, at most %d are allowed", len(ch.Labels), c.MaxLabels)
	}
	for name, value := range ch.Labels {
		if !model.UTF8Validation.IsValidLabelName(name) || len(name) > 1024 {
			return fmt.Errorf("label name %.100q is empty, not UTF-8 or longer than 1024 bytes", name)
		}
		if len(value) > 2048 {
			return fmt.Errorf("the value of label %.100q has %d bytes, at most 2048 are allowed", name, len(value))
		}
	}
	return nil
}
