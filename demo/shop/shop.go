package shop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// maxPages bounds the pages in flight: beyond it a page is not asked for, as no client pool is
// endless.
const maxPages = 1000

// Shop is the running shop. Make one with New, drive its traffic with Run, end it with Close.
// Safe for concurrent use.
type Shop struct {
	rhythm  Rhythm
	started time.Time

	machines  map[string]*machine
	instances map[string][]*instance // By service.
	scrape    map[Target]string      // Addresses.
	nodeBase  map[string]map[string]float64
	traceBase map[string]float64
	nodeRegs  map[string]*prometheus.Registry
	baseMu    sync.RWMutex

	tracing  *tracing
	lag      prometheus.Gauge
	backends *prometheus.CounterVec
	link     *toxiproxy.Proxy // Between the orders API and payment.

	client     *http.Client
	servers    []*http.Server
	wg         sync.WaitGroup
	sunday     atomic.Bool
	failedOver atomic.Int64 // Time of the last fail-over, Unix nanoseconds; 0 is never.
}

// New starts all services on free loopback ports; started is the moment since which the processes
// claim to run.
func New(r Rhythm, started time.Time) (*Shop, error) {
	s := &Shop{
		rhythm: r, started: started,
		machines: map[string]*machine{}, instances: map[string][]*instance{},
		scrape: map[Target]string{}, nodeBase: map[string]map[string]float64{},
		nodeRegs: map[string]*prometheus.Registry{},
		tracing:  newTracing(),
		lag:      prometheus.NewGauge(prometheus.GaugeOpts{Name: metricReplication, Help: "How far the replica is behind."}),
		backends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricBackend, Help: "Requests per backend.",
		}, []string{"backend", "code"}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512, IdleConnTimeout: time.Minute}},
	}
	for i, n := range nodes {
		s.machines[n] = newMachine(n, i, time.Now())
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Shop) start() error {
	for _, spec := range services {
		for i := range spec.nodes {
			in, err := s.newInstance(spec, i)
			if err != nil {
				return err
			}
			s.instances[spec.name] = append(s.instances[spec.name], in)
			s.scrape[in.target] = in.addr
		}
	}
	for _, in := range s.instances[Web] {
		s.backends.WithLabelValues(in.target.Instance, "2xx")
		s.backends.WithLabelValues(in.target.Instance, "5xx")
	}
	for _, n := range nodes {
		reg := prometheus.NewRegistry()
		reg.MustRegister(s.machines[n])
		s.nodeRegs[n] = reg
		if err := s.exporter(nodeTarget(n), reg, func() map[string]float64 { return s.nodeBase[n] }); err != nil {
			return err
		}
	}
	if err := s.exporter(tracesTarget, s.tracing.reg, func() map[string]float64 { return s.traceBase }); err != nil {
		return err
	}
	logger := zerolog.Nop()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), logger)
	s.link = toxiproxy.NewProxy(server, "orders-payment", "127.0.0.1:0", s.instances[Payment][0].addr)
	if err := s.link.Start(); err != nil {
		return fmt.Errorf("start the link between %s and %s: %w", Orders, Payment, err)
	}
	return nil
}

// exporter serves the metrics of something that answers no pages.
func (s *Shop) exporter(t Target, g prometheus.Gatherer, base func() map[string]float64) error {
	addr, _, err := s.listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.baseMu.RLock()
		b := base()
		s.baseMu.RUnlock()
		promhttp.HandlerFor(carried{g, b}, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}))
	if err != nil {
		return fmt.Errorf("start exporter of %s: %w", t.Instance, err)
	}
	s.scrape[t] = addr
	return nil
}

// Addresses returns where each target is scraped, host:port, path /metrics.
func (s *Shop) Addresses() map[Target]string { return s.scrape }

