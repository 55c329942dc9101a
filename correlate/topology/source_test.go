package topology_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/topology"
	"github.com/tidemark/tidemark/correlate/topology/topologytest"
)

func sample(value float64, kv ...string) topology.Sample {
	return topology.Sample{Labels: labels.FromStrings(kv...), Value: value}
}

// strangers are samples of other people's metrics with the same name.
func strangers() []topology.Sample {
	return []topology.Sample{sample(1), sample(1, "foo", "bar"), sample(0, "client", "a", "server", "b")}
}

func edgesOf(f topology.Found) map[string]bool {
	out := map[string]bool{}
	for _, e := range f.Edges {
		out[e.From.Name+" "+string(e.Kind)+" "+e.To.Name] = true
	}
	return out
}

func TestSourcesRecoverAKnownGraph(t *testing.T) {
	for seed := range uint64(20) {
		for _, c := range topologytest.Cases(seed) {
			precision, recall := c.Score()
			require.GreaterOrEqual(t, precision, 0.95, "%s of seed %d", c.Source.Name(), seed)
			require.GreaterOrEqual(t, recall, 0.95, "%s of seed %d", c.Source.Name(), seed)
		}
	}
}

func TestEverySourceKeepsTheContract(t *testing.T) {
	cfg := topology.DefaultConfig()
	cfg.Edges = []topology.StaticEdge{{From: "a", To: "b"}}
	cfg.Rules = []topology.Rule{{Metric: "increase(x_total[1h])", From: []string{"a"}, To: []string{"b"}}}
	require.NoError(t, cfg.Validate())
	names := map[string]bool{}
	for _, s := range cfg.Sources() {
		t.Run(s.Name(), func(t *testing.T) {
			require.Regexp(t, `^[a-z]+$`, s.Name())
			require.False(t, names[s.Name()], "the name is taken")
			names[s.Name()] = true
			queries := s.Queries()
			answers := make([][]topology.Sample, len(queries))
			for i, q := range queries {
				_, err := parser.NewParser(parser.Options{}).ParseExpr(q.Expr)
				require.NoError(t, err, q.Expr)
				answers[i] = strangers()
			}
			for _, e := range s.Find(answers).Edges {
				require.Equal(t, s.Name(), e.Source)
				require.NotEmpty(t, e.From.Name)
				require.NotEmpty(t, e.To.Name)
				require.InDelta(t, 0.5, e.Confidence, 0.5)
			}
		})
	}
}

func TestServiceGraphKinds(t *testing.T) {
	f := topology.ServiceGraph{}.Find([][]topology.Sample{{
		sample(1, "client", "cart", "server", "pg", "connection_type", "database", "cluster", "eu"),
		sample(1, "client", "cart", "server", "stripe", "connection_type", "virtual_node"),
		sample(1, "client", "cart", "server", "orders", "connection_type", "messaging_system"),
		sample(1, "client", "cart", "server", "tax", "client_service_namespace", "shop"),
	}})
	require.Equal(t, topology.Entity{Kind: topology.KindDatabase, Cluster: "eu", Name: "pg"}, f.Edges[0].To)
	require.Equal(t, topology.KindExternal, f.Edges[1].To.Kind)
	require.Equal(t, topology.KindQueue, f.Edges[2].To.Kind)
	require.Equal(t, "shop", f.Edges[3].From.Namespace)
}

func TestIstioNamesAServiceWithOneWorkloadOnce(t *testing.T) {
	call := func(service, workload string) topology.Sample {
		return sample(1, "source_workload", "web", "source_workload_namespace", "shop", "destination_workload", workload, "destination_workload_namespace", "shop",
			"destination_service_name", service, "destination_service_namespace", "shop")
	}
	g := topology.NewGraph(topology.Options{})
	g.Apply(t0, topology.Istio{}.Find([][]topology.Sample{{call("cart", "cart-v1"), call("reviews", "reviews-v1"), call("reviews", "reviews-v2")}}))
	v := g.At(t0)
	cart, ok := v.Find("cart", "", "shop")
	require.True(t, ok)
	cart1, ok := v.Find("cart-v1", "", "")
	require.True(t, ok)
	require.Equal(t, cart, cart1)
	reviews, _ := v.Find("reviews", "", "")
	require.Len(t, v.Out(topology.Call, reviews), 2)
}

