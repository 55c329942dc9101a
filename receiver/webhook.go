package receiver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// webhook is the part of Alertmanager's webhook message, version 4, that is used
// (github.com/prometheus/alertmanager notify/webhook and template.Data). Unknown fields are ignored: the
// message has grown with most releases.
type webhook struct {
	version   string
	receiver  string // arrives regex-escaped; used as it is
	groupKey  string
	truncated uint64
	alerts    []webhookAlert
}

// webhookAlert keeps labels as pairs: nine of ten alerts are known already and never become a model.Alert.
type webhookAlert struct {
	labels, annotations []pair
	startsAt, endsAt    time.Time
	generatorURL        string

	status string
	raw    []byte // its JSON, for the log
	id     labelID
	key    dedupKey // valid in dedup
	bad    error    // first limit that it breaks
}

// decodeWebhook validates a message and finds what is new in it.
func (r *Receiver) decodeWebhook(c *Config, h http.Header, body []byte) (kept, error) {
	body, err := inflate(c, h.Get("Content-Encoding"), body)
	if err != nil {
		return kept{}, err
	}
	msg, err := parseWebhook(&c.Webhook, body)
	if err != nil {
		return kept{}, refuse(http.StatusBadRequest, "the body is not an Alertmanager webhook: %v", err)
	}
	if msg.version != "4" {
		return kept{}, refuse(http.StatusBadRequest, "the webhook has version %.20q, must be \"4\": "+
			"Alertmanager sends it unless webhook_configs has a payload of its own", msg.version)
	}
	good := r.sift(c, msg)
	if len(good) == 0 && len(msg.alerts) > 0 {
		if err := allBad(msg); err != nil {
			return kept{}, err
		}
	}
	k := kept{}
	fresh := r.dedup.unseen(msg, good, r.clock())
	r.m.repeated.Add(float64(len(good) - len(fresh)))
	if len(fresh) > 0 {
		k.payload = encodeWebhook(msg, fresh)
		k.deliver = r.deliverAlerts(c, msg, fresh, r.clock())
	}
	if msg.truncated > 0 {
		r.m.truncated.Add(float64(msg.truncated))
		if r.sinks.Reconcile != nil {
			r.sinks.Reconcile(context.Background(), fmt.Sprintf("webhook left %d alerts out (max_alerts)", msg.truncated))
		}
	}
	return k, nil
}

// allBad says why nothing of a message can be taken.
func allBad(msg *webhook) error {
	for i, a := range msg.alerts {
		if a.bad != nil {
			return refuse(http.StatusBadRequest, "none of the %d alerts can be taken; alert %d: %v", len(msg.alerts), i, a.bad)
		}
	}
	return nil // all of them our own
}

