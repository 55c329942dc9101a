package correlate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// KV keeps the memory on disk. The application satisfies it.
type KV interface {
	Put(key string, value []byte) error
	Delete(key string) error
	// Each visits every pair; an error of the visitor ends it and is returned.
	Each(visit func(key string, value []byte) error) error
}

// Verdicts of people on the first cause.
const (
	VerdictConfirm = "confirm"
	VerdictReject  = "reject"
)

// Past is a remembered incident.
type Past struct {
	ID         string    `json:"id"`
	Title      string    `json:"title"`
	Summary    string    `json:"summary"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end,omitzero"`
	Alerts     int       `json:"alerts"`
	Cause      string    `json:"cause,omitempty"` // kind/name, as told
	Resource   string    `json:"resource,omitempty"`
	Confidence float64   `json:"confidence"`

	Verdict   string    `json:"verdict,omitempty"`   // confirm or reject
	Confirmed string    `json:"confirmed,omitempty"` // the cause as people know it
	Fixed     string    `json:"fixed,omitempty"`     // what fixed it
	JudgedBy  string    `json:"judged_by,omitempty"`
	JudgedAt  time.Time `json:"judged_at,omitzero"`

	// Silenced is who silenced it or one of its alerts, and why; Quick says that it ended within minutes and nobody
	// had said or done anything: what people do about a page says what it was worth.
	Silenced string `json:"silenced,omitempty"`
	Quick    bool   `json:"quick,omitempty"`

	// Features are what likeness is measured by: alert:…, entity:…, cause:…, resource:…, word:….
	Features []string `json:"features"`

	Score float64 `json:"score,omitempty"` // likeness, 0 to 1, in answers
}

// Memory finds past incidents like a present one, keeps what people say of them, and searches them.
// Safe for concurrent use.
type Memory struct {
	kv  KV
	max int

	mu   sync.Mutex
	past map[string]*Past
	seen map[string]int // feature → incidents that have it
}

// maxFeatures bounds what is kept of one incident.
const maxFeatures = 400

// OpenMemory reads what was remembered; limit bounds the number of incidents (0: 10 000), the oldest
// being forgotten. Entries that cannot be decoded are left out; only the store's own error is returned.
func OpenMemory(kv KV, limit int) (*Memory, error) {
	if limit <= 0 {
		limit = 10_000
	}
	m := &Memory{kv: kv, max: limit, past: map[string]*Past{}, seen: map[string]int{}}
	err := kv.Each(func(key string, value []byte) error {
		var p Past
		if json.Unmarshal(value, &p) == nil && p.ID == key && p.ID != "" {
			m.put(&p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read past incidents: %w", err)
	}
	return m, nil
}

func (m *Memory) put(p *Past) {
	if old := m.past[p.ID]; old != nil {
		m.uncount(old)
	}
	m.past[p.ID] = p
	for _, f := range p.Features {
		m.seen[f]++
	}
}

func (m *Memory) uncount(p *Past) {
	for _, f := range p.Features {
		if m.seen[f]--; m.seen[f] <= 0 {
			delete(m.seen, f)
		}
	}
}

// Remember notes an incident, usually when it is resolved; a later call for the same ID replaces what
// was known of it but the feedback. Incidents that merged into others are not kept.
func (m *Memory) Remember(i Incident) error {
	if i.MergedInto != "" || i.ID == "" {
		return nil
	}
	p := pastOf(&i)
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.past[i.ID]; old != nil {
		p.Verdict, p.Confirmed, p.Fixed, p.JudgedBy, p.JudgedAt, p.Silenced = old.Verdict, old.Confirmed, old.Fixed, old.JudgedBy, old.JudgedAt, old.Silenced
		p.Quick = p.Quick && p.quiet()
	}
	if err := m.save(p); err != nil {
		return err
	}
	return m.bound()
}

// save writes first: what is not on disk is not remembered.
func (m *Memory) save(p *Past) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("remember incident %s: %w", p.ID, err)
	}
	if err := m.kv.Put(p.ID, data); err != nil {
		return fmt.Errorf("remember incident %s: %w", p.ID, err)
	}
	m.put(p)
	return nil
}

func (m *Memory) bound() error {
	for len(m.past) > m.max {
		oldest := slices.MinFunc(slices.Collect(maps.Values(m.past)), func(a, b *Past) int {
			return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
		})
		if err := m.kv.Delete(oldest.ID); err != nil {
			return fmt.Errorf("forget incident %s: %w", oldest.ID, err)
		}
		m.uncount(oldest)
		delete(m.past, oldest.ID)
	}
	return nil
}

func pastOf(i *Incident) *Past {
	p := &Past{ID: i.ID, Title: i.Title, Summary: i.Summary, Start: i.Start, End: i.End, Alerts: len(i.Alerts)}
	if len(i.Causes) > 0 && !i.NoClearCause {
		c := &i.Causes[0]
		p.Cause, p.Resource, p.Confidence = c.Entity.Kind+"/"+c.Entity.Name, c.Resource, c.Confidence
	}
	p.Features = featuresOf(i)
	p.Quick = i.State == StateResolved && !i.Opened.IsZero() && i.End.Sub(i.Opened) < quickEnd
	return p
}

// quickEnd is how soon after it was told an incident ends that ends by itself.
const quickEnd = 5 * time.Minute

// quiet says that nobody said or did anything about it.
func (p *Past) quiet() bool { return p.Verdict == "" && p.Fixed == "" && p.Silenced == "" }

// Ended says in words what people did about it, or that it ended by itself; empty: not known.
func (p *Past) Ended() string {
	switch {
	case p.Fixed != "":
		return p.Fixed
	case p.Silenced != "":
		return "silenced by " + p.Silenced
	case p.Quick:
		return "ended by itself within minutes"
	}
	return ""
}

func featuresOf(i *Incident) []string {
	set := map[string]struct{}{}
	add := func(kind, value string) {
		if value != "" {
			set[kind+":"+strings.ToLower(value)] = struct{}{}
		}
	}
	for n := range i.Alerts {
		m := &i.Alerts[n]
		add("alert", string(m.Labels[model.AlertNameLabel]))
		add("entity", m.Entity.Name)
		for _, w := range strings.Fields(words(string(m.Annotations["summary"]))) {
			if len(w) > 3 {
				add("word", w)
			}
		}
		if len(set) > maxFeatures {
			break
		}
	}
	for _, a := range i.Anomalies {
		add("alert", a.Watch)
	}
	for _, w := range strings.Fields(words(i.Title)) {
		add("word", w)
	}
	if len(i.Causes) > 0 {
		add("cause", i.Causes[0].Entity.Name)
		add("resource", i.Causes[0].Resource)
	}
	out := sortedSet(set)
	return out[:min(len(out), maxFeatures)]
}

// featureWeight says how much a kind of feature counts before its rarity.
func featureWeight(f string) float64 {
	switch kind, _, _ := strings.Cut(f, ":"); kind {
	case "cause":
		return 4
	case "resource", "alert":
		return 2
	case "entity":
		return 1
	}
	return 0.3
}

// weight is that times how rare the feature is among past incidents.
func (m *Memory) weight(f string) float64 {
	return featureWeight(f) * math.Log(1+float64(len(m.past)+1)/float64(m.seen[f]+1))
}

// minLikeness is the least that Similar calls similar.
const minLikeness = 0.2

// Similar returns past incidents like this one, most alike first: the weighted share of features in
// common (Jaccard). The incident itself is left out.
func (m *Memory) Similar(i Incident, limit int) []Past {
	m.mu.Lock()
	defer m.mu.Unlock()
	mine := featuresOf(&i)
	var out []Past
	for _, p := range m.past {
		if p.ID == i.ID {
			continue
		}
		if s := m.likeness(mine, p.Features); s >= minLikeness {
			c := *p
			c.Score = round3(s)
			out = append(out, c)
		}
	}
	return firstPast(out, limit)
}

// likeness of two sorted lists.
func (m *Memory) likeness(a, b []string) float64 {
	var both, all float64
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			all += m.weight(a[0])
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			all += m.weight(b[0])
			b = b[1:]
		default:
			w := m.weight(a[0])
			both, all = both+w, all+w
			a, b = a[1:], b[1:]
		}
	}
	if all == 0 {
		return 0
	}
	return both / all
}

