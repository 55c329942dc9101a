// Package stormtest makes alert storms with known causes, to choose the constants of correlation and
// to test it: a random system of tiers on nodes in zones, faults of many types whose symptoms travel
// over its calls, and alerts as rules with a `for:` make of them, received as Alertmanager sends them.
package stormtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/topology"
)

// Types of faults.
var Types = []string{
	"node_down", "node_memory", "db_slow", "db_disk", "bad_deploy", "cert", "surge", "cache_down",
	"zone", "dns", "external", "partition",
}

// Incident is the truth of one incident.
type Incident struct {
	Type  string
	Root  string
	Start time.Time
}

// Storm is a recording with its truth.
type Storm struct {
	Name      string
	Events    []correlate.Recorded
	Edges     []topology.Edge
	Found     topology.Found    // nodes with addresses and zones
	Truth     map[string]string // fingerprint → incident, or noise of its own
	Incidents map[string]Incident
}

// Graph is the storm's topology; it stands at any time.
func (s *Storm) Graph() *topology.Graph {
	const forever = 100 * 365 * 24 * time.Hour
	g := topology.NewGraph(topology.Options{TTL: forever, Retention: forever})
	at := time.Unix(0, 0).UTC()
	g.Add(at, s.Edges...)
	g.Apply(at, s.Found)
	return g
}

// Options of Generate; the zero value picks everything at random.
type Options struct {
	Types     []string // to draw from; nil: Types
	Incidents int      // 0: one to four
}

type service struct {
	name, ns string
	tier     int
	callees  []int
	callers  []int
	pods     []pod
	external bool
	db       bool
}

type pod struct {
	name string
	node int
}

// plant is the system in which faults happen.
type plant struct {
	r        *rand.Rand
	services []service
	nodes    int
	zones    int
	dns      int
	t0       time.Time

	// Of this storm.
	flap, lost, ha, missing float64
	interval                time.Duration
	storm                   *Storm
	ends                    map[string]time.Time // incident → recovery
}

// Generate makes the storm of a seed.
func Generate(seed uint64, o Options) *Storm {
	p := &plant{r: rand.New(rand.NewPCG(seed, 0x5eed)), t0: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).Add(time.Duration(seed) * 7 * time.Hour)}
	p.storm = &Storm{Name: fmt.Sprintf("gen_%03d", seed), Truth: map[string]string{}, Incidents: map[string]Incident{}}
	p.ends = map[string]time.Time{}
	p.build()
	types := o.Types
	if types == nil {
		types = Types
	}
	n := o.Incidents
	if n == 0 {
		n = 1 + p.r.IntN(4)
	}
	for i := range n {
		start := p.t0.Add(time.Hour + time.Duration(p.r.Float64()*25*float64(time.Minute)))
		p.fault(fmt.Sprintf("I%d", i+1), types[p.r.IntN(len(types))], start)
	}
	p.noise()
	p.graph()
	slices.SortStableFunc(p.storm.Events, func(a, b correlate.Recorded) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return p.storm
}

var tierNames = [][]string{
	{"storefront", "backoffice", "partnerapi"},
	{"basket", "checkin", "inventory", "loyalty", "billing", "shipping", "account", "wishlist", "returns", "coupons", "helpdesk", "messages"},
	{"priceengine", "stockcore", "identity", "ledgercore", "mailer", "images", "geocode", "fraudcheck", "taxes", "featureflags"},
	{"pg-orders", "pg-users", "mysql-stock", "redis-sessions", "mongo-docs", "kafka-bus"},
}