func TestKubeReadsVolumesZonesAndAutoscalers(t *testing.T) {
	answers := make([][]topology.Sample, 10)
	answers[0] = []topology.Sample{
		sample(1, "namespace", "shop", "pod", "db-0", "node", "n1", "created_by_kind", "StatefulSet", "created_by_name", "db"),
		sample(1, "namespace", "shop", "pod", "nightly-123-x", "node", "n1", "created_by_kind", "Job", "created_by_name", "nightly-123"),
	}
	answers[2] = []topology.Sample{sample(1, "namespace", "shop", "job_name", "nightly-123", "owner_kind", "CronJob", "owner_name", "nightly")}
	answers[3] = []topology.Sample{sample(1, "namespace", "shop", "pod", "db-0", "persistentvolumeclaim", "data-db-0")}
	answers[4] = []topology.Sample{sample(1, "node", "n1", "internal_ip", "10.0.0.1")}
	answers[5] = []topology.Sample{sample(1, "node", "n1", "label_topology_kubernetes_io_zone", "eu-west-1a")}
	answers[7] = []topology.Sample{sample(1, "namespace", "shop", "endpointslice", "db-x7k2p", "targetref_kind", "Pod", "targetref_name", "db-0")}
	answers[8] = []topology.Sample{sample(1, "namespace", "shop", "ingress", "front", "service_name", "db")}
	answers[9] = []topology.Sample{sample(1, "namespace", "shop", "horizontalpodautoscaler", "db-hpa", "scaletargetref_name", "db")}
	got := edgesOf(topology.Kube{}.Find(answers))
	for _, want := range []string{"db owns db-0", "db-0 host n1", "db-0 uses data-db-0", "n1 in eu-west-1a", "front call db", "nightly owns nightly-123-x", "db-hpa same db"} {
		require.Contains(t, got, want)
	}
	g := topology.NewGraph(topology.Options{})
	g.Apply(t0, topology.Kube{}.Find(answers))
	v := g.At(t0)
	n, ok := v.ByAddress("10.0.0.1:9100")
	require.True(t, ok)
	require.Equal(t, "n1", v.Entities[n].Name)
	hpa, ok := v.Find("db-hpa", "", "shop")
	require.True(t, ok)
	require.Equal(t, topology.Entity{Kind: topology.KindService, Namespace: "shop", Name: "db"}, v.Entities[hpa])
}

func TestTargetsTieInstancesToNodes(t *testing.T) {
	f := topology.Targets{}.Find([][]topology.Sample{
		{sample(1, "instance", "10.0.0.1:9100", "nodename", "n1"), sample(1, "instance", "127.0.0.1:9100", "nodename", "local")},
		{
			sample(1, "job", "web", "instance", "10.0.0.1:8080", "tier", "web"),
			sample(1, "job", "node", "instance", "10.0.0.1:9100"),
			sample(1, "job", "api", "instance", "127.0.0.1:8081"),
			sample(1, "job", "kubelet", "instance", "10.0.0.1:10250", "pod", "x"),
		},
	})
	got := edgesOf(f)
	require.Equal(t, map[string]bool{
		"web owns 10.0.0.1:8080": true, "10.0.0.1:8080 host n1": true, "api owns 127.0.0.1:8081": true,
		"10.0.0.1:9100 same n1": true, "127.0.0.1:9100 same local": true,
	}, got)
}

func TestStaticEdgesTakeTheKindsOfStatedEntities(t *testing.T) {
	f := topology.Static{
		Edges:    []topology.StaticEdge{{From: "web", To: "pg"}, {From: "pg", To: "sda", Kind: topology.Uses}},
		Entities: []topology.StaticEntity{{Name: "pg", Kind: topology.KindDatabase, Tier: "database"}, {Name: "n1", Kind: topology.KindNode, Zone: "a", Address: "10.0.0.1"}},
	}.Find(nil)
	require.Equal(t, topology.KindDatabase, f.Edges[1].To.Kind)
	require.Equal(t, topology.KindVolume, f.Edges[2].To.Kind)
	require.Equal(t, "zone-a", f.Edges[0].To.Name)
	require.Equal(t, "database", f.Attributes[topology.Entity{Kind: topology.KindDatabase, Name: "pg"}]["tier"])
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*topology.Config)
		want   string
	}{
		{"refresh too short", func(c *topology.Config) { c.Refresh = 0 }, "topology.refresh is 0s: want a duration between 5s and 1h"},
		{"ttl under refresh", func(c *topology.Config) { c.TTL = 1 }, "topology.ttl is"},
		{"rule without metric", func(c *topology.Config) { c.Rules = []topology.Rule{{}} }, "topology.rules[0]: metric is missing"},
		{"rule with bad query", func(c *topology.Config) { c.Rules = []topology.Rule{{Metric: "rate(x"}} }, `topology.rules[0]: metric "rate(x"`},
		{"rule without labels", func(c *topology.Config) { c.Rules = []topology.Rule{{Metric: "x"}} }, "topology.rules[0]: from is missing"},
		{"rule of no kind", func(c *topology.Config) {
			c.Rules = []topology.Rule{{Metric: "x", From: []string{"a"}, To: []string{"b"}, Kind: "loves"}}
		}, `topology.rules[0]: kind "loves": want one of call, owns, host, uses, in, same`},
		{"edge to itself", func(c *topology.Config) { c.Edges = []topology.StaticEdge{{From: "a", To: "a"}} }, `topology.edges[0]: "a" has an edge to itself`},
		{"edge without end", func(c *topology.Config) { c.Edges = []topology.StaticEdge{{From: "a"}} }, "topology.edges[0]: from and to must both name an entity"},
		{"entity without name", func(c *topology.Config) { c.Entities = []topology.StaticEntity{{}} }, "topology.entities[0]: name is missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := topology.DefaultConfig()
			tc.change(&c)
			require.ErrorContains(t, c.Validate(), tc.want)
		})
	}
}

func TestDOTIsStable(t *testing.T) {
	edges := topology.Static{Edges: []topology.StaticEdge{{From: "web", To: "api"}, {From: "api", To: `d"b`}}}.Find(nil).Edges
	slices.Reverse(edges)
	topology.SortEdges(edges)
	var b strings.Builder
	require.NoError(t, topology.WriteDOT(&b, edges))
	require.Contains(t, b.String(), `"service web" -> "service api" [tooltip="call, static, 1.00"];`)
	require.Contains(t, b.String(), `label="d\"b"`)
}

var t0 = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
