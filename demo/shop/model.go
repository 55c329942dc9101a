package shop

import "math"

// dist is a latency distribution by its first two moments, seconds and seconds².
type dist struct{ mean, variance float64 }

func (d dist) plus(o dist) dist { return dist{d.mean + o.mean, d.variance + o.variance} }

// part is one component of a mixture.
type part struct {
	share float64
	dist
}

// mixture is what an instance's requests take: pages differ in what they call.
type mixture []part

// moments are the mean and variance of the whole mixture.
func (m mixture) moments() dist {
	var mean, square float64
	for _, p := range m {
		mean += p.share * p.mean
		square += p.share * (p.variance + p.mean*p.mean)
	}
	return dist{mean, square - mean*mean}
}

// below is the share of requests that take at most x seconds; each component is taken as
// lognormal with the component's moments.
func (m mixture) below(x float64) float64 {
	var sum float64
	for _, p := range m {
		s2 := math.Log(1 + p.variance/(p.mean*p.mean))
		mu := math.Log(p.mean) - s2/2
		sum += p.share * 0.5 * math.Erfc(-(math.Log(x)-mu)/math.Sqrt(2*s2))
	}
	return sum
}

// load is the steady state of the healthy shop at one rate of pages.
type load struct {
	rate    map[string]float64 // Requests per second, per service.
	latency map[string]mixture // What the server of each service measures.
	disk    map[string]float64 // Utilisation of each database's disk, 0 to 1.
}

// steady solves the model for a rate of pages per second. overhead is what one call costs beyond
// the work of its handler (network, scheduling), seconds, as measured on the running shop; drag is
// a factor on all work, 1 on a good day.
func steady(pages, overhead, drag float64) load {
	primary := shareCatalog*catalogFromPrimary + shareUsers + 3*shareOrders
	rate := map[string]float64{
		LB: pages, Web: pages,
		Catalog: pages * shareCatalog, Users: pages * shareUsers, Orders: pages * shareOrders,
		Cart: pages * shareOrders, Payment: pages * shareOrders,
		DBPrimary: pages * primary, DBReplica: pages * shareCatalog * (1 - catalogFromPrimary),
	}
	own := func(name string) dist {
		w := specOf(name).work * drag
		return dist{w, w * w * workSpread * workSpread}
	}
	call := func(d dist) dist { return dist{d.mean + overhead, d.variance} }

	disk := map[string]float64{}
	db := func(name string) dist {
		busy := math.Min(rate[name]*diskService, 0.95)
		disk[name] = busy
		// M/D/1: mean wait and its variance (Pollaczek–Khinchine).
		wait := busy * diskService / (2 * (1 - busy))
		return own(name).plus(dist{diskService + wait, wait*wait + busy*diskService*diskService/(3*(1-busy))})
	}
	prim, repl := db(DBPrimary), db(DBReplica)
	cart, pay := own(Cart).plus(call(prim)), own(Payment).plus(call(prim))
	users := own(Users).plus(call(prim))
	orders := own(Orders).plus(call(cart)).plus(call(pay)).plus(call(prim))
	catalog := mixture{
		{catalogFromPrimary, own(Catalog).plus(call(prim))},
		{1 - catalogFromPrimary, own(Catalog).plus(call(repl))},
	}
	behind := func(front string, below mixture) mixture {
		out := make(mixture, len(below))
		for i, p := range below {
			out[i] = part{p.share, own(front).plus(call(p.dist))}
		}
		return out
	}
	pageMix := mixture{{shareUsers, users}, {shareOrders, orders}, {shareCatalog, catalog.moments()}}
	web := behind(Web, pageMix)
	return load{
		rate: rate,
		latency: map[string]mixture{
			LB: behind(LB, web), Web: web,
			Catalog: catalog, Users: {{1, users}}, Orders: {{1, orders}},
			Cart: {{1, cart}}, Payment: {{1, pay}},
			DBPrimary: {{1, prim}}, DBReplica: {{1, repl}},
		},
		disk: disk,
	}
}

// fails is the share of requests of a service that end in an error while nothing is wrong: its
// own and those of what it calls.
func fails(name string) float64 {
	depth := map[string]float64{
		LB: 5, Web: 4, Orders: 6, Cart: 2, Payment: 2, Users: 2, Catalog: 2, DBPrimary: 1, DBReplica: 1,
	}
	return depth[name] * errorRate
}

// edgeShare is the part of the client's requests that cause a call over an edge, and the number
// of such calls.
func edgeShare(e edge) float64 {
	switch e {
	case edge{Web, Catalog}:
		return shareCatalog
	case edge{Web, Users}:
		return shareUsers
	case edge{Web, Orders}:
		return shareOrders
	case edge{Catalog, DBPrimary}:
		return catalogFromPrimary
	case edge{Catalog, DBReplica}:
		return 1 - catalogFromPrimary
	}
	return 1
}
