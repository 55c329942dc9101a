package app

import (
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stages watches over the parts that must keep moving: each says when it last did its work, and one
// that is late makes Tidemark unhealthy, so that the heartbeat stops and raw alerts page directly.
type stages struct {
	now func() time.Time

	mu   sync.Mutex
	last map[string]stage
}

// stage is one part: when it last worked, how late it may be, and its last failure.
type stage struct {
	at    time.Time
	limit time.Duration
	err   error
}

func newStages(now func() time.Time, reg prometheus.Registerer) *stages {
	s := &stages{now: now, last: map[string]stage{}}
	reg.MustRegister(s)
	return s
}

// expect announces a stage and how late it may be before Tidemark counts as unhealthy.
func (s *stages) expect(name string, limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[name] = stage{at: s.now(), limit: limit}
}

// forget drops the stages that a reload ended.
func (s *stages) forget(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		delete(s.last, n)
	}
}

// done says that a stage worked just now; a failure is kept and does not count as work.
func (s *stages) done(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.last[name]
	if !ok {
		return
	}
	st.err = err
	if err == nil {
		st.at = s.now()
	}
	s.last[name] = st
}

// Healthy returns what keeps the heartbeat from being sent: the stages that are late, and why.
func (s *stages) Healthy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, name := range s.names() {
		st := s.last[name]
		if lag := s.now().Sub(st.at); lag > st.limit {
			err := fmt.Errorf("stage %s is %s late, at most %s is healthy", name, lag.Round(time.Second), st.limit)
			if st.err != nil {
				err = fmt.Errorf("%w: %w", err, st.err)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *stages) names() []string {
	names := make([]string, 0, len(s.last))
	for n := range s.last {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

var stageLag = prometheus.NewDesc("tidemark_stage_lag_seconds", "Seconds since the stage last did its work.", []string{"stage"}, nil)

// Describe implements prometheus.Collector.
func (s *stages) Describe(ch chan<- *prometheus.Desc) { ch <- stageLag }

// Collect implements prometheus.Collector.
func (s *stages) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.names() {
		lag := s.now().Sub(s.last[name].at).Seconds()
		ch <- prometheus.MustNewConstMetric(stageLag, prometheus.GaugeValue, max(lag, 0), name)
	}
}

// StageStatus is one stage as the status page shows it.
type StageStatus struct {
	Name  string        `json:"name"`
	Lag   time.Duration `json:"lag"`
	Limit time.Duration `json:"limit"`
	Error string        `json:"error,omitempty"`
}

func (s *stages) status() []StageStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []StageStatus
	for _, name := range s.names() {
		st := s.last[name]
		status := StageStatus{Name: name, Lag: max(s.now().Sub(st.at), 0), Limit: st.limit}
		if st.err != nil {
			status.Error = st.err.Error()
		}
		out = append(out, status)
	}
	return out
}
