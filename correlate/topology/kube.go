package topology

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Kube reads kube-state-metrics: pod → owner (through replica sets and jobs) → node → zone, pod →
// claim, service → pod by endpoints, ingress → service, autoscaler = its workload.
type Kube struct{}

// Name implements Source.
func (Kube) Name() string { return "kube" }

// Answers of Queries, in order.
const (
	kubePods = iota
	kubeReplicaSets
	kubeJobs
	kubeClaims
	kubeNodes
	kubeNodeLabels
	kubeEndpoints
	kubeEndpointSlices
	kubeIngress
	kubeHPA
)

// Queries implements Source.
func (Kube) Queries() []Query {
	const cluster = ", cluster)"
	return []Query{
		kubePods:           {"pods", "group by (namespace, pod, node, created_by_kind, created_by_name" + cluster + " (kube_pod_info)"},
		kubeReplicaSets:    {"replica sets", "group by (namespace, replicaset, owner_kind, owner_name" + cluster + " (kube_replicaset_owner)"},
		kubeJobs:           {"jobs", "group by (namespace, job_name, owner_kind, owner_name" + cluster + " (kube_job_owner)"},
		kubeClaims:         {"claims", "group by (namespace, pod, persistentvolumeclaim" + cluster + " (kube_pod_spec_volumes_persistentvolumeclaims_info)"},
		kubeNodes:          {"nodes", "group by (node, internal_ip" + cluster + " (kube_node_info)"},
		kubeNodeLabels:     {"zones", "group by (node, label_topology_kubernetes_io_zone, label_failure_domain_beta_kubernetes_io_zone" + cluster + " (kube_node_labels)"},
		kubeEndpoints:      {"endpoints", "group by (namespace, endpoint, ip, targetref_kind, targetref_name" + cluster + " (kube_endpoint_address)"},
		kubeEndpointSlices: {"endpoint slices", "group by (namespace, endpointslice, targetref_kind, targetref_name" + cluster + " (kube_endpointslice_endpoints)"},
		kubeIngress:        {"ingresses", "group by (namespace, ingress, service_name" + cluster + " (kube_ingress_path)"},
		kubeHPA:            {"autoscalers", "group by (namespace, horizontalpodautoscaler, scaletargetref_kind, scaletargetref_name" + cluster + " (kube_horizontalpodautoscaler_info)"},
	}
}

// kubeName is an object within a namespace.
type kubeName struct{ cluster, namespace, name string }

// kubeReader turns answers into edges.
type kubeReader struct {
	Found
	replicaSets map[kubeName]string
	jobs        map[kubeName]string
}

// Find implements Source.
func (s Kube) Find(answers [][]Sample) Found {
	r := kubeReader{replicaSets: map[kubeName]string{}, jobs: map[kubeName]string{}}
	at := func(i int) []Sample {
		if i < len(answers) {
			return answers[i]
		}
		return nil
	}
	for _, x := range at(kubeReplicaSets) {
		r.owner(r.replicaSets, x.Labels, "replicaset")
	}
	for _, x := range at(kubeJobs) {
		r.owner(r.jobs, x.Labels, "job_name")
	}
	for _, x := range at(kubePods) {
		r.pod(x.Labels)
	}
	for _, x := range at(kubeClaims) {
		r.put(x.Labels, KindPod, "pod", Uses, KindVolume, "persistentvolumeclaim")
	}
	r.nodes(at(kubeNodes), at(kubeNodeLabels))
	r.services(at(kubeEndpoints), at(kubeEndpointSlices))
	for _, x := range at(kubeIngress) {
		r.put(x.Labels, KindIngress, "ingress", Call, KindService, "service_name")
	}
	for _, x := range at(kubeHPA) {
		r.put(x.Labels, "horizontalpodautoscaler", "horizontalpodautoscaler", Same, KindService, "scaletargetref_name")
	}
	return r.Found
}

func (r *kubeReader) owner(into map[kubeName]string, ls labels.Labels, label string) {
	if owner := ls.Get("owner_name"); owner != "" && owner != "<none>" {
		into[kubeName{ls.Get("cluster"), ls.Get("namespace"), ls.Get(label)}] = owner
	}
}

func (r *kubeReader) named(ls labels.Labels, kind Kind, name string) Entity {
	return Entity{kind, ls.Get("cluster"), ls.Get("namespace"), name}
}

func (r *kubeReader) put(ls labels.Labels, fromKind Kind, from string, kind EdgeKind, toKind Kind, to string) {
	a, b := ls.Get(from), ls.Get(to)
	if a == "" || b == "" {
		return
	}
	r.edge(Edge{From: r.named(ls, fromKind, a), To: r.named(ls, toKind, b), Kind: kind, Source: Kube{}.Name(), Confidence: 1})
}

func (r *kubeReader) pod(ls labels.Labels) {
	pod := r.named(ls, KindPod, ls.Get("pod"))
	if pod.Name == "" {
		return
	}
	if node := ls.Get("node"); node != "" {
		r.edge(Edge{From: pod, To: Entity{Kind: KindNode, Cluster: pod.Cluster, Name: node}, Kind: Host, Source: Kube{}.Name(), Confidence: 1})
	}
	owner := ls.Get("created_by_name")
	if owner == "" || owner == "<none>" {
		return
	}
	key := kubeName{pod.Cluster, pod.Namespace, owner}
	switch ls.Get("created_by_kind") {
	case "ReplicaSet":
		if up, ok := r.replicaSets[key]; ok {
			owner = up
		} else if i := strings.LastIndexByte(owner, '-'); i > 0 {
			owner = owner[:i] // The deployment, by the habit of its replica sets' names.
		}
	case "Job":
		if up, ok := r.jobs[key]; ok {
			owner = up
		}
	case "Node": // A static pod belongs to its node alone.
		return
	}
	r.edge(Edge{From: r.named(ls, KindService, owner), To: pod, Kind: Owns, Source: Kube{}.Name(), Confidence: 1})
}

func (r *kubeReader) nodes(nodes, zones []Sample) {
	zone := map[Entity]string{}
	for _, x := range zones {
		n := Entity{Kind: KindNode, Cluster: x.Labels.Get("cluster"), Name: x.Labels.Get("node")}
		zone[n] = first(x.Labels, "label_topology_kubernetes_io_zone", "label_failure_domain_beta_kubernetes_io_zone")
	}
	for _, x := range nodes {
		n := Entity{Kind: KindNode, Cluster: x.Labels.Get("cluster"), Name: x.Labels.Get("node")}
		addNode(&r.Found, Kube{}.Name(), n, x.Labels.Get("internal_ip"), zone[n])
	}
}

// services ties a Service to the pods behind it.
func (r *kubeReader) services(endpoints, slices []Sample) {
	for _, x := range endpoints {
		r.endpoint(x.Labels, x.Labels.Get("endpoint"))
	}
	for _, x := range slices {
		// Slices are called after their service: cart-x7k2p.
		name := x.Labels.Get("endpointslice")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			r.endpoint(x.Labels, name[:i])
		}
	}
}

func (r *kubeReader) endpoint(ls labels.Labels, service string) {
	pod := ls.Get("targetref_name")
	if service == "" || pod == "" || ls.Get("targetref_kind") != "Pod" {
		return
	}
	r.edge(Edge{From: r.named(ls, KindService, service), To: r.named(ls, KindPod, pod), Kind: Owns, Source: Kube{}.Name(), Confidence: 1})
}
