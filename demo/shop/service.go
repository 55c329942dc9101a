package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// serverTime is the header in which a server tells how long it took, in nanoseconds: what a
// tracing library would put into the server's span.
const serverTime = "X-Server-Nanoseconds"

// instance is one running process of a service, with an address of its own.
type instance struct {
	shop    *Shop
	spec    serviceSpec
	target  Target
	machine *machine
	server  *http.Server
	addr    string

	state    atomic.Pointer[process]
	failRate atomic.Uint64 // Extra share of failing requests, as Float64bits.
}

// process is what a restart of an instance replaces.
type process struct {
	*instruments
	base map[string]float64 // Carried counters; none after a restart.
}

func (s *Shop) newInstance(spec serviceSpec, i int) (*instance, error) {
	in := &instance{shop: s, spec: spec, target: serviceTarget(spec, i), machine: s.machines[spec.nodes[i]]}
	in.restart(spec.version, s.started)
	addr, server, err := s.listen(in)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", in.target.Instance, err)
	}
	in.addr, in.server = addr, server
	return in, nil
}

// restart begins a new process: counters from zero, perhaps a new version.
func (in *instance) restart(version string, at time.Time) {
	p := &process{instruments: newInstruments(version, at)}
	if in.spec.name == DBReplica {
		p.reg.MustRegister(in.shop.lag)
	}
	if in.spec.name == LB {
		p.reg.MustRegister(in.shop.backends)
	}
	in.state.Store(p)
}

// ServeHTTP answers pages and, at /metrics, scrapes.
func (in *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := in.state.Load()
	if r.URL.Path == "/metrics" {
		promhttp.HandlerFor(carried{p.reg, p.base}, promhttp.HandlerOpts{}).ServeHTTP(w, r)
		return
	}
	began := time.Now()
	p.inFlight.Inc()
	defer p.inFlight.Dec()
	code := in.answer(r)
	took := time.Since(began)
	p.observe(code, took)
	w.Header().Set(serverTime, strconv.FormatInt(int64(took), 10))
	w.WriteHeader(code)
	_, _ = io.WriteString(w, "{}\n")
}

// answer does the instance's own work and its calls, and returns the status code.
func (in *instance) answer(r *http.Request) int {
	work := lognormal(in.spec.work, workSpread) * in.machine.factor()
	in.machine.use(in.spec.work * cpuShare)
	_ = sleep(r.Context(), seconds(work))
	if rand.Float64() < errorRate+math.Float64frombits(in.failRate.Load()) {
		return http.StatusInternalServerError
	}
	err := in.calls(r)
	var status statusError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &status):
		return int(status)
	default:
		return http.StatusGatewayTimeout
	}
}

// Limits a client sets on its calls.
const (
	pageTimeout    = 6 * time.Second
	backendTimeout = 4 * time.Second
	apiTimeout     = 3500 * time.Millisecond
	peerTimeout    = 2500 * time.Millisecond
	dbTimeout      = 1600 * time.Millisecond
)

// calls makes the calls that a page needs, one after the other, and stops at the first that fails.
func (in *instance) calls(r *http.Request) error {
	ctx, s := r.Context(), in.shop
	db := func() error { return s.call(ctx, in.spec.name, DBPrimary, "/query", dbTimeout) }
	switch in.spec.name {
	case LB:
		return s.callBackend(ctx, r.URL.Path)
	case Web:
		return s.call(ctx, Web, apiOf(r.URL.Path), r.URL.Path, apiTimeout)
	case Catalog:
		if rand.Float64() < catalogFromPrimary {
			return db()
		}
		return s.call(ctx, Catalog, DBReplica, "/query", dbTimeout)
	case Orders:
		if err := s.call(ctx, Orders, Cart, "/", peerTimeout); err != nil {
			return err
		}
		if err := s.call(ctx, Orders, Payment, "/", peerTimeout); err != nil {
			return err
		}
		return db()
	case Users, Cart, Payment:
		return db()
	default:
		return in.query(ctx)
	}
}

// query is what a database does: one I/O.
func (in *instance) query(ctx context.Context) error {
	wait, ok := in.machine.disk.take(time.Now())
	if !ok {
		return statusError(http.StatusServiceUnavailable)
	}
	return sleep(ctx, wait)
}

// apiOf is the API behind a page.
func apiOf(path string) string {
	switch path {
	case "/account":
		return Users
	case "/checkout":
		return Orders
	default:
		return Catalog
	}
}

// statusError is an answer that was not 200.
type statusError int

// Error implements error.
func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }

// call makes one call from a service to another and records its span. A failed answer below
// becomes 502 here, a timeout 504.
func (s *Shop) call(ctx context.Context, client, server, path string, timeout time.Duration) error {
	server, addr := s.route(client, server)
	return s.callAt(ctx, edge{client, server}, addr, path, timeout)
}

func (s *Shop) callAt(ctx context.Context, e edge, addr, path string, timeout time.Duration) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	took, err := s.get(ctx, "http://"+addr+path)
	s.tracing.span(e, took, time.Since(began), err != nil)
	var status statusError
	if errors.As(err, &status) {
		return statusError(http.StatusBadGateway)
	}
	return err
}

// get fetches url and returns how long the server says it took.
func (s *Shop) get(ctx context.Context, url string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	ns, _ := strconv.ParseInt(resp.Header.Get(serverTime), 10, 64)
	if resp.StatusCode != http.StatusOK {
		return time.Duration(ns), statusError(resp.StatusCode)
	}
	return time.Duration(ns), nil
}

// listen serves h on a free loopback port until Close.
func (s *Shop) listen(h http.Handler) (string, *http.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	s.servers = append(s.servers, server)
	s.wg.Go(func() { _ = server.Serve(l) })
	return l.Addr().String(), server, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// sleep waits for d or the end of the context.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lognormal draws with a mean and a coefficient of variation.
func lognormal(mean, cv float64) float64 {
	s2 := math.Log(1 + cv*cv)
	return mean * math.Exp(math.Sqrt(s2)*rand.NormFloat64()-s2/2)
}
