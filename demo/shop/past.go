package shop

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Past simulates the metrics of the healthy shop: the series that a scrape of the running shop
// gives, with the traffic, noise and queues of the same model. Not safe for concurrent use.
type Past struct {
	rhythm   Rhythm
	overhead float64
	rng      *rand.Rand
	series   []map[string]string
	values   []float64
	weather  float64             // See stepWeather.
	last     time.Time           // Of the last step.
	own      []map[string]string // Labels without those of the target, beside series.
	targets  []Target            // Beside series.

	instances []pastInstance
	edges     []pastEdge
	backends  []pastBackend
	nodes     []pastNode
}

type pastInstance struct {
	service              string
	share                float64 // Of the service's requests.
	ok, failed, inFlight int
	buckets              []int
	infinite, sum, count int
	replicationLag       int
	hasReplicationLag    bool
}

type pastEdge struct {
	edge
	total, failed    int
	server, observed pastHistogram
}

type pastHistogram struct {
	buckets              []int
	infinite, sum, count int
}

type pastBackend struct{ ok, failed int }

type pastNode struct {
	name                     string
	number                   int
	idle, user, iowait, free int
	diskTime, diskWeighted   int
	hasDisk                  bool
}

// NewPast prepares the simulation. started is the moment since which every process runs; overhead
// is what a call costs beyond its handler's work, seconds, as Shop.Overhead measures it.
func NewPast(r Rhythm, started time.Time, overhead float64) *Past {
	p := &Past{rhythm: r, overhead: overhead, rng: rand.New(rand.NewPCG(20260916, 28))}
	for _, s := range services {
		for i := range s.nodes {
			p.addInstance(s, i, started)
		}
	}
	for _, e := range edges {
		p.addEdge(e)
	}
	for i, n := range nodes {
		p.addNode(i, n)
	}
	for _, t := range Targets() {
		up := p.add(t, "up")
		p.values[up] = 1
	}
	return p
}

// Targets lists everything Prometheus scrapes of the shop, in a stable order.
func Targets() []Target {
	var out []Target
	for _, s := range services {
		for i := range s.nodes {
			out = append(out, serviceTarget(s, i))
		}
	}
	for _, n := range nodes {
		out = append(out, nodeTarget(n))
	}
	return append(out, tracesTarget)
}

// Series are the label sets of all series, __name__ included, in the order of Step's values. The
// caller must not change them.
func (p *Past) Series() []map[string]string { return p.series }

// Carry returns the counters and histograms of one target as they stand after the last step, by
// SampleKey: what the running shop continues from.
func (p *Past) Carry(t Target) map[string]float64 {
	out := map[string]float64{}
	for i, target := range p.targets {
		if target == t {
			out[SampleKey(p.own[i]["__name__"], p.own[i])] = p.values[i]
		}
	}
	return out
}

// SampleKey names a sample of a target by metric and labels, the target's labels excluded.
func SampleKey(name string, labels map[string]string) string {
	var b strings.Builder
	b.WriteString(name)
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k != "__name__" {
			b.WriteString("\x00" + k + "\x00" + labels[k])
		}
	}
	return b.String()
}

// add registers a series and returns its place; pairs are label names and values.
func (p *Past) add(t Target, name string, pairs ...string) int {
	own := map[string]string{"__name__": name}
	for i := 0; i < len(pairs); i += 2 {
		own[pairs[i]] = pairs[i+1]
	}
	all := t.Labels()
	maps.Copy(all, own)
	p.series = append(p.series, all)
	p.own = append(p.own, own)
	p.targets = append(p.targets, t)
	p.values = append(p.values, 0)
	return len(p.series) - 1
}

func (p *Past) addHistogram(t Target, name string, bounds []float64, pairs ...string) pastHistogram {
	var h pastHistogram
	for _, le := range bounds {
		h.buckets = append(h.buckets, p.add(t, name+"_bucket", append(pairs, "le", formatBound(le))...))
	}
	h.infinite = p.add(t, name+"_bucket", append(pairs, "le", "+Inf")...)
	h.sum = p.add(t, name+"_sum", pairs...)
	h.count = p.add(t, name+"_count", pairs...)
	return h
}

