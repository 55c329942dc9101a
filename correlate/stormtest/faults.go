package stormtest

import (
	"time"
)

// wave is how far and how fast trouble travels in one incident.
type wave struct {
	chance float64 // that an affected service's caller is affected
	median float64 // s per hop
	errs   float64 // share of errors in what callers show; the rest is slowness
}

func (p *plant) wave() wave {
	return wave{chance: 0.45 + 0.5*p.r.Float64(), median: 15 + 45*p.r.Float64(), errs: 0.3 + 0.6*p.r.Float64()}
}

// up spreads trouble from a service to its callers.
func (p *plant) up(inc string, s int, at time.Time, w wave, skipOwn bool) {
	seen := map[int]bool{s: true}
	if !skipOwn {
		p.trouble(inc, s, at, w)
	}
	type front struct {
		s  int
		at time.Time
		ch float64
	}
	now := []front{{s, at, 1}}
	for len(now) > 0 {
		var next []front
		for _, f := range now {
			for _, c := range p.services[f.s].callers {
				if seen[c] || !p.maybe(w.chance*f.ch) {
					continue
				}
				seen[c] = true
				t := f.at.Add(p.lag(w.median))
				p.trouble(inc, c, t, w)
				next = append(next, front{c, t, f.ch * 0.9})
			}
		}
		now = next
	}
}

// trouble is what a service that fails its callers shows.
func (p *plant) trouble(inc string, s int, at time.Time, w wave) {
	p.onService(inc, s, p.some(errorRules, 0.55*w.errs+0.1), at)
	p.onService(inc, s, p.some(slowRules, 0.75*(1-w.errs)+0.1), at.Add(p.lag(10)))
}

// down spreads load to callees.
func (p *plant) down(inc string, s int, at time.Time, chance float64) {
	seen := map[int]bool{s: true}
	type front struct {
		s  int
		at time.Time
	}
	now := []front{{s, at}}
	for hop := 0; hop < 3 && len(now) > 0; hop++ {
		var next []front
		for _, f := range now {
			for _, c := range p.services[f.s].callees {
				if seen[c] || !p.maybe(chance) {
					continue
				}
				seen[c] = true
				t := f.at.Add(p.lag(25))
				p.onService(inc, c, p.some(slowRules, 0.5), t)
				p.busy(inc, c, t, 0.4)
				next = append(next, front{c, t})
			}
		}
		now = next
	}
}

func (p *plant) busy(inc string, s int, at time.Time, chance float64) {
	if p.services[s].external {
		return
	}
	p.onService(inc, s, p.some(fullRules, chance), at.Add(p.lag(20)))
	for k := range p.services[s].pods {
		p.onPod(inc, s, k, p.some(busyRules, chance), at.Add(p.lag(20)))
	}
}

// pick draws a service that has what the fault needs.
func (p *plant) pick(ok func(*service) bool) int {
	for {
		if s := p.r.IntN(len(p.services)); ok(&p.services[s]) {
			return s
		}
	}
}

func (p *plant) fault(inc, kind string, at time.Time) {
	w := p.wave()
	p.ends[inc] = at.Add(minutes(25 + 40*p.r.Float64()))
	var root string
	switch kind {
	case "node_down", "node_memory":
		root = p.nodeFault(inc, kind, at, w)
	case "zone":
		root = p.zoneFault(inc, at, w)
	case "dns":
		root = p.dnsFault(inc, at)
	case "partition":
		root = p.partition(inc, at, w)
	default:
		root = p.serviceFault(inc, kind, at, w)
	}
	p.storm.Incidents[inc] = Incident{kind, root, at}
}

