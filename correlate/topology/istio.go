package topology

// Istio reads the standard metrics of Istio, sidecar and ambient.
//
// Who calls whom is taken from the destination's reports, and from the source's where the call never
// arrived (destination_workload="unknown"): then the called service is all that is known. The merge is
// Kiali's: by workload, namespace and cluster.
type Istio struct{}

// Name implements Source.
func (Istio) Name() string { return "istio" }

const istioBy = "reporter, source_workload, source_workload_namespace, source_cluster, destination_workload, destination_workload_namespace, " +
	"destination_service_name, destination_service_namespace, destination_cluster"

// Queries implements Source.
func (Istio) Queries() []Query {
	return []Query{
		{"requests", "sum by (" + istioBy + ") (increase(istio_requests_total[1h]))"},
		{"connections", "sum by (" + istioBy + ") (increase(istio_tcp_connections_opened_total[1h]))"},
	}
}

// Find implements Source.
func (s Istio) Find(answers [][]Sample) Found {
	var f Found
	behind := map[Entity]map[Entity]bool{} // service → workloads
	for _, samples := range answers {
		for _, x := range samples {
			if !(x.Value > 0) {
				continue
			}
			from := Entity{KindService, istioValue(x, "source_cluster"), istioValue(x, "source_workload_namespace"), istioValue(x, "source_workload")}
			to := Entity{KindService, istioValue(x, "destination_cluster"), istioValue(x, "destination_workload_namespace"), istioValue(x, "destination_workload")}
			service := Entity{KindService, to.Cluster, istioValue(x, "destination_service_namespace"), istioValue(x, "destination_service_name")}
			switch {
			case to.Name == "" && service.Name == "PassthroughCluster", to.Name == "" && service.Name == "BlackHoleCluster":
				continue // Where to is not known.
			case to.Name == "" && service.Namespace == "":
				service.Kind = KindExternal
				to = service
			case to.Name == "":
				to = service
			case service.Name != "" && service.Name != to.Name:
				if behind[service] == nil {
					behind[service] = map[Entity]bool{}
				}
				behind[service][to] = true
			}
			if from.Name != "" && to.Name != "" {
				f.edge(Edge{From: from, To: to, Kind: Call, Source: s.Name(), Confidence: 1})
			}
		}
	}
	s.services(&f, behind)
	return f
}

// services ties the name of a service to what is behind it: one workload is the same thing under
// another name, several are called through it.
func (s Istio) services(f *Found, behind map[Entity]map[Entity]bool) {
	for service, workloads := range behind {
		for w := range workloads {
			kind := Call
			if len(workloads) == 1 {
				kind = Same
			}
			f.edge(Edge{From: service, To: w, Kind: kind, Source: s.Name(), Confidence: 1})
		}
	}
	SortEdges(f.Edges)
}

// istioValue reads a label; "unknown" is Istio's way of leaving it out.
func istioValue(x Sample, name string) string {
	if v := x.Labels.Get(name); v != "unknown" {
		return v
	}
	return ""
}