// Search returns past incidents whose texts have all words of the query, newest first.
func (m *Memory) Search(query string, limit int) []Past {
	want := strings.Fields(words(query))
	if len(want) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Past
	for _, p := range m.past {
		text := words(p.ID + " " + p.Title + " " + p.Summary + " " + p.Cause + " " + p.Confirmed + " " + p.Fixed + " " + p.Silenced + " " + strings.Join(p.Features, " "))
		if !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(text, " "+w) }) {
			out = append(out, *p)
		}
	}
	return firstPast(out, limit)
}

func firstPast(out []Past, limit int) []Past {
	slices.SortFunc(out, func(a, b Past) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), b.Start.Compare(a.Start), cmp.Compare(a.ID, b.ID))
	})
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

// Past returns what is remembered of an incident.
func (m *Memory) Past(id string) (Past, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.past[id]
	if p == nil {
		return Past{}, false
	}
	return *p, true
}

// Judge notes what somebody says of the first cause: right, or wrong and perhaps what it really was.
func (m *Memory) Judge(id, verdict, really, by string, at time.Time) error {
	if verdict != VerdictConfirm && verdict != VerdictReject {
		return fmt.Errorf("verdict %q: want %s or %s", verdict, VerdictConfirm, VerdictReject)
	}
	return m.change(id, func(p *Past) {
		p.Verdict, p.Confirmed, p.JudgedBy, p.JudgedAt = verdict, really, by, at
		if verdict == VerdictConfirm && really == "" {
			p.Confirmed = p.Cause
		}
	})
}

// Fixed notes what fixed an incident, as a runbook that was verified.
func (m *Memory) Fixed(id, what string) error {
	return m.change(id, func(p *Past) { p.Fixed, p.Quick = what, false })
}

// Silenced notes that somebody silenced an incident, or one of its alerts.
func (m *Memory) Silenced(id, by, comment string) error {
	text := strings.TrimSuffix(by+": "+comment, ": ")
	return m.change(id, func(p *Past) { p.Silenced, p.Quick = text, false })
}

func (m *Memory) change(id string, f func(*Past)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.past[id]
	if p == nil {
		return fmt.Errorf("incident %q is not remembered: remember it first", id)
	}
	c := *p
	f(&c)
	return m.save(&c)
}
