package topology

import "net/netip"

// Targets reads Prometheus' own targets: up says which instances a job has, node_uname_info which
// node has an address, so that ip:port is resolved to a node, and an instance to what it runs on.
type Targets struct{}

// Name implements Source.
func (Targets) Name() string { return "targets" }

// Queries implements Source.
func (Targets) Queries() []Query {
	return []Query{
		{"nodes", "group by (instance, nodename, cluster) (node_uname_info)"},
		{"targets", "group by (job, instance, service, pod, node, namespace, tier, cluster) (up)"},
	}
}

// Find implements Source.
func (s Targets) Find(answers [][]Sample) Found {
	var f Found
	nodes := map[string]Entity{} // address → node
	exporters := map[string]bool{}
	for _, x := range answers[0] {
		n := Entity{Kind: KindNode, Cluster: x.Labels.Get("cluster"), Name: x.Labels.Get("nodename")}
		instance := x.Labels.Get("instance")
		if n.Name == "" || instance == "" {
			continue
		}
		exporters[instance] = true
		// A loopback address is every host's own: it does not tell them apart.
		if host := hostOf(instance); !isLoopback(host) {
			addNode(&f, s.Name(), n, host, "")
			nodes[host] = n
		}
		f.edge(Edge{From: Entity{Kind: KindInstance, Cluster: n.Cluster, Name: instance}, To: n, Kind: Same, Source: s.Name(), Confidence: 1})
	}
	if len(answers) > 1 {
		for _, x := range answers[1] {
			s.target(&f, x, nodes, exporters)
		}
	}
	return f
}

func (s Targets) target(f *Found, x Sample, nodes map[string]Entity, exporters map[string]bool) {
	job, name := first(x.Labels, "service", "job"), x.Labels.Get("instance")
	if x.Labels.Get("service") == "" && IsExporterJob(job) {
		return // It reports of machines; what it is called is no workload.
	}
	if job == "" || name == "" || exporters[name] || x.Labels.Get("pod") != "" {
		return // Pods are the business of kube-state-metrics.
	}
	cluster := x.Labels.Get("cluster")
	instance := Entity{Kind: KindInstance, Cluster: cluster, Name: name}
	service := Entity{Kind: KindService, Cluster: cluster, Namespace: x.Labels.Get("namespace"), Name: job}
	f.edge(Edge{From: service, To: instance, Kind: Owns, Source: s.Name(), Confidence: 0.9})
	f.describe(service, AttrTier, x.Labels.Get("tier"))
	f.describe(instance, AttrTier, x.Labels.Get("tier"))
	node, ok := nodes[hostOf(name)]
	if n := x.Labels.Get("node"); n != "" {
		node, ok = Entity{Kind: KindNode, Cluster: cluster, Name: n}, true
	}
	if ok {
		f.edge(Edge{From: instance, To: node, Kind: Host, Source: s.Name(), Confidence: 0.9})
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// WorkloadKinds are the kinds that a workload's label names.
var WorkloadKinds = []Kind{KindService, KindDatabase, KindQueue, KindIngress, KindExternal}

// IsExporterJob says whether a scrape job is one of machines' exporters by its usual names: its
// targets are machines, not instances of a workload of that name.
func IsExporterJob(job string) bool {
	switch job {
	case "node", "nodes", "node-exporter", "node_exporter", "kubernetes-nodes", "windows", "windows_exporter", "cadvisor":
		return true
	}
	return false
}
