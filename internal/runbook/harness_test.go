package runbook_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/runbook"
	"github.com/tidemark/tidemark/internal/runbook/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Store and an Audit that survive the Manager, as a disk survives a process. crash, when
// set, decides at every write whether the process dies before or after it.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	events []audit.Event
	crash  func() (before, after bool)
	fail   error // Every write fails with it.
}

func newMemory() *memory { return &memory{values: map[string][]byte{}} }

var errCrashed = errors.New("the process is dead")

func (m *memory) do(write func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	before, after := false, false
	if m.crash != nil {
		before, after = m.crash()
	}
	if before {
		return errCrashed
	}
	write()
	if after {
		return errCrashed
	}
	return nil
}

func (m *memory) Put(_ context.Context, key string, value []byte) error {
	return m.do(func() { m.values[key] = slices.Clone(value) })
}

func (m *memory) Delete(_ context.Context, key string) error {
	return m.do(func() { delete(m.values, key) })
}

func (m *memory) Each(fn func(key string, value []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		if err := fn(key, m.values[key]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Append(e audit.Event) (audit.Record, error) {
	return audit.Record{Event: e}, m.do(func() { m.events = append(m.events, e) })
}

func (m *memory) Snapshot(io.Writer) (audit.Head, error) { return audit.Head{}, nil }

func (m *memory) setFail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) actions() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, e := range m.events {
		out = append(out, e.Action)
	}
	return out
}

// baseline is a Verifier whose answer the test sets.
type baseline struct {
	mu   sync.Mutex
	well bool
	err  error
	expr string
}

func (b *baseline) set(well bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.well, b.err = well, err
}

func (b *baseline) Recovered(context.Context, runbook.Incident) (bool, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.well {
		return true, "all 12 series are inside their band", b.err
	}
	return false, "7 of 12 series are outside their band", b.err
}

func (b *baseline) Holds(_ context.Context, expr string) (bool, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expr = expr
	return b.well, expr, b.err
}

// pipes is a network in memory: synctest's clock moves while a connection is waited for, which it
// does not for real sockets.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	mu    sync.Mutex
	err   error
	dials int
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	err := p.err
	p.dials++
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, errors.New("connection refused")
	}
}

// endpoint is a runbook of a user: it acts once per key, and counts every request and every effect.
type endpoint struct {
	mu       sync.Mutex
	requests []http.Header
	times    []time.Time
	bodies   []string
	effects  map[string]int
	// answer is called with the number of the request, from 1; act makes the effect.
	answer func(n int, w http.ResponseWriter, r *http.Request, act func())
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	e.requests = append(e.requests, r.Header.Clone())
	e.times = append(e.times, time.Now())
	e.bodies = append(e.bodies, string(data))
	n := len(e.requests)
	e.mu.Unlock()
	act := func() {
		e.mu.Lock()
		e.effects[r.Header.Get("Webhook-Id")]++
		e.mu.Unlock()
	}
	if e.answer == nil {
		act()
		return
	}
	e.answer(n, w, r, act)
}

// distinct is what a user's idempotent endpoint would have done: once per key.
func (e *endpoint) distinct() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.effects)
}

// raw is what an endpoint that knows no keys would have done.
func (e *endpoint) raw() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, count := range e.effects {
		n += count
	}
	return n
}

func (e *endpoint) calls() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests)
}

// rig is a Manager with everything around it, inside a bubble of synctest.
type rig struct {
	t    *testing.T
	mem  *memory
	base *baseline
	end  *endpoint
	net  *pipes
	srv  *http.Server
	reg  *prometheus.Registry
	logs *syncBuffer
	cfg  runbook.Config
	m    *runbook.Manager
	stop func()
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// config reads runbooks as a user writes them.
func config(t testing.TB, text string) runbook.Config {
	t.Helper()
	cfg, err := parseConfig(text)
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	return cfg
}

func parseConfig(text string) (runbook.Config, error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	var cfg runbook.Config
	err := dec.Decode(&cfg)
	return cfg, err
}

const failover = `
- name: failover
  matchers: ['cause_kind="disk"']
  url: http://runner.example/failover
  mode: approve
  idempotent: true
  body: {resource: '{{ .Resource }}', cause: '{{ .Cause }}'}
  verify: {for: 2m, timeout: 10m}
`

func incident() runbook.Incident {
	return runbook.Incident{
		ID: "i-1", Severity: "critical", Cause: "db-0/disk", CauseKind: "disk", Resource: "db-0",
		Labels: model.LabelSet{"cluster": "eu"}, Alertnames: []string{"HighLatency"}, Anomalies: 7, DataTime: time.Now(),
	}
}

// inBubble runs fn with a rig whose Manager has the configuration.
func inBubble(t *testing.T, cfg string, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{
			t: t, mem: newMemory(), base: &baseline{}, net: newPipes(), cfg: config(t, cfg),
			end: &endpoint{effects: map[string]int{}},
		}
		r.srv = &http.Server{Handler: r.end, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		served := make(chan struct{})
		go func() { defer close(served); _ = r.srv.Serve(r.net) }()
		r.open()
		fn(r)
		r.stop()
		require.NoError(t, r.srv.Close())
		<-served
		synctest.Wait()
	})
}

// open starts a Manager over what the memory holds.
func (r *rig) open() {
	r.t.Helper()
	r.reg, r.logs = prometheus.NewPedanticRegistry(), &syncBuffer{}
	m, err := runbook.NewWith(r.cfg, runbook.Deps{
		Store: r.mem, Audit: r.mem, Verifier: r.base, Registerer: r.reg,
		Logger: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, r.net.dial, func() float64 { return 0.5 })
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	r.m = m
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
}

// keepFresh sends the incident again and again, as the correlator does, for d.
func (r *rig) keepFresh(d time.Duration, edit func(i *runbook.Incident)) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		i := incident()
		if edit != nil {
			edit(&i)
		}
		r.m.Propose(i)
		time.Sleep(min(30*time.Second, max(time.Until(end), time.Millisecond))) // The bubble's clock: no waiting.
	}
	synctest.Wait()
}

// approve proposes the incident and approves its only proposal.
func (r *rig) approve() runbook.Proposal {
	r.t.Helper()
	ps := r.m.Propose(incident())
	require.Len(r.t, ps, 1)
	p, err := r.m.Approve(r.t.Context(), ps[0].ID, "ann")
	require.NoError(r.t, err)
	synctest.Wait()
	return p
}

// one returns the only proposal.
func (r *rig) one() runbook.Proposal {
	r.t.Helper()
	ps := r.m.List()
	require.Len(r.t, ps, 1)
	return ps[0]
}

// calls returns the counter of calls for a verdict.
func (r *rig) count(verdict runbook.Verdict) float64 {
	families, err := r.reg.Gather()
	require.NoError(r.t, err)
	for _, f := range families {
		if f.GetName() != "tidemark_runbook_calls_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "verdict" && l.GetValue() == string(verdict) {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return -1
}
