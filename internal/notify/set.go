package notify

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// RevisionLabel marks the alerts after the first of one incident. Alertmanager does not notify again when
// only annotations change, so a new first cause needs a new alert in the same group.
const RevisionLabel = "revision"

// CauseAnnotation is the annotation whose change makes a new revision.
const CauseAnnotation = "cause"

// Alert is what is to be kept alive. Labels are its identity.
type Alert struct {
	Labels       model.LabelSet `json:"labels"`
	Annotations  model.LabelSet `json:"annotations"`
	StartsAt     time.Time      `json:"starts_at"`
	GeneratorURL string         `json:"generator_url,omitempty"`
}

func (a Alert) clone() Alert {
	a.Labels, a.Annotations = maps.Clone(a.Labels), maps.Clone(a.Annotations)
	return a
}

// Saved is one entry of the set, to be stored and given back after a restart.
type Saved struct {
	Key      string    `json:"key"`
	Alert    Alert     `json:"alert"`
	Revision int       `json:"revision"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
}

// entry is one revision of one alert.
//
//	Set ─▶ firing ──Resolve, or a later revision──▶ ended ──resendResolved later──▶ forgotten
type entry struct {
	Saved
	seq uint64 // of its last change
}

// set is what the Alertmanagers should know. Each change has a number, so that every peer can ask for what
// it does not know yet.
type set struct {
	mu      sync.Mutex
	seq     uint64
	current map[string]*entry // the last revision by key
	ended   []*entry          // earlier revisions, and resolved alerts
}

func newSet() *set { return &set{current: map[string]*entry{}} }

// put takes over an alert; revised is true when it became a new revision.
func (s *set) put(key string, a Alert, now time.Time) (revised bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a = a.clone()
	old := s.current[key]
	if old == nil {
		s.seq++
		s.current[key] = &entry{Saved{Key: key, Alert: a, Revision: s.after(key)}, s.seq}
		return false
	}
	same := old.Alert.Labels.Equal(a.Labels)
	if same && old.Alert.Annotations[CauseAnnotation] == a.Annotations[CauseAnnotation] {
		if !maps.Equal(old.Alert.Annotations, a.Annotations) || old.Alert.GeneratorURL != a.GeneratorURL {
			s.seq++
			old.Alert.Annotations, old.Alert.GeneratorURL, old.seq = a.Annotations, a.GeneratorURL, s.seq
		}
		return false
	}
	s.seq++
	old.EndedAt, old.seq = now, s.seq
	s.ended = append(s.ended, old)
	s.current[key] = &entry{Saved{Key: key, Alert: a, Revision: old.Revision + 1}, s.seq}
	return true
}

// after gives the revision of an alert that fires again while its resolved one is still being re-sent: the
// same labels would be both firing and resolved.
func (s *set) after(key string) int {
	n := 1
	for _, e := range s.ended {
		if e.Key == key {
			n = max(n, e.Revision+1)
		}
	}
	return n
}

// end resolves an alert; a key that is not there is no error.
func (s *set) end(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.current[key]
	if e == nil {
		return false
	}
	s.seq++
	e.EndedAt, e.seq = now, s.seq
	s.ended = append(s.ended, e)
	delete(s.current, key)
	return true
}

// forget drops what ended before t.
func (s *set) forget(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = slices.DeleteFunc(s.ended, func(e *entry) bool { return e.EndedAt.Before(t) })
}

// since gives the alerts that changed after seq, in the order of their change, and the present seq.
func (s *set) since(seq uint64) ([]Saved, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*entry
	for _, e := range s.current {
		if e.seq > seq {
			found = append(found, e)
		}
	}
	for _, e := range s.ended {
		if e.seq > seq {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int {
		if a.seq != b.seq {
			return int(int64(a.seq) - int64(b.seq))
		}
		return b.Revision - a.Revision // the new revision first, so that the group never looks resolved
	})
	out := make([]Saved, len(found))
	for i, e := range found {
		out[i] = e.Saved
	}
	return out, s.seq
}

func (s *set) counts() (firing, ended int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.current), len(s.ended)
}

// restore takes back what since(0) gave.
func (s *set) restore(saved []Saved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range saved {
		s.seq++
		v.Alert = v.Alert.clone()
		e := &entry{v, s.seq}
		if v.EndedAt.IsZero() {
			s.current[v.Key] = e
		} else {
			s.ended = append(s.ended, e)
		}
	}
}

// wire gives an alert the form of the API. A firing alert says when it would end if it were not repeated.
func (v Saved) wire(life time.Duration, now time.Time) wireAlert {
	w := wireAlert{
		Labels: text(v.Alert.Labels), Annotations: text(v.Alert.Annotations),
		StartsAt: v.Alert.StartsAt, EndsAt: now.Add(life), GeneratorURL: v.Alert.GeneratorURL,
	}
	if v.Revision > 1 {
		w.Labels[RevisionLabel] = strconv.Itoa(v.Revision)
	}
	if !v.EndedAt.IsZero() {
		w.EndsAt = v.EndedAt
	}
	if w.StartsAt.IsZero() || w.StartsAt.After(w.EndsAt) {
		w.StartsAt = w.EndsAt // Alertmanager refuses an alert that ends before it starts
	}
	return w
}

func text(ls model.LabelSet) map[string]string {
	m := make(map[string]string, len(ls)+1)
	for k, v := range ls {
		m[string(k)] = string(v)
	}
	return m
}
