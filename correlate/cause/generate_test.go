package cause_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/tidemark/tidemark/correlate/cause"
)

// shop is a generated system: nine services in a call graph on three nodes, with latency and errors
// that travel up the calls.
type shop struct {
	rng     *rand.Rand
	step    time.Duration
	start   time.Time
	normal  int // Samples before the fault.
	faulty  int // Samples of the fault.
	calls   map[string][]string
	order   []string // Callees before callers.
	noEdges bool     // No client-side latency of calls.
	names   func(what string) string
}

func newShop(seed uint64) *shop {
	return &shop{
		rng: rand.New(rand.NewPCG(seed, 7)), step: time.Minute, start: time.Unix(1_800_000_000, 0), normal: 60, faulty: 5,
		calls: map[string][]string{
			"web": {"cart", "catalog", "checkout"}, "checkout": {"cart", "payment", "shipping", "mail"},
			"cart": {"store"}, "catalog": {"search"}, "shipping": {"quote"},
		},
		order: []string{"store", "search", "quote", "payment", "mail", "cart", "catalog", "shipping", "checkout", "web"},
		names: func(what string) string { return what },
	}
}

// fault adds to what an entity shows during the fault.
type fault struct {
	cpu, memory, disk float64 // Factors; 0: none.
	delay             float64 // Seconds of own latency.
	network           float64 // Seconds on the way to it.
	errors            float64 // Share of own failures.
}

func (s *shop) noise(rel float64) float64 { return math.Exp(rel * s.rng.NormFloat64()) }

// make returns the case of a fault at entity at.
func (s *shop) make(at string, f fault) cause.Case {
	c := cause.Case{
		ID: fmt.Sprintf("%s-%+v", at, f), Step: s.step, FaultTime: s.start, AlertTime: s.start.Add(2 * time.Minute),
		Symptom: cause.Symptom{Entity: "web", Metric: s.names("latency")},
	}
	if f.errors > 0 {
		c.Symptom.Metric = s.names("errors")
	}
	nodes := map[string]string{}
	for i, e := range s.order {
		nodes[e] = fmt.Sprintf("node-%d", i%3)
		c.Graph = append(c.Graph, cause.Edge{From: e, To: nodes[e], Kind: cause.EdgeHost})
		for _, b := range s.calls[e] {
			c.Graph = append(c.Graph, cause.Edge{From: e, To: b, Kind: cause.EdgeCall})
		}
	}
	col := map[string]*cause.Series{}
	var names []string
	add := func(e, peer, metric string, t time.Time, v float64) {
		k := e + ">" + peer + "{" + metric + "}"
		if col[k] == nil {
			col[k] = &cause.Series{Entity: e, Peer: peer, Metric: metric, Query: k}
			names = append(names, k)
		}
		col[k].T, col[k].V = append(col[k].T, t.UnixMilli()), append(col[k].V, v)
	}
	for i := -s.normal; i < s.faulty; i++ {
		t := s.start.Add(time.Duration(i) * s.step)
		on := i >= 0
		latency, errors := map[string]float64{}, map[string]float64{}
		for _, e := range s.order {
			requests := 100 * s.noise(.1)
			own, fail := .02*s.noise(.1), .001*s.noise(.5)
			cpu, mem, disk := .2*s.noise(.1), 1e9*s.noise(.02), 1e6*s.noise(.3)
			if on && e == at {
				own += f.delay
				fail += f.errors
				cpu *= 1 + f.cpu
				mem *= 1 + f.memory
				disk *= 1 + f.disk
				if f.cpu > 0 {
					own *= 3
				}
			}
			latency[e], errors[e] = own, fail
			for _, b := range s.calls[e] {
				way := .002 * s.noise(.2)
				if on && b == at {
					way += f.network
				}
				if !s.noEdges {
					add(e, b, s.names("client_latency"), t, latency[b]+way)
					add(e, b, s.names("server_latency"), t, latency[b])
				}
				latency[e] += latency[b] + way
				errors[e] += errors[b]
			}
			add(e, "", s.names("latency"), t, latency[e])
			add(e, "", s.names("requests"), t, requests)
			add(e, "", s.names("errors"), t, errors[e]*requests)
			add(e, "", s.names("cpu"), t, cpu)
			add(e, "", s.names("memory"), t, mem)
			add(e, "", s.names("disk"), t, disk)
		}
	}
	for _, k := range names {
		c.Series = append(c.Series, *col[k])
	}
	return c
}

// plain names metrics as a small exporter would.
func plain(what string) string {
	return map[string]string{
		"latency": "request_duration_seconds:mean", "requests": "requests_total", "errors": "request_errors_total", "cpu": "cpu_usage",
		"memory": "memory_working_set_bytes", "disk": "disk_io_bytes", "client_latency": "client_seconds:mean", "server_latency": "server_seconds:mean",
	}[what]
}

// quantiles names metrics as research sets do.
func quantiles(what string) string {
	return map[string]string{
		"latency": "latency-90", "requests": "load", "errors": "error", "cpu": "cpu", "memory": "mem", "disk": "diskio",
		"client_latency": "client_p90", "server_latency": "server_p90",
	}[what]
}
