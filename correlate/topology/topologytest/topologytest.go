// Package topologytest writes the metrics that systems export of a known graph, as they write them: for the tests of
// sources, and for measuring how much of the graph they give back.
package topologytest

import (
	"fmt"
	"math/rand/v2"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/correlate/topology"
)

// Case is one source, what its queries would be answered, and the edges that are true: "from kind to".
type Case struct {
	Source  topology.Source
	Answers [][]topology.Sample
	Want    map[string]bool
}

// Score is how many of the found edges are true, and how many of the true ones are found.
func (c *Case) Score() (precision, recall float64) {
	got := map[string]bool{}
	for _, e := range c.Source.Find(c.Answers).Edges {
		got[e.From.Name+" "+string(e.Kind)+" "+e.To.Name] = true
	}
	right := 0.0
	for e := range got {
		if c.Want[e] {
			right++
		}
	}
	return right / float64(max(1, len(got))), right / float64(max(1, len(c.Want)))
}

// Cases are all sources over the graph of a seed: thirty services, their calls, pods on six nodes; with series of
// strangers, of what is idle, and of both ends of a call beside it.
func Cases(seed uint64) []Case {
	p := newPlant(seed)
	return []Case{
		{topology.ServiceGraph{}, p.serviceGraph(), p.callEdges()},
		{topology.Istio{}, p.istio(), p.callEdges()},
		{topology.Linkerd{}, p.linkerd(), p.callEdges()},
		{topology.Hubble{}, p.hubble(), p.callEdges()},
		{topology.Kube{}, p.kube(), p.placement()},
		{topology.Targets{}, p.targets(), p.instances()},
		{topology.RuleSource{Rule: topology.Rule{
			Metric: "grpc_client_handled_total", From: []string{"job"}, To: []string{"grpc_service"}, Kind: topology.Call, FromKind: topology.KindService, ToKind: topology.KindService, Confidence: 1,
		}}, p.rule(), p.callEdges()},
		{p.static(), nil, p.callEdges()},
	}
}

// plant is a known graph that metric dumps are written from.
type plant struct {
	services []string
	calls    [][2]int
	pods     map[int][]string
	nodes    []string
	podNode  map[string]int
}

func newPlant(seed uint64) *plant {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &plant{pods: map[int][]string{}, podNode: map[string]int{}}
	for i := range 30 {
		p.services = append(p.services, fmt.Sprintf("svc-%02d", i))
	}
	for i := range 6 {
		p.nodes = append(p.nodes, fmt.Sprintf("node-%d", i))
	}
	for i := range p.services {
		for j := i + 1; j < len(p.services); j++ {
			if r.Float64() < 0.1 {
				p.calls = append(p.calls, [2]int{i, j})
			}
		}
		for k := range 1 + r.IntN(4) {
			pod := fmt.Sprintf("%s-7d4b9c%02d-x%d", p.services[i], i, k)
			p.pods[i] = append(p.pods[i], pod)
			p.podNode[pod] = r.IntN(len(p.nodes))
		}
	}
	return p
}

func (p *plant) callEdges() map[string]bool {
	out := map[string]bool{}
	for _, c := range p.calls {
		out[p.services[c[0]]+" call "+p.services[c[1]]] = true
	}
	return out
}

func (p *plant) placement() map[string]bool {
	out := map[string]bool{}
	for i, pods := range p.pods {
		for _, pod := range pods {
			out[p.services[i]+" owns "+pod] = true
			out[pod+" host "+p.nodes[p.podNode[pod]]] = true
		}
	}
	return out
}

func sample(value float64, kv ...string) topology.Sample {
	return topology.Sample{Labels: labels.FromStrings(kv...), Value: value}
}

// strangers are samples of other people's metrics with the same name.
func strangers() []topology.Sample {
	return []topology.Sample{sample(1), sample(1, "foo", "bar"), sample(0, "client", "a", "server", "b")}
}

func (p *plant) serviceGraph() [][]topology.Sample {
	out := [][]topology.Sample{strangers(), nil}
	for i, c := range p.calls {
		x := sample(10, "client", p.services[c[0]], "server", p.services[c[1]], "connection_type", "")
		out[i%2] = append(out[i%2], x)
	}
	out[0] = append(out[0], sample(99, "client", "user", "server", p.services[0]), sample(0, "client", p.services[5], "server", p.services[1]))
	return out
}