// formatBound writes a bucket bound as Prometheus 3 stores it ("1.0", not "1").
func formatBound(le float64) string {
	s := strconv.FormatFloat(le, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func (p *Past) addInstance(s serviceSpec, i int, started time.Time) {
	t := serviceTarget(s, i)
	h := p.addHistogram(t, metricDuration, requestBuckets)
	in := pastInstance{
		service: s.name, share: 1 / float64(len(s.nodes)),
		ok: p.add(t, metricRequests, "code", "200"), failed: p.add(t, metricRequests, "code", "500"),
		inFlight: p.add(t, metricInFlight),
		buckets:  h.buckets, infinite: h.infinite, sum: h.sum, count: h.count,
	}
	p.values[p.add(t, metricStart)] = float64(started.Unix())
	p.values[p.add(t, metricBuild, "version", s.version)] = 1
	switch s.name {
	case DBReplica:
		in.replicationLag, in.hasReplicationLag = p.add(t, metricReplication), true
	case LB:
		web := specOf(Web)
		for n := range web.nodes {
			backend := instanceName(web, n)
			p.backends = append(p.backends, pastBackend{
				ok:     p.add(t, metricBackend, "backend", backend, "code", "2xx"),
				failed: p.add(t, metricBackend, "backend", backend, "code", "5xx"),
			})
		}
	}
	p.instances = append(p.instances, in)
}

func (p *Past) addEdge(e edge) {
	pairs := []string{"client", e.client, "server", e.server}
	p.edges = append(p.edges, pastEdge{
		edge:  e,
		total: p.add(tracesTarget, metricEdgeTotal, pairs...), failed: p.add(tracesTarget, metricEdgeFailed, pairs...),
		server:   p.addHistogram(tracesTarget, metricEdgeServer, edgeBuckets, pairs...),
		observed: p.addHistogram(tracesTarget, metricEdgeClient, edgeBuckets, pairs...),
	})
}

func (p *Past) addNode(number int, name string) {
	t := nodeTarget(name)
	n := pastNode{
		name: name, number: number,
		idle: p.add(t, metricCPU, "cpu", "0", "mode", "idle"), user: p.add(t, metricCPU, "cpu", "0", "mode", "user"),
		iowait: p.add(t, metricCPU, "cpu", "0", "mode", "iowait"), free: p.add(t, metricMemory),
	}
	if t.Tier == "database" {
		n.hasDisk = true
		n.diskTime = p.add(t, metricDiskTime, "device", diskDevice)
		n.diskWeighted = p.add(t, metricDiskWeighted, "device", diskDevice)
	}
	p.nodes = append(p.nodes, n)
}

// Step moves the simulation to t and returns the value of every series. dt is the length of the
// first step; later ones begin where the one before ended. The slice is reused by the next call.
func (p *Past) Step(t time.Time, dt time.Duration) []float64 {
	seconds := dt.Seconds()
	if !p.last.IsZero() {
		seconds = max(0, t.Sub(p.last).Seconds()) // The shop may continue a moment before the last written sample.
	}
	p.last = t
	p.stepWeather(seconds)
	l := steady(p.rhythm.Rate(t, false), p.overhead*math.Exp(0.5*p.weather), math.Exp(0.1*p.weather))
	for i := range p.instances {
		p.stepInstance(&p.instances[i], l, seconds)
	}
	for _, e := range p.edges {
		p.stepEdge(e, l, seconds)
	}
	for _, b := range p.backends {
		n := p.poisson(l.rate[Web] / float64(len(p.backends)) * seconds)
		bad := p.binomial(n, fails(Web))
		p.values[b.ok] += float64(n - bad)
		p.values[b.failed] += float64(bad)
	}
	for _, n := range p.nodes {
		p.stepNode(n, l, t, seconds)
	}
	return p.values
}

// stepWeather moves what no metric explains: machines and networks have better and worse quarters
// of an hour. A standard normal process with a memory of about 15 minutes.
func (p *Past) stepWeather(seconds float64) {
	keep := math.Exp(-seconds / 900)
	p.weather = keep*p.weather + math.Sqrt(1-keep*keep)*p.rng.NormFloat64()
}

func (p *Past) stepInstance(in *pastInstance, l load, seconds float64) {
	latency := l.latency[in.service]
	rate := l.rate[in.service] * in.share
	n := p.poisson(rate * seconds)
	bad := p.binomial(n, fails(in.service))
	p.values[in.ok] += float64(n - bad)
	p.values[in.failed] += float64(bad)
	p.observe(pastHistogram{in.buckets, in.infinite, in.sum, in.count}, requestBuckets, latency, n)
	p.values[in.inFlight] = float64(p.poisson(rate * latency.moments().mean))
	if in.hasReplicationLag {
		p.values[in.replicationLag] = replicationLag(l.disk[DBPrimary]) * (1 + 0.1*p.rng.NormFloat64())
	}
}

// replicationLag is how far the replica is behind a primary whose disk is that busy, seconds.
func replicationLag(busy float64) float64 { return 0.05 + 0.2*busy }

func (p *Past) stepEdge(e pastEdge, l load, seconds float64) {
	n := p.poisson(l.rate[e.client] * edgeShare(e.edge) * seconds)
	p.values[e.total] += float64(n)
	p.values[e.failed] += float64(p.binomial(n, fails(e.edge.server)))
	latency := l.latency[e.edge.server]
	p.observe(e.server, edgeBuckets, latency, n)
	seen := make(mixture, len(latency))
	for i, c := range latency {
		seen[i] = part{c.share, dist{c.mean + p.overhead, c.variance}}
	}
	p.observe(e.observed, edgeBuckets, seen, n)
}

// observe adds n requests to a histogram: a multinomial draw over the buckets, a normal one for
// the sum.
func (p *Past) observe(h pastHistogram, bounds []float64, m mixture, n int) {
	left, passed, cumulative := n, 0.0, 0
	for i, bound := range bounds {
		below := m.below(bound)
		if share := below - passed; share > 0 && passed < 1 && left > 0 {
			c := p.binomial(left, math.Min(1, share/(1-passed)))
			left -= c
			cumulative += c
		}
		passed = below
		p.values[h.buckets[i]] += float64(cumulative)
	}
	p.values[h.infinite] += float64(n)
	p.values[h.count] += float64(n)
	d := m.moments()
	sum := float64(n)*d.mean + math.Sqrt(float64(n)*d.variance)*p.rng.NormFloat64()
	p.values[h.sum] += math.Max(sum, float64(n)*d.mean/4)
}

func (p *Past) stepNode(n pastNode, l load, t time.Time, seconds float64) {
	busy := idleCPU
	for _, s := range services {
		for _, node := range s.nodes {
			if node == n.name {
				busy += l.rate[s.name] / float64(len(s.nodes)) * s.work * cpuShare
			}
		}
	}
	user := math.Max(0, busy*(1+0.06*p.rng.NormFloat64())) * seconds
	var wait float64
	if n.hasDisk {
		disk := l.disk[n.name] * (1 + 0.06*p.rng.NormFloat64())
		wait = disk * ioWait * seconds
		p.values[n.diskTime] += disk * seconds
		// Little's law: I/Os in the system on average, times the time that passed.
		p.values[n.diskWeighted] += disk * (1 + disk/(2*(1-disk))) * seconds
	}
	p.values[n.user] += user
	p.values[n.iowait] += wait
	p.values[n.idle] += math.Max(0, seconds-user-wait)
	p.values[n.free] = memoryAvailable(n.number, float64(t.Unix()))
}

// poisson draws a Poisson variate: by Knuth's product for small means, else normal and rounded.
func (p *Past) poisson(mean float64) int {
	if mean > 30 {
		return int(math.Max(0, math.Round(mean+math.Sqrt(mean)*p.rng.NormFloat64())))
	}
	limit, product, k := math.Exp(-mean), p.rng.Float64(), 0
	for product > limit {
		product *= p.rng.Float64()
		k++
	}
	return k
}

// binomial draws how many of n succeed with probability q: Poisson when successes are rare,
// mirrored when failures are, else normal and rounded.
func (p *Past) binomial(n int, q float64) int {
	switch {
	case q > 0.5:
		return n - p.binomial(n, 1-q)
	case float64(n)*q < 20:
		return min(n, p.poisson(float64(n)*q))
	}
	mean := float64(n) * q
	k := math.Round(mean + math.Sqrt(mean*(1-q))*p.rng.NormFloat64())
	return int(math.Min(float64(n), math.Max(0, k)))
}
