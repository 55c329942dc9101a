package topology

// Linkerd reads the proxies' outbound counters: the workload's own labels call the dst_ labels.
// Inbound counters name no client.
type Linkerd struct{}

// Name implements Source.
func (Linkerd) Name() string { return "linkerd" }

const linkerdBy = "deployment, statefulset, daemonset, k8s_job, replicaset, namespace, " +
	"dst_deployment, dst_statefulset, dst_daemonset, dst_k8s_job, dst_replicaset, dst_service, dst_namespace, authority"

// Queries implements Source.
func (Linkerd) Queries() []Query {
	return []Query{
		{"requests", "sum by (" + linkerdBy + `) (increase(request_total{direction="outbound"}[1h]))`},
		{"connections", "sum by (" + linkerdBy + `) (increase(tcp_open_total{direction="outbound",peer="dst"}[1h]))`},
	}
}

// Find implements Source.
func (s Linkerd) Find(answers [][]Sample) Found {
	var f Found
	for _, samples := range answers {
		for _, x := range samples {
			from := first(x.Labels, "deployment", "statefulset", "daemonset", "k8s_job", "replicaset")
			to := first(x.Labels, "dst_deployment", "dst_statefulset", "dst_daemonset", "dst_k8s_job", "dst_replicaset", "dst_service")
			if !(x.Value > 0) || from == "" || to == "" {
				continue
			}
			f.edge(Edge{
				From:   Entity{Kind: KindService, Namespace: x.Labels.Get("namespace"), Name: from},
				To:     Entity{Kind: KindService, Namespace: x.Labels.Get("dst_namespace"), Name: to},
				Kind:   Call,
				Source: s.Name(), Confidence: 1,
			})
		}
	}
	return f
}
