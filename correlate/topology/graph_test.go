package topology_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/topology"
)

func call(from, to string) topology.Edge {
	return topology.Edge{From: topology.Entity{Kind: topology.KindService, Name: from}, To: topology.Entity{Kind: topology.KindService, Name: to}, Kind: topology.Call, Source: "test", Confidence: 1}
}

func TestTheGraphOfATimeIsTheGraphThatStoodThen(t *testing.T) {
	g := topology.NewGraph(topology.Options{TTL: time.Hour})
	for h := range 5 {
		g.Add(t0.Add(time.Duration(h)*30*time.Minute), call("web", "old-db"))
	}
	g.Add(t0.Add(10*time.Hour), call("web", "new-db"))
	names := func(at time.Time) []string {
		var out []string
		for _, e := range g.Edges(at) {
			out = append(out, e.To.Name)
		}
		return out
	}
	require.Equal(t, []string{"old-db"}, names(t0.Add(time.Hour)))
	require.Empty(t, names(t0.Add(6*time.Hour)))
	require.Equal(t, []string{"new-db"}, names(t0.Add(10*time.Hour)))
	require.Equal(t, []string{"new-db", "old-db"}, names(time.Time{}), "all of history")
	require.Equal(t, t0.Add(2*time.Hour), g.Edges(time.Time{})[1].LastSeen)

	require.Equal(t, 0, g.Expire(t0.Add(24*time.Hour)))
	require.Equal(t, 1, g.Expire(t0.Add(30*24*time.Hour+5*time.Hour)))
}

func TestHistoryDoesNotDependOnTheOrderOfSightings(t *testing.T) {
	times := []time.Duration{0, 50 * time.Minute, 100 * time.Minute, 20 * time.Hour, 21 * time.Hour}
	forward, backward := topology.NewGraph(topology.Options{}), topology.NewGraph(topology.Options{})
	for i := range times {
		forward.Add(t0.Add(times[i]), call("a", "b"))
		backward.Add(t0.Add(times[len(times)-1-i]), call("a", "b"))
	}
	for h := range 30 {
		at := t0.Add(time.Duration(h) * time.Hour)
		require.Equal(t, forward.Edges(at), backward.Edges(at), "after %d hours", h)
	}
}

func TestTheGraphIsBounded(t *testing.T) {
	g := topology.NewGraph(topology.Options{MaxEdges: 2})
	g.Add(t0, call("a", "b"), call("b", "c"), call("c", "d"), call("", "x"), call("x", "x"))
	require.Len(t, g.Edges(t0), 2)
	require.EqualValues(t, 1, g.Refused())
}

func TestNamesOfOneThingAreJoined(t *testing.T) {
	service := func(cluster, ns, name string) topology.Entity {
		return topology.Entity{Kind: topology.KindService, Cluster: cluster, Namespace: ns, Name: name}
	}
	pod := topology.Entity{Kind: topology.KindPod, Namespace: "shop", Name: "cart-1"}
	g := topology.NewGraph(topology.Options{})
	g.Add(t0,
		topology.Edge{From: service("", "", "web"), To: service("", "", "cart"), Kind: topology.Call, Source: "servicegraph"},
		topology.Edge{From: service("", "shop", "web"), To: service("", "shop", "cart"), Kind: topology.Call, Source: "istio", Confidence: 0.5},
		topology.Edge{From: service("", "shop", "cart"), To: pod, Kind: topology.Owns, Source: "kube"},
		topology.Edge{From: service("", "shop", "cart-svc"), To: pod, Kind: topology.Owns, Source: "kube"},
		topology.Edge{From: service("", "blog", "db"), To: service("", "shop", "db"), Kind: topology.Call, Source: "x"},
	)
	v := g.At(t0)
	bare, ok := v.Find("cart", "", "")
	require.True(t, ok)
	require.Equal(t, service("", "shop", "cart"), v.Entities[bare])
	alias, ok := v.Find("cart-svc", "", "shop")
	require.True(t, ok)
	require.Equal(t, bare, alias, "a Service and a Deployment over the same pods")
	require.Len(t, v.Into(topology.Call, bare), 1, "two sources, one edge")

	_, ok = v.Find("db", "", "")
	require.False(t, ok, "two namespaces have a db")
	n, ok := v.Find("db", "", "blog")
	require.True(t, ok)
	require.Equal(t, "blog", v.Entities[n].Namespace)
	_, ok = v.Find("cart", "", "blog")
	require.False(t, ok, "another namespace's cart")
}

func TestReadGraph(t *testing.T) {
	edges, err := topology.ReadGraph(strings.NewReader("kind,caller,callee\ncall,web,cart\nowns,cart,cart-1\nhost,cart-1,n1\n"))
	require.NoError(t, err)
	require.Len(t, edges, 3)
	require.Equal(t, topology.KindNode, edges[2].To.Kind)
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", "the file is empty: want a header line"},
		{"wrong header", "a,b,c\n", `the header "a,b,c" has no column source or caller or from`},
		{"wrong kind", "source,target,kind\na,b,likes\n", `row 2: kind "likes" is not one of call, owns, instance, host, uses, in`},
		{"missing end", "source,target,kind\na,,call\n", "row 2: an end of the edge has no name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := topology.ReadGraph(strings.NewReader(tc.in))
			require.ErrorContains(t, err, tc.want)
		})
	}
	found, err := topology.ReadNodes(strings.NewReader("node,internal_ip,zone\nn1,10.0.0.1,a\n"))
	require.NoError(t, err)
	require.Equal(t, "zone-a", found.Edges[0].To.Name)
}

func FuzzReadGraph(f *testing.F) {
	f.Add("source,target,kind\na,b,call\n")
	f.Add("\"\n")
	f.Fuzz(func(t *testing.T, in string) {
		edges, err := topology.ReadGraph(strings.NewReader(in))
		if err != nil {
			return
		}
		g := topology.NewGraph(topology.Options{})
		g.Add(t0, edges...)
		v := g.At(t0)
		for n := range v.Len() {
			for _, a := range v.Out(topology.Call, n) {
				require.Less(t, a.To, v.Len())
			}
		}
	})
}

type answers map[string][]topology.Sample

func (a answers) Instant(_ context.Context, expr string, _ time.Time) ([]topology.Sample, error) {
	if strings.Contains(expr, "linkerd") || strings.Contains(expr, "request_total{direction") {
		return nil, errors.New("connection refused")
	}
	return a[expr], nil
}

func TestASourceThatFailsDoesNotStopTheOthers(t *testing.T) {
	g := topology.NewGraph(topology.Options{})
	query := topology.ServiceGraph{}.Queries()[0].Expr
	q := answers{query: {sample(1, "client", "web", "server", "cart")}}
	err := topology.Refresh(t.Context(), g, q, []topology.Source{topology.Linkerd{}, topology.ServiceGraph{}}, t0)
	require.ErrorContains(t, err, "topology source linkerd: query requests")
	require.ErrorContains(t, err, "connection refused")
	require.Len(t, g.Edges(t0), 1)
}

func TestCollectorExportsCallEdges(t *testing.T) {
	g := topology.NewGraph(topology.Options{})
	g.Add(t0, call("web", "cart"))
	c := topology.NewCollector(g, func() time.Time { return t0 })
	require.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(`
# HELP tidemark_topology_edge Confidence, 0 to 1, that client calls server, as a source of topology saw it.
# TYPE tidemark_topology_edge gauge
tidemark_topology_edge{client="web",server="cart",source="test"} 1
`), "tidemark_topology_edge"))
	problems, err := testutil.CollectAndLint(c)
	require.NoError(t, err)
	require.Empty(t, problems)
}