func (p *plant) istio() [][]topology.Sample {
	out := [][]topology.Sample{strangers(), nil}
	for i, c := range p.calls {
		for _, reporter := range []string{"source", "destination"} {
			out[i%2] = append(out[i%2], sample(3, "reporter", reporter, "source_workload", p.services[c[0]], "source_workload_namespace", "shop",
				"destination_workload", p.services[c[1]], "destination_workload_namespace", "shop",
				"destination_service_name", p.services[c[1]], "destination_service_namespace", "shop"))
		}
	}
	out[0] = append(out[0], sample(5, "reporter", "source", "source_workload", p.services[0], "destination_workload", "unknown", "destination_service_name", "PassthroughCluster"),
		sample(5, "reporter", "destination", "source_workload", "unknown", "destination_workload", p.services[0]))
	return out
}

func (p *plant) linkerd() [][]topology.Sample {
	out := [][]topology.Sample{strangers(), nil}
	for i, c := range p.calls {
		kind := []string{"deployment", "statefulset"}[i%2]
		out[0] = append(out[0], sample(3, kind, p.services[c[0]], "namespace", "shop", "dst_deployment", p.services[c[1]], "dst_namespace", "shop", "dst_service", "other-name"))
	}
	return out
}

func (p *plant) hubble() [][]topology.Sample {
	out := [][]topology.Sample{strangers(), nil, nil}
	for i, c := range p.calls {
		a, b := p.services[c[0]], p.services[c[1]]
		if i%2 == 0 {
			out[0] = append(out[0], sample(3, "source_workload", a, "source_namespace", "shop", "destination_workload", b, "destination_namespace", "shop"))
		} else {
			out[1] = append(out[1], sample(3, "source", "shop/"+a, "destination", "shop/"+b))
		}
		out[2] = append(out[2], sample(8, "source", "shop/"+b, "destination", "shop/"+a), sample(8, "source", "shop/"+a, "destination", "shop/"+b))
	}
	out[2] = append(out[2], sample(8, "source", "reserved:world", "destination", "shop/"+p.services[0]))
	return out
}

func (p *plant) kube() [][]topology.Sample {
	out := make([][]topology.Sample, len(topology.Kube{}.Queries()))
	for i, s := range p.services {
		rs := fmt.Sprintf("%s-7d4b9c%02d", s, i)
		if i%3 != 0 { // A third of the replica sets' owners are not known: read from the name.
			out[1] = append(out[1], sample(1, "namespace", "shop", "replicaset", rs, "owner_kind", "Deployment", "owner_name", s))
		}
		for _, pod := range p.pods[i] {
			out[0] = append(out[0], sample(1, "namespace", "shop", "pod", pod, "node", p.nodes[p.podNode[pod]], "created_by_kind", "ReplicaSet", "created_by_name", rs))
			out[6] = append(out[6], sample(1, "namespace", "shop", "endpoint", s, "targetref_kind", "Pod", "targetref_name", pod))
		}
	}
	out[0] = append(out[0], sample(1, "namespace", "shop", "pod", "", "node", "node-0"))
	return out
}

func (p *plant) rule() [][]topology.Sample {
	out := [][]topology.Sample{strangers()}
	for _, c := range p.calls {
		out[0] = append(out[0], sample(3, "job", p.services[c[0]], "grpc_service", p.services[c[1]]))
	}
	return out
}

// address of a node.
func (p *plant) address(node int) string { return fmt.Sprintf("10.0.0.%d", node+1) }

func (p *plant) targets() [][]topology.Sample {
	out := [][]topology.Sample{strangers(), strangers()}
	for n, name := range p.nodes {
		out[0] = append(out[0], sample(1, "instance", p.address(n)+":9100", "nodename", name))
		out[1] = append(out[1], sample(1, "job", "node", "instance", p.address(n)+":9100"), sample(1, "job", "kubelet", "instance", p.address(n)+":10250", "pod", "x"))
	}
	for i, s := range p.services {
		out[1] = append(out[1], sample(1, "job", s, "instance", fmt.Sprintf("%s:%d", p.address(i%len(p.nodes)), 8000+i)))
	}
	return out
}

func (p *plant) instances() map[string]bool {
	out := map[string]bool{}
	for n, name := range p.nodes {
		out[p.address(n)+":9100 same "+name] = true
	}
	for i, s := range p.services {
		instance := fmt.Sprintf("%s:%d", p.address(i%len(p.nodes)), 8000+i)
		out[s+" owns "+instance] = true
		out[instance+" host "+p.nodes[i%len(p.nodes)]] = true
	}
	return out
}

func (p *plant) static() topology.Static {
	var out topology.Static
	for _, c := range p.calls {
		out.Edges = append(out.Edges, topology.StaticEdge{From: p.services[c[0]], To: p.services[c[1]]})
	}
	return out
}