// build draws tiers, calls, pods and nodes.
func (p *plant) build() {
	r := p.r
	p.nodes, p.zones = 6+r.IntN(10), 2+r.IntN(2)
	p.flap, p.lost, p.missing = 0.05+r.Float64()*0.2, 0.01+r.Float64()*0.04, 0.04+r.Float64()*0.08
	if r.Float64() < 0.25 {
		p.ha = 1
	}
	p.interval = time.Duration(1+r.IntN(5)) * time.Minute
	tiers := make([][]int, 4)
	for t, names := range tierNames {
		for _, n := range names {
			if t > 0 && r.Float64() < 0.2 {
				continue
			}
			tiers[t] = append(tiers[t], len(p.services))
			p.services = append(p.services, service{name: n, ns: fmt.Sprintf("team-%c", 'a'+rune(r.IntN(5))), tier: t, db: t == 3})
		}
	}
	for t := range 3 {
		for _, s := range tiers[t] {
			p.callSome(s, tiers[t+1], 1+r.IntN(4))
			if t < 2 {
				p.callSome(s, tiers[t+2], r.IntN(2))
			}
		}
	}
	for _, name := range []string{"stripe", "mapsvendor"} {
		s := len(p.services)
		p.services = append(p.services, service{name: name, external: true, tier: 4})
		for range 2 + r.IntN(2) {
			p.call(tiers[1+r.IntN(2)][0], s)
			p.call(tiers[1][r.IntN(len(tiers[1]))], s)
		}
	}
	p.dns = len(p.services)
	p.services = append(p.services, service{name: "coredns", ns: "kube-system", tier: 5})
	for i := range p.services {
		s := &p.services[i]
		if s.external {
			continue
		}
		n := 2 + r.IntN(5)
		if s.db {
			n = 1 + r.IntN(3)
		}
		hash := fmt.Sprintf("%09x", r.Uint64()&0xfffffffff)
		for k := range n {
			name := fmt.Sprintf("%s-%s-%05x", s.name, hash, r.Uint64()&0xfffff)
			if s.db {
				name = fmt.Sprintf("%s-%d", s.name, k)
			}
			s.pods = append(s.pods, pod{name, r.IntN(p.nodes)})
		}
	}
}

func (p *plant) callSome(from int, to []int, n int) {
	for range n {
		if len(to) > 0 {
			p.call(from, to[p.r.IntN(len(to))])
		}
	}
}

func (p *plant) call(from, to int) {
	if from == to || slices.Contains(p.services[from].callees, to) {
		return
	}
	p.services[from].callees = append(p.services[from].callees, to)
	p.services[to].callers = append(p.services[to].callers, from)
}

func nodeName(n int) string { return fmt.Sprintf("worker-%02d", n) }
func nodeIP(n int) string   { return fmt.Sprintf("172.20.%d.%d", n/4, 10+n) }
func zoneName(z int) string { return string(rune('a' + z)) }

// graph writes down what tidemark may know; some call edges are missing.
func (p *plant) graph() {
	add := func(kind topology.EdgeKind, fk, tk topology.Kind, from, to string) {
		p.storm.Edges = append(p.storm.Edges, topology.Edge{From: topology.Entity{Kind: fk, Name: from}, To: topology.Entity{Kind: tk, Name: to}, Kind: kind, Source: "stormtest", Confidence: 1})
	}
	for i := range p.services {
		s := &p.services[i]
		for _, c := range s.callees {
			if p.r.Float64() >= p.missing {
				add(topology.Call, topology.KindService, topology.KindService, s.name, p.services[c].name)
			}
		}
		for _, q := range s.pods {
			add(topology.Owns, topology.KindService, topology.KindPod, s.name, q.name)
			add(topology.Host, topology.KindPod, topology.KindNode, q.name, nodeName(q.node))
		}
	}
	p.storm.Found.Attributes = map[topology.Entity]topology.Attributes{}
	for n := range p.nodes {
		e := topology.Entity{Kind: topology.KindNode, Name: nodeName(n)}
		p.storm.Found.Attributes[e] = topology.Attributes{topology.AttrIP: nodeIP(n), topology.AttrZone: zoneName(n % p.zones)}
		p.storm.Found.Edges = append(p.storm.Found.Edges, topology.Edge{
			From: e, To: topology.Entity{Kind: topology.KindZone, Name: topology.ZoneName(zoneName(n % p.zones))}, Kind: topology.In, Source: "stormtest", Confidence: 1,
		})
	}
}

func minutes(m float64) time.Duration { return time.Duration(m * float64(time.Minute)) }

func secs(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// lag is a log-normal delay with the given median.
func (p *plant) lag(median float64) time.Duration {
	return secs(median * math.Exp(p.r.NormFloat64()*0.6))
}

func (p *plant) maybe(x float64) bool { return p.r.Float64() < x }

func labelsOf(kv ...string) model.LabelSet {
	ls := model.LabelSet{"cluster": "west-2"}
	for i := 0; i < len(kv); i += 2 {
		ls[model.LabelName(kv[i])] = model.LabelValue(kv[i+1])
	}
	return ls
}
