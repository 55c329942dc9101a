package correlate

import (
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/topology"
)

// placement is what an alert's labels say about where it belongs, before the graph is asked.
type placement struct {
	cluster, namespace string
	pod                string
	workloads          []string // best first
	node               string
	addresses          []string // instance and its like
	zone               string
	volume             string
	peers              []string // what the entity calls
	unit               string   // one instance of the workload, for counting
	tier               string
	name               string // alertname
	class              class
	metaJob            bool // the job is an exporter of other things' state

	in   *topology.View // the graph in which it was looked up last,
	last found          // and what was found there
}

// metaJobs scrape the state of other things: their own job and instance are not the subject.
var metaJobs = []string{"exporter", "kube-state-metrics", "kubelet", "cadvisor", "blackbox", "prometheus", "alertmanager-probe", "cloudwatch", "pushgateway", "telegraf", "statsd"}

func isMetaJob(job string) bool {
	if topology.IsExporterJob(job) {
		return true
	}
	for _, m := range metaJobs {
		if strings.Contains(job, m) {
			return true
		}
	}
	return false
}

// placeOf reads labels and annotations once per alert.
func (c *Config) placeOf(ls, annotations model.LabelSet, known classes) placement {
	get := func(names ...string) string {
		for _, n := range names {
			if v := ls[model.LabelName(n)]; v != "" {
				return string(v)
			}
		}
		return ""
	}
	p := placement{
		cluster:   get("cluster", "k8s_cluster", "cluster_name"),
		namespace: get("namespace", "exported_namespace", "kubernetes_namespace"),
		pod:       get("pod", "pod_name", "exported_pod", "kubernetes_pod_name"),
		node:      get("node", "nodename", "kubernetes_node", "host", "hostname", "exported_node"),
		zone:      get("zone", "availability_zone", "topology_kubernetes_io_zone", "az"),
		volume:    get("persistentvolumeclaim", "volume"),
		tier:      get(c.TierLabels...),
		name:      get(model.AlertNameLabel),
		class:     known.classify(ls, annotations),
		metaJob:   isMetaJob(get("job")),
	}
	for _, n := range c.EntityLabels {
		v := get(n)
		if v == "" || (n == "job" || n == "container" || n == "service") && isMetaJob(v) {
			continue
		}
		p.workloads = append(p.workloads, v)
	}
	if server := get("server"); server != "" && get("client") != "" { // A call of a service graph is about who is called.
		p.workloads = append([]string{server}, p.workloads...)
	}
	for _, n := range []string{"instance", "target", "server"} {
		if v := get(n); v != "" {
			p.addresses = append(p.addresses, v)
		}
	}
	for _, n := range c.PeerLabels {
		if v := get(n); v != "" {
			p.peers = append(p.peers, v)
		}
	}
	p.unit = get(c.UnitLabels...)
	return p
}

// found is a placement resolved against a view: numbers of the view, or -1, and what is left to add.
type found struct {
	pod, workload, node, zone, volume, unit int
}

// resolved is resolve, remembered while the graph stays the same.
func (p *placement) resolved(v *topology.View) found {
	if p.in != v {
		p.in, p.last = v, p.resolve(v)
	}
	return p.last
}

// resolve looks the placement up in the graph; what is not in the graph stays -1.
func (p *placement) resolve(v *topology.View) found {
	f := found{pod: -1, workload: -1, node: -1, zone: -1, volume: -1, unit: -1}
	look := func(name string, kinds ...topology.Kind) int {
		if name == "" {
			return -1
		}
		if n, ok := v.Find(name, p.cluster, p.namespace, kinds...); ok {
			return n
		}
		return -1
	}
	f.pod = look(p.pod, topology.KindPod, topology.KindInstance)
	for _, w := range p.workloads {
		if f.workload = p.lookWorkload(v, w); f.workload >= 0 {
			break
		}
	}
	if p.pod != "" && f.pod < 0 && f.workload < 0 {
		for owner := ownerName(p.pod); owner != "" && f.workload < 0; owner = ownerName(owner) {
			f.workload = p.lookWorkload(v, owner)
		}
	}
	f.node = look(p.node, topology.KindNode)
	if f.node < 0 {
		f.node = look(p.node)
	}
	for _, a := range p.addresses {
		if n, ok := v.ByAddress(a); ok {
			f.unit = n
			break
		}
	}
	f.volume = look(p.volume, topology.KindVolume)
	if p.zone != "" {
		f.zone = look(topology.ZoneName(p.zone), topology.KindZone)
	}
	return f
}

// workloadKinds are looked for first: a machine may have the name of what runs on it.
var workloadKinds = []topology.Kind{topology.KindService, topology.KindDatabase, topology.KindQueue, topology.KindExternal, topology.KindIngress}

// lookWorkload finds a workload by name, wherever its namespace when the alert's is another one:
// monitoring stacks often set the namespace of the exporter.
func (p *placement) lookWorkload(v *topology.View, name string) int {
	for _, kinds := range [][]topology.Kind{workloadKinds, nil} {
		if n, ok := v.Find(name, p.cluster, p.namespace, kinds...); ok {
			return n
		}
		if n, ok := v.Find(name, "", "", kinds...); ok {
			return n
		}
	}
	return -1
}

// ownerName cuts the last part of a pod's or replica set's name: web-7d4b9-x2x4z, web-7d4b9, web.
func ownerName(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		return name[:i]
	}
	return ""
}
