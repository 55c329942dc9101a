package correlate

import (
	"math"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/correlate/topology"
)

// expected is how many alerts of one class a root makes its vertex show, and how late.
type expected struct {
	lambda float64
	vertex int32
	class  class
	row    uint8 // of densities
}

// Rates of the propagation model. They say how likely an alert of a class is at an entity in a given
// relation to the cause; see docs/correlation.md for how they were chosen.
const (
	ownCause     = 0.5  // the entity's own pod, cause and saturation alerts
	ownPods      = 0.4  // the same on each of its instances
	ownError     = 0.8  // its own errors
	ownLatency   = 0.6  // its own latency
	upward       = 0.8  // decay of errors and latency per call to the callers
	upLatency    = 0.8  // latency over errors on the way up
	upSaturation = 0.15 // pools and queues of callers that wait, over their errors
	downward     = 0.5  // latency and saturation at the first callee
	downDecay    = 0.8  // per further call
	downPods     = 0.6  // of it on the callee's instances
	podShare     = 0.5  // errors and latency seen at an instance over those at its service
	trafficBoth  = 0.3  // traffic alerts at callers and callees
	loadOwn      = 0.8  // traffic alerts where more or fewer customers come in
	loadDown     = 0.9  // decay of traffic per call to the callees
	loadBusy     = 0.2  // saturation and latency over traffic on the way down
	upWaiting    = 0.3  // saturation over errors on the way up: requests that wait pile up at the callers
	ownLag       = 0.2  // its own lag: who is behind more often waits for another
	waitingLag   = 0.4  // lag of what calls the cause, over errors on the way up
	hostOfOwn    = 0.04 // node alerts at the nodes of a service in trouble

	nodeOwn      = 0.8  // node alerts of a broken node
	nodePods     = 0.6  // pod alerts of what runs on it, and of its services
	nodeCause    = 0.5  // cause alerts of a service over the share of its pods there
	nodeCalls    = 0.9  // errors over the share of pods from wholeShare on
	nodeFewCalls = 0.25 // below it
	wholeShare   = 0.4

	zoneNode    = 0.64 // node alerts of a zone that is lost
	clusterWide = 0.45 // errors and latency anywhere when what all depend on is broken
	clusterDNS  = 0.5

	kinRate = 0.5 // any alert at what used to fire together with the root

	minLambda = 0.02 // below it nothing is expected
	callHops  = 4
)

// rates collects what a root predicts; one scratch area serves all roots.
type rates struct {
	w       *world
	lambda  [][numClasses]float64
	rows    [][numClasses]uint8
	touched []int
}

func newRates(w *world) *rates {
	return &rates{w: w, lambda: make([][numClasses]float64, len(w.v)), rows: make([][numClasses]uint8, len(w.v))}
}

func (r *rates) reset() {
	for _, v := range r.touched {
		r.lambda[v] = [numClasses]float64{}
	}
	r.touched = r.touched[:0]
}

// put raises the rate at a vertex; the larger prediction wins.
func (r *rates) put(v int, c class, lambda float64, row uint8) {
	if lambda < minLambda || lambda <= r.lambda[v][c] {
		return
	}
	if r.lambda[v] == ([numClasses]float64{}) {
		r.touched = append(r.touched, v)
	}
	r.lambda[v][c], r.rows[v][c] = lambda, row
}

// list returns the collected rates by vertex and class.
func (r *rates) list() []expected {
	slices.Sort(r.touched)
	n := 0
	for _, v := range r.touched {
		for _, l := range r.lambda[v] {
			if l > 0 {
				n++
			}
		}
	}
	out := make([]expected, 0, n)
	for _, v := range r.touched {
		for c, l := range r.lambda[v] {
			if l > 0 {
				out = append(out, expected{l, int32(v), class(c), r.rows[v][c]})
			}
		}
	}
	return out
}

// of returns what vertex root predicts as a cause.
func (r *rates) of(root int) []expected {
	r.reset()
	switch r.w.v[root].level {
	case levelNode:
		r.node(root)
	case levelZone:
		r.zone(root)
	case levelPod:
		r.pod(root)
	default:
		r.service(root)
	}
	for _, k := range r.w.v[root].kin {
		for c := range class(numClasses) {
			r.put(k.to, c, kinRate*k.conf, densityRow(1, false))
		}
	}
	return r.list()
}

