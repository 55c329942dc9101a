package topology

// ServiceGraph reads the service graphs of Tempo's metrics generator, Alloy, the OpenTelemetry
// servicegraph connector and Beyla/OBI: traces_service_graph_request_total{client,server,
// connection_type}, and Tempo's traces_service_graph_connection_info.
type ServiceGraph struct{}

// Name implements Source.
func (ServiceGraph) Name() string { return "servicegraph" }

const serviceGraphBy = "client, server, connection_type, client_service_namespace, server_service_namespace, client_namespace, server_namespace, " +
	"client_k8s_namespace_name, server_k8s_namespace_name, cluster, virtual_node"

// Queries implements Source.
func (ServiceGraph) Queries() []Query {
	return []Query{
		{"requests", "sum by (" + serviceGraphBy + ") (increase(traces_service_graph_request_total[1h]))"},
		{"connections", "max by (" + serviceGraphBy + ") (last_over_time(traces_service_graph_connection_info[1h]))"},
	}
}

// Find implements Source.
func (s ServiceGraph) Find(answers [][]Sample) Found {
	var f Found
	for _, samples := range answers {
		for _, x := range samples {
			client, server := x.Labels.Get("client"), x.Labels.Get("server")
			if !(x.Value > 0) || client == "" || server == "" || isVirtualUser(client, x.Labels.Get("virtual_node")) {
				continue
			}
			cluster := x.Labels.Get("cluster")
			f.edge(Edge{
				From:   Entity{KindService, cluster, first(x.Labels, "client_service_namespace", "client_k8s_namespace_name", "client_namespace"), client},
				To:     Entity{connectionKind(x.Labels.Get("connection_type")), cluster, first(x.Labels, "server_service_namespace", "server_k8s_namespace_name", "server_namespace"), server},
				Kind:   Call,
				Source: s.Name(), Confidence: 1,
			})
		}
	}
	return f
}

// isVirtualUser: requests without a client span come from the virtual node "user", which is nobody.
func isVirtualUser(client, virtual string) bool { return client == "user" || virtual == "client" }

func connectionKind(t string) Kind {
	switch t {
	case "database":
		return KindDatabase
	case "messaging_system":
		return KindQueue
	case "virtual_node":
		return KindExternal
	}
	return KindService
}
