// Package pager is a recording receiver of PagerDuty's Events API v2: Alertmanager's real
// pagerduty_configs talk to it, and it checks what they send as PagerDuty would.
package pager

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// Event is one accepted event. The fields are those of the Events API v2.
type Event struct {
	At          time.Time `json:"-"` // When it came.
	RoutingKey  string    `json:"routing_key"`
	EventAction string    `json:"event_action"`
	DedupKey    string    `json:"dedup_key"`
	Client      string    `json:"client"`
	ClientURL   string    `json:"client_url"`
	Payload     *Payload  `json:"payload"`
	Links       []any     `json:"links"`
	Images      []any     `json:"images"`
}

// Payload describes the problem; only trigger events need it.
type Payload struct {
	Summary       string         `json:"summary"`
	Source        string         `json:"source"`
	Severity      string         `json:"severity"`
	Timestamp     string         `json:"timestamp"`
	Component     string         `json:"component"`
	Group         string         `json:"group"`
	Class         string         `json:"class"`
	CustomDetails map[string]any `json:"custom_details"`
}

// Actions of events.
const (
	Trigger     = "trigger"
	Acknowledge = "acknowledge"
	Resolve     = "resolve"
)

// Limits of the Events API v2.
const (
	maxBody    = 512_000
	maxSummary = 1024
	maxKey     = 255
)

// Check returns what PagerDuty would object to in an event.
func (e *Event) Check() error {
	var errs []error
	object := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	object(len(e.RoutingKey) != 32, "routing_key has %d characters, not 32", len(e.RoutingKey))
	object(!slices.Contains([]string{Trigger, Acknowledge, Resolve}, e.EventAction), "event_action %q", e.EventAction)
	object(len(e.DedupKey) > maxKey, "dedup_key has %d characters", len(e.DedupKey))
	object(e.EventAction != Trigger && e.DedupKey == "", "%s without dedup_key", e.EventAction)
	if e.EventAction == Trigger {
		if e.Payload == nil {
			return errors.Join(append(errs, errors.New("trigger without payload"))...)
		}
		object(e.Payload.Summary == "", "payload.summary is empty")
		object(utf8.RuneCountInString(e.Payload.Summary) > maxSummary, "payload.summary is too long")
		object(e.Payload.Source == "", "payload.source is empty")
		object(!slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity),
			"payload.severity %q", e.Payload.Severity)
	}
	return errors.Join(errs...)
}

// Pager is the running receiver. Safe for concurrent use.
type Pager struct {
	server *http.Server
	addr   string
	done   chan struct{}

	mu      sync.Mutex
	events  []Event
	refused []error
}

// New listens on a free loopback port.
func New() (*Pager, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Pager{addr: l.Addr().String(), done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", p.enqueue)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l)
	}()
	return p, nil
}

// URL is what pagerduty_configs take as url.
func (p *Pager) URL() string { return "http://" + p.addr + "/v2/enqueue" }

// Events are the accepted events in the order they came.
func (p *Pager) Events() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// Refused are the objections to events that were not accepted.
func (p *Pager) Refused() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refused)
}

// Close stops the receiver.
func (p *Pager) Close() error {
	err := p.server.Close()
	<-p.done
	return err
}

func (p *Pager) enqueue(w http.ResponseWriter, r *http.Request) {
	e, err := decode(r.Body)
	e.At = time.Now()
	p.mu.Lock()
	if err != nil {
		p.refused = append(p.refused, err)
	} else {
		p.events = append(p.events, e)
	}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": []string{err.Error()}})
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "success", "message": "Event processed", "dedup_key": e.DedupKey})
}

// decode reads one event and checks it.
func decode(body io.Reader) (Event, error) {
	var e Event
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return e, err
	}
	if len(data) > maxBody {
		return e, fmt.Errorf("event is larger than %d bytes", maxBody)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	return e, e.Check()
}