// clusterWide returns what a root predicts on which everything depends, as the cluster's DNS.
func (r *rates) everything(root int) []expected {
	r.reset()
	r.service(root)
	for v := range r.w.v {
		switch r.w.v[v].level {
		case levelService:
			r.put(v, classError, clusterWide, densityRow(1, false))
			r.put(v, classLatency, clusterWide, densityRow(1, false))
			r.put(v, classDNS, clusterDNS, densityRow(1, false))
		case levelPod, levelNode:
			r.put(v, classDNS, clusterDNS/2, densityRow(1, false))
			r.put(v, classError, clusterWide*podShare, densityRow(1, false))
			r.put(v, classLatency, clusterWide*podShare, densityRow(1, false))
		}
	}
	return r.list()
}

func (r *rates) service(root int) {
	x := &r.w.v[root]
	own := densityRow(0, false)
	for _, c := range []class{classPod, classCause, classSaturation} {
		r.put(root, c, ownCause, own)
		for _, p := range x.pods {
			r.put(p, c, ownPods, own)
		}
	}
	r.put(root, classDNS, ownCause, own)
	r.put(root, classNetwork, ownCause, own)
	r.lag(root, ownLag, own)
	for _, p := range x.pods {
		for _, n := range r.w.v[p].hosts {
			r.put(n, classNode, hostOfOwn, own)
		}
	}
	for _, v := range x.volumes {
		r.put(v, classCause, ownCause, own)
	}
	r.calls(root, ownError, ownLatency, 1, false)
	r.down(root)
}

// load is what a service predicts at which more or fewer requests come in than usual: traffic at what it
// calls, and what that traffic uses. Nothing is broken, so nothing travels to the callers.
func (r *rates) load(root int) []expected {
	r.reset()
	r.traffic(root, loadOwn, 0)
	r.walk(root, func(x *vertex) []link { return x.callees }, func(v, hops int, conf float64) {
		r.traffic(v, loadOwn*conf*math.Pow(loadDown, float64(hops)), hops)
	})
	return r.list()
}

// traffic puts traffic, and what it uses, at a service, its instances and their nodes.
func (r *rates) traffic(v int, lambda float64, hops int) {
	row := densityRow(hops, false)
	for _, x := range append([]int{v}, r.w.v[v].pods...) {
		r.put(x, classTraffic, lambda, row)
		r.put(x, classSaturation, loadBusy*lambda, row)
		r.put(x, classLatency, loadBusy*lambda, row)
		for _, n := range r.w.v[x].hosts {
			r.put(n, classNode, loadBusy*lambda, row)
			r.put(n, classNetwork, loadBusy*lambda, row)
		}
	}
}

// calls spreads errors and latency from a service to its callers.
func (r *rates) calls(root int, err, lat, scale float64, slow bool) {
	r.serve(root, err*scale, lat*scale, 0, slow)
	r.walk(root, func(x *vertex) []link { return x.callers }, func(v, hops int, conf float64) {
		decay := scale * conf * math.Pow(upward, float64(hops))
		r.serve(v, decay, decay*upLatency, hops, slow)
		r.put(v, classTraffic, trafficBoth*decay, densityRow(hops, slow))
		r.put(v, classSaturation, upWaiting*decay, densityRow(hops, slow))
		r.lag(v, waitingLag*decay, densityRow(hops, slow))
		for _, p := range r.w.v[v].pods {
			r.put(p, classSaturation, upWaiting*podShare*decay, densityRow(hops, slow))
		}
	})
}

// lag puts lag at a service and its instances.
func (r *rates) lag(v int, lambda float64, row uint8) {
	r.put(v, classLag, lambda, row)
	for _, p := range r.w.v[v].pods {
		r.put(p, classLag, lambda, row)
	}
}

// serve puts errors and latency at a service and its instances.
func (r *rates) serve(v int, err, lat float64, hops int, slow bool) {
	row := densityRow(hops, slow)
	r.put(v, classError, err, row)
	r.put(v, classLatency, lat, row)
	r.put(v, classTraffic, trafficBoth*err, row)
	for _, p := range r.w.v[v].pods {
		r.put(p, classError, err*podShare, row)
		r.put(p, classLatency, lat*podShare, row)
		r.put(p, classTraffic, trafficBoth*err*podShare, row)
	}
}