func (p *plant) serviceFault(inc, kind string, at time.Time, w wave) string {
	inner := func(x *service) bool { return x.tier >= 1 && x.tier <= 2 }
	database := func(x *service) bool { return x.db }
	var s int
	switch kind {
	case "db_slow":
		s, w.errs = p.pick(database), 0.35
		p.onService(inc, s, p.some(slowDB, 0.65), at.Add(p.lag(15)))
		p.up(inc, s, at, w, true)
	case "db_disk":
		s, w.errs = p.pick(database), 0.7
		p.onPod(inc, s, 0, p.some(diskRules, 0.75), at.Add(p.lag(10)))
		p.onService(inc, s, append(p.some(deadDB, 0.5), p.some(slowDB, 0.3)...), at.Add(p.lag(30)))
		p.up(inc, s, at.Add(p.lag(20)), w, true)
	case "cache_down":
		s, w.errs = p.pick(database), 0.6
		p.onService(inc, s, p.some(deadDB, 0.8), at.Add(p.lag(10)))
		for k := range p.services[s].pods {
			p.onPod(inc, s, k, p.some(podRules, 0.6), at.Add(p.lag(10)))
		}
		p.up(inc, s, at, w, true)
	case "bad_deploy":
		s, w.errs = p.pick(inner), 0.8
		for k := range p.services[s].pods {
			if p.maybe(0.8) {
				p.onPod(inc, s, k, p.some(podRules, 0.6), at.Add(p.lag(40)))
			}
		}
		p.onService(inc, s, append(p.some(shortRules, 0.7), p.some(rollRules, 0.6)...), at.Add(p.lag(20)))
		p.up(inc, s, at.Add(p.lag(10)), w, false)
	case "cert":
		s, w.errs = p.pick(inner), 0.95
		p.onService(inc, s, p.some(certRules, 0.85), at.Add(p.lag(5)))
		p.up(inc, s, at, w, false)
	case "surge":
		s = p.pick(func(x *service) bool { return x.tier <= 2 })
		p.busy(inc, s, at, 0.75)
		p.up(inc, s, at, wave{0.5 * w.chance, w.median, 0.4}, false)
		p.down(inc, s, at, 0.7)
	case "external":
		s, w.errs = p.pick(func(x *service) bool { return x.external }), 0.7
		p.up(inc, s, at, w, true)
	}
	return p.services[s].name
}

// guests are the services with pods on any of the nodes, and what share of their pods.
func (p *plant) guests(on func(node int) bool, visit func(s int, lost []int, share float64)) {
	for s := range p.services {
		var lost []int
		for k, q := range p.services[s].pods {
			if on(q.node) {
				lost = append(lost, k)
			}
		}
		if len(lost) > 0 {
			visit(s, lost, float64(len(lost))/float64(len(p.services[s].pods)))
		}
	}
}

func (p *plant) nodeFault(inc, kind string, at time.Time, w wave) string {
	n := p.r.IntN(p.nodes)
	rules := deadNode
	if kind == "node_memory" {
		rules = tightNode
	}
	p.onNode(inc, n, p.some(rules, 0.7), at.Add(p.lag(10)))
	p.guests(func(x int) bool { return x == n }, func(s int, lost []int, share float64) {
		for _, k := range lost {
			if kind == "node_down" {
				p.onPod(inc, s, k, p.some(podRules[:1], 0.8), at.Add(p.lag(30)))
			} else {
				p.onPod(inc, s, k, append(p.some(podRules[1:], 0.25), p.some(busyRules, 0.3)...), at.Add(p.lag(60)))
			}
		}
		if kind == "node_down" {
			p.onService(inc, s, p.some(shortRules, 0.6), at.Add(p.lag(30)))
		}
		if p.maybe(share * 0.9) {
			p.up(inc, s, at.Add(p.lag(20)), wave{w.chance * 0.6, w.median, 0.5}, false)
		}
	})
	return nodeName(n)
}

func (p *plant) zoneFault(inc string, at time.Time, w wave) string {
	z := p.r.IntN(p.zones)
	on := func(n int) bool { return n%p.zones == z }
	for n := range p.nodes {
		if on(n) {
			p.onNode(inc, n, p.some(deadNode, 0.6), at.Add(p.lag(15)))
		}
	}
	p.guests(on, func(s int, lost []int, share float64) {
		for _, k := range lost {
			p.onPod(inc, s, k, p.some(podRules[:1], 0.7), at.Add(p.lag(30)))
		}
		p.onService(inc, s, p.some(shortRules, 0.6), at.Add(p.lag(30)))
		if p.maybe(share) {
			p.trouble(inc, s, at.Add(p.lag(25)), w)
		}
	})
	return "zone-" + zoneName(z)
}

func (p *plant) dnsFault(inc string, at time.Time) string {
	p.onService(inc, p.dns, p.some(dnsRules, 0.8), at.Add(p.lag(15)))
	for s := range p.services {
		if s != p.dns && !p.services[s].external && p.maybe(0.6) {
			p.trouble(inc, s, at.Add(p.lag(40)), wave{errs: 0.6})
		}
	}
	return p.services[p.dns].name
}

// partition cuts a node off the network: its own alerts are of the network, its pods fail their callers.
func (p *plant) partition(inc string, at time.Time, w wave) string {
	n := p.r.IntN(p.nodes)
	p.onNode(inc, n, append(p.some(netNode, 0.8), p.some(deadNode, 0.4)...), at.Add(p.lag(10)))
	p.guests(func(x int) bool { return x == n }, func(s int, _ []int, share float64) {
		if p.maybe(0.3 + share*0.7) {
			p.up(inc, s, at.Add(p.lag(20)), wave{w.chance * 0.6, w.median, 0.7}, false)
		}
	})
	return nodeName(n)
}