// Continue makes the counters go on from the end of a simulated past: what a counter shows from now
// on is the past's value plus what happens from now on.
func (s *Shop) Continue(p *Past) error {
	p.Step(time.Now(), 0)
	s.baseMu.Lock()
	defer s.baseMu.Unlock()
	var errs []error
	base := func(t Target, g prometheus.Gatherer) map[string]float64 {
		out := p.Carry(t)
		errs = append(errs, subtract(out, g))
		return out
	}
	for _, n := range nodes {
		s.nodeBase[n] = base(nodeTarget(n), s.nodeRegs[n])
	}
	s.traceBase = base(tracesTarget, s.tracing.reg)
	for _, list := range s.instances {
		for _, in := range list {
			old := in.state.Load()
			in.state.Store(&process{instruments: old.instruments, base: base(in.target, old.reg)})
		}
	}
	return errors.Join(errs...)
}

// Overhead is what a call costs beyond its handler, in seconds, as measured so far; calls is over
// how many.
func (s *Shop) Overhead() (perCall float64, calls int) {
	d, n := s.tracing.overhead()
	return d.Seconds(), n
}

// Run asks for pages at the shop's rhythm until ctx ends and all pages are answered.
func (s *Shop) Run(ctx context.Context) error {
	var pages sync.WaitGroup
	defer pages.Wait()
	slots := make(chan struct{}, maxPages)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-second.C:
			s.replicate()
		case <-next.C:
			next.Reset(seconds(rand.ExpFloat64() / s.rhythm.Rate(time.Now(), s.sunday.Load())))
			select {
			case slots <- struct{}{}:
				pages.Go(func() {
					defer func() { <-slots }()
					s.page(ctx)
				})
			default:
			}
		}
	}
}

// page is one customer's request; its failure is the shop's to count.
func (s *Shop) page(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	path := "/catalog"
	switch x := rand.Float64(); {
	case x < shareUsers:
		path = "/account"
	case x < shareUsers+shareOrders:
		path = "/checkout"
	}
	_, _ = s.get(ctx, "http://"+s.instances[LB][0].addr+path)
}

// callBackend is the load balancer's choice of a web server.
func (s *Shop) callBackend(ctx context.Context, path string) error {
	backend := s.instances[Web][rand.IntN(len(s.instances[Web]))]
	err := s.callAt(ctx, edge{LB, Web}, backend.addr, path, backendTimeout)
	code := "2xx"
	if err != nil {
		code = "5xx"
	}
	s.backends.WithLabelValues(backend.target.Instance, code).Inc()
	return err
}

// route resolves a service to its name and address: through the network link where there is one,
// and to the replica during a fail-over.
func (s *Shop) route(client, server string) (name, addr string) {
	if server == DBPrimary && s.onReplica() {
		server = DBReplica
	}
	if client == Orders && server == Payment {
		return server, s.link.Listen
	}
	return server, s.instances[server][0].addr
}

// replicate moves the replica one second on: behind a primary that cannot write, the lag grows.
func (s *Shop) replicate() {
	if s.machines[DBPrimary].disk.isSlow() {
		s.lag.Add(0.9)
		return
	}
	busy := s.rhythm.Rate(time.Now(), s.sunday.Load()) * 1.08 * diskService
	s.lag.Set(replicationLag(busy) * (1 + 0.1*rand.NormFloat64()))
}

// failBack is how long the old primary needs with a new disk until it is the primary again.
const failBack = 10 * time.Second

// FailOver lets the replica take all queries at once and gives the old primary a new disk; when it
// has caught up, it is the primary again.
func (s *Shop) FailOver() {
	s.machines[DBPrimary].disk.setSlow(1)
	s.failedOver.Store(time.Now().UnixNano())
}

// onReplica says whether the replica stands in for the primary.
func (s *Shop) onReplica() bool {
	at := s.failedOver.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < failBack
}

// Close stops every service.
func (s *Shop) Close() error {
	var errs []error
	if s.link != nil {
		s.link.Stop()
	}
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	s.client.CloseIdleConnections()
	s.wg.Wait()
	return errors.Join(errs...)
}