// sift leaves out alerts over the limits and Tidemark's own. One bad alert must not cost the others of its
// group their page: 4xx is final for Alertmanager.
func (r *Receiver) sift(c *Config, msg *webhook) []*webhookAlert {
	good := make([]*webhookAlert, 0, len(msg.alerts))
	var bad, own []*webhookAlert
	for i := range msg.alerts {
		a := &msg.alerts[i]
		switch {
		case a.bad != nil:
			bad = append(bad, a)
		case slices.Contains(c.Webhook.OwnAlerts, a.name()):
			own = append(own, a)
		default:
			good = append(good, a)
		}
	}
	// One line a message, however many alerts.
	if len(bad) > 0 {
		r.m.rejected.WithLabelValues("webhook").Add(float64(len(bad)))
		r.log.Warn("Alerts refused", "alerts", len(bad), "first", clip(bad[0].name()), "err", bad[0].bad)
	}
	if len(own) > 0 {
		r.m.own.Add(float64(len(own)))
		r.log.Warn("Tidemark's own alerts came back and were dropped: exclude them from the route to this webhook",
			"alerts", len(own), "first", own[0].name(), "receiver", clip(msg.receiver))
	}
	return good
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// deliverAlerts hands over what is still new when its turn comes: two messages with the same alert may
// have been made durable at the same time.
func (r *Receiver) deliverAlerts(c *Config, msg *webhook, fresh []*webhookAlert, now time.Time) func(context.Context) {
	return func(ctx context.Context) {
		fresh = r.dedup.claim(&c.Webhook, msg, fresh, now)
		r.m.dedupKeys.Set(float64(r.dedup.len()))
		if len(fresh) == 0 {
			return
		}
		alerts := make([]*model.Alert, len(fresh))
		for i, a := range fresh {
			alerts[i] = a.model(now)
			r.m.received.WithLabelValues(a.status).Inc()
		}
		if r.sinks.Alerts != nil {
			r.sinks.Alerts(ctx, alerts)
		}
	}
}

// model gives the alert its usual form. Its times are made to agree with the status: firing alerts arrive
// with endsAt in year 1 or, from some senders, in the future; Resolved() of model.Alert looks at EndsAt alone.
func (a *webhookAlert) model(now time.Time) *model.Alert {
	alert := &model.Alert{
		Labels: labelSet(a.labels), Annotations: labelSet(a.annotations),
		StartsAt: a.startsAt, EndsAt: a.endsAt, GeneratorURL: a.generatorURL,
	}
	switch {
	case a.status == string(model.AlertFiring):
		alert.EndsAt = time.Time{}
	case alert.EndsAt.IsZero() || alert.EndsAt.After(now):
		alert.EndsAt = now
	}
	return alert
}

func labelSet(pairs []pair) model.LabelSet {
	set := make(model.LabelSet, len(pairs))
	for _, p := range pairs {
		set[model.LabelName(p.name)] = model.LabelValue(p.value)
	}
	return set
}

func (a *webhookAlert) name() (name string) {
	for _, p := range a.labels {
		if p.name == model.AlertNameLabel {
			name = p.value
		}
	}
	return name
}

func (r *Receiver) replayWebhook(payload []byte) (kept, error) {
	c := r.cfg.Load()
	msg, err := parseWebhook(&c.Webhook, payload)
	if err != nil {
		return kept{}, err
	}
	good := r.sift(c, msg)
	return kept{deliver: r.deliverAlerts(c, msg, good, r.clock())}, nil
}

// encodeWebhook writes the record for the log: the message with the given alerts only. A group is sent
// whole at each flush, so that one new alert may come with 10 000 known ones.
func encodeWebhook(msg *webhook, alerts []*webhookAlert) []byte {
	size := 256 + len(msg.receiver) + len(msg.groupKey)
	for _, a := range alerts {
		size += len(a.raw) + 1
	}
	var b bytes.Buffer
	b.Grow(size)
	b.WriteString(`{"version":"4","receiver":`)
	b.Write(quote(msg.receiver))
	b.WriteString(`,"groupKey":`)
	b.Write(quote(msg.groupKey))
	b.WriteString(`,"alerts":[`)
	for i, a := range alerts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(a.raw)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func quote(s string) []byte {
	b, _ := json.Marshal(s) // a string is always encodable
	return b
}

// parseWebhook reads a message. An alert over the limits has its bad set; an error means that the body is
// no webhook at all.
func parseWebhook(c *WebhookConfig, body []byte) (*webhook, error) {
	s := newScanner(body)
	msg, known := &webhook{}, 0
	err := s.object(func(key []byte) (err error) {
		switch string(key) {
		case "version":
			known++
			msg.version, err = s.optional()
		case "receiver":
			msg.receiver, err = s.optional()
		case "groupKey":
			msg.groupKey, err = s.optional()
		case "truncatedAlerts":
			var raw []byte
			if raw, err = s.value(); err == nil {
				err = json.Unmarshal(raw, &msg.truncated)
			}
		case "alerts":
			known++
			err = parseAlerts(c, s, msg)
		default:
			_, err = s.value()
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && known == 0 {
		err = errors.New("it has neither \"version\" nor \"alerts\"")
	}
	return msg, err
}

// optional reads a string or null.
func (s *scanner) optional() (string, error) {
	if s.peek() == 'n' {
		return "", s.literal()
	}
	return s.text()
}

func parseAlerts(c *WebhookConfig, s *scanner, msg *webhook) error {
	msg.alerts = make([]webhookAlert, 0, len(s.b)/1024+1) // a second "alerts" replaces the first, as encoding/json has it
	if s.peek() == 'n' {
		return s.literal()
	}
	return s.array(func() error {
		s.peek()
		start := s.at
		msg.alerts = append(msg.alerts, webhookAlert{})
		a := &msg.alerts[len(msg.alerts)-1]
		if err := parseAlert(c, s, a); err != nil {
			return err
		}
		a.raw = s.b[start:s.at]
		return nil
	})
}

func parseAlert(c *WebhookConfig, s *scanner, a *webhookAlert) error {
	err := s.object(func(key []byte) (err error) {
		switch string(key) {
		case "status":
			a.status, err = s.optional()
		case "labels":
			a.labels, err = a.set(c, s, "label", int(c.MaxValueBytes))
			a.id = s.identity(a.labels)
		case "annotations":
			a.annotations, err = a.set(c, s, "annotation", int(c.MaxAnnotationBytes))
		case "startsAt":
			a.startsAt, err = a.time(s, "startsAt")
		case "endsAt":
			a.endsAt, err = a.time(s, "endsAt")
		case "generatorURL":
			a.generatorURL, err = s.optional()
		default:
			_, err = s.value()
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.check(c)
}

func (a *webhookAlert) refuse(format string, args ...any) {
	if a.bad == nil {
		a.bad = fmt.Errorf(format, args...)
	}
}

func (a *webhookAlert) check(c *WebhookConfig) error {
	switch {
	case a.bad != nil:
	case a.status != string(model.AlertFiring) && a.status != string(model.AlertResolved):
		a.refuse("status is %.20q, must be \"firing\" or \"resolved\"", a.status)
	case len(a.labels) == 0:
		a.refuse("it has no labels")
	case len(a.generatorURL) > int(c.MaxAnnotationBytes) || !utf8.ValidString(a.generatorURL):
		a.refuse("generatorURL is not UTF-8 or longer than %s", c.MaxAnnotationBytes)
	}
	return nil
}

// set reads labels or annotations. Lengths are checked before a value is copied: Prometheus' label encoder
// panics above 16 MiB. Empty values are left out, as Alertmanager does. Of equal names the last one counts.
func (a *webhookAlert) set(c *WebhookConfig, s *scanner, what string, maxValue int) ([]pair, error) {
	if s.peek() == 'n' {
		return nil, s.literal()
	}
	if cap(s.pairs)-len(s.pairs) < c.MaxLabels {
		s.pairs = make([]pair, 0, max(1024, c.MaxLabels)) // the sets before keep the old one
	}
	start, n := len(s.pairs), 0
	err := s.object(func(key []byte) error {
		n++
		if c := s.peek(); c != '"' {
			if _, err := s.value(); err != nil {
				return err
			}
			a.refuse("the value of %s %.100q is not a string", what, key)
			return nil
		}
		value, err := s.bytes()
		if err != nil {
			return err
		}
		switch {
		case n > c.MaxLabels:
			a.refuse("it has more than %d %ss", c.MaxLabels, what)
		case len(key) == 0:
			a.refuse("a %s name is empty", what)
		case len(key) > int(c.MaxNameBytes):
			a.refuse("a %s name has %d bytes, at most %d are allowed", what, len(key), c.MaxNameBytes)
		case !utf8.Valid(key):
			a.refuse("a %s name is not UTF-8: %.100q", what, key)
		case len(value) > maxValue:
			a.refuse("the value of %s %.100q has %d bytes, at most %d are allowed", what, key, len(value), maxValue)
		case !utf8.Valid(value):
			a.refuse("the value of %s %.100q is not UTF-8", what, key)
		case len(value) > 0:
			s.pairs = append(s.pairs, pair{s.intern(key), s.intern(value)})
		}
		return nil
	})
	return s.pairs[start:len(s.pairs):len(s.pairs)], err
}

type pair struct{ name, value string }

// labelID identifies a set of labels.
type labelID [16]byte

// identity hashes labels in the order of their names. It stands in for model.Fingerprint, whose 64 bits of
// FNV anybody can make collide, and needs no map.
func (s *scanner) identity(labels []pair) labelID {
	if !slices.IsSortedFunc(labels, byName) {
		slices.SortStableFunc(labels, byName)
	}
	b := s.scratch[:0]
	for i, p := range labels {
		if i+1 < len(labels) && labels[i+1].name == p.name {
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(p.name)))
		b = append(b, p.name...)
		b = binary.AppendUvarint(b, uint64(len(p.value)))
		b = append(b, p.value...)
	}
	s.scratch = b
	sum := sha256.Sum256(b)
	return labelID(sum[:16])
}

func byName(a, b pair) int { return strings.Compare(a.name, b.name) }

func (a *webhookAlert) time(s *scanner, what string) (time.Time, error) {
	if s.peek() == 'n' {
		return time.Time{}, s.literal()
	}
	b, err := s.bytes()
	if err != nil {
		return time.Time{}, err
	}
	t, perr := time.Parse(time.RFC3339Nano, string(b))
	if perr != nil {
		a.refuse("%s is %.100q, must be a time such as 2026-11-22T10:00:00Z", what, b)
	}
	return t, nil
}