// down spreads latency and saturation from a service to its callees: the load does it. A service that fails calls
// them less.
func (r *rates) down(root int) {
	r.walk(root, func(x *vertex) []link { return x.callees }, func(v, hops int, conf float64) {
		row := densityRow(hops, false)
		decay := conf * math.Pow(downDecay, float64(hops-1))
		r.put(v, classLatency, downward*decay, row)
		r.put(v, classSaturation, downward*decay, row)
		r.put(v, classTraffic, trafficBoth*decay, row)
		for _, p := range r.w.v[v].pods {
			r.put(p, classSaturation, downward*decay*downPods, row)
			r.put(p, classLatency, downward*decay*podShare, row)
			r.put(p, classTraffic, trafficBoth*decay*podShare, row)
		}
	})
}

// walk visits neighbours breadth first up to callHops, best confidence first to arrive.
func (r *rates) walk(root int, next func(*vertex) []link, visit func(v, hops int, conf float64)) {
	type at struct {
		v    int
		conf float64
	}
	seen := map[int]bool{root: true}
	front := []at{{root, 1}}
	for hops := 1; hops <= callHops && len(front) > 0; hops++ {
		var far []at
		for _, f := range front {
			for _, l := range next(&r.w.v[f.v]) {
				if !seen[l.to] {
					seen[l.to] = true
					far = append(far, at{l.to, f.conf * l.conf})
				}
			}
		}
		for _, f := range far {
			visit(f.v, hops, f.conf)
		}
		front = far
	}
}

// node: its own alerts, its guests, and their services by the share of pods that it holds.
func (r *rates) node(root int) {
	r.put(root, classNode, nodeOwn, densityRow(0, false))
	r.put(root, classNetwork, nodeOwn/2, densityRow(0, false))
	r.put(root, classDNS, nodeOwn/4, densityRow(0, false))
	r.guests([]int{root})
}

func (r *rates) zone(root int) {
	for _, n := range r.w.v[root].members {
		r.put(n, classNode, zoneNode, densityRow(0, false))
		r.put(n, classNetwork, zoneNode/2, densityRow(0, false))
	}
	for _, c := range []class{classNode, classNetwork, classCause, classError} {
		r.put(root, c, ownCause, densityRow(0, false))
	}
	r.guests(r.w.v[root].members)
}

// guests spreads the loss of nodes to what ran on them.
func (r *rates) guests(nodes []int) {
	lost := map[int]int{}
	var order []int
	for _, n := range nodes {
		for _, p := range r.w.v[n].guests {
			r.put(p, classPod, nodePods, densityRow(0, true))
			r.put(p, classSaturation, nodePods/2, densityRow(0, true))
			r.put(p, classError, nodePods*podShare, densityRow(0, true))
			r.put(p, classLatency, nodePods*podShare, densityRow(0, true))
			owners := r.w.v[p].owners
			if len(owners) == 0 && r.w.v[p].level == levelService {
				owners = []int{p}
			}
			for _, s := range owners {
				if lost[s] == 0 {
					order = append(order, s)
				}
				lost[s]++
			}
		}
	}
	for _, s := range order {
		share := float64(lost[s]) / float64(max(1, len(r.w.v[s].pods)))
		share = min(share, 1)
		r.put(s, classPod, nodePods, densityRow(0, true))
		r.put(s, classCause, nodeCause*share, densityRow(0, false))
		scale := nodeFewCalls * share
		if share >= wholeShare {
			scale = nodeCalls * share
		}
		r.calls(s, ownError, ownLatency, scale, false)
	}
}

// pod: one instance alone; its service by the share it holds.
func (r *rates) pod(root int) {
	x := &r.w.v[root]
	own := densityRow(0, false)
	for _, c := range []class{classPod, classCause, classSaturation, classError, classNode} {
		r.put(root, c, ownCause, own)
	}
	r.put(root, classLatency, ownPods, own)
	r.put(root, classLag, ownLag, own)
	r.put(root, classTraffic, trafficBoth, own)
	r.put(root, classNetwork, ownPods, own)
	for _, v := range x.volumes {
		r.put(v, classCause, ownCause, own)
	}
	for _, s := range x.owners {
		share := 1 / float64(max(1, len(r.w.v[s].pods)))
		r.put(s, classPod, ownCause, own)
		r.calls(s, ownError, ownLatency, nodeCalls*share, false)
	}
}

// isShared says that everything in a cluster depends on the entity without a call edge saying so.
func isShared(e topology.Entity) bool {
	w := words(e.Name)
	for _, p := range []string{" dns ", " coredns ", " kube dns ", " kubedns ", " nodelocaldns ", " unbound ", " bind "} {
		if containsWord(w, p) {
			return true
		}
	}
	return false
}

func containsWord(text, word string) bool { return strings.Contains(text, word) }
