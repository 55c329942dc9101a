// Package shop is a small web shop of real HTTP services that call each other: the system that the
// demo watches. It answers pages, exposes Prometheus metrics, can be given a fault, and can
// simulate its own past, so that four weeks of history come from the same model as the present.
package shop

import (
	"fmt"
	"math"
)

// Target is one thing Prometheus scrapes: its address comes with the running shop, its labels are
// the same in the simulated history.
type Target struct {
	Job      string
	Instance string
	Service  string // Empty for plain nodes and the tracing agent.
	Tier     string
	Node     string
}

// Labels are the target labels as Prometheus attaches them, without empty ones.
func (t Target) Labels() map[string]string {
	out := map[string]string{"job": t.Job, "instance": t.Instance}
	for name, value := range map[string]string{"service": t.Service, "tier": t.Tier, "node": t.Node} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// Jobs of the shop's targets.
const (
	jobShop   = "shop"
	jobNode   = "node-exporter"
	jobTraces = "traces"
)

// Names that faults and checks refer to.
const (
	LB        = "lb"
	Web       = "web"
	Catalog   = "api-catalog"
	Users     = "api-users"
	Orders    = "api-orders"
	Cart      = "cart"
	Payment   = "payment"
	DBPrimary = "db-primary"
	DBReplica = "db-replica"
)

// serviceSpec describes one service: where its instances run and how long its own work takes,
// without the services it calls.
type serviceSpec struct {
	name, tier string
	nodes      []string // One instance per element.
	work       float64  // Mean of the own work, seconds.
	version    string
}

// services is the shop from the edge to the disks.
var services = []serviceSpec{
	{LB, "lb", []string{"node-1"}, 0.004, "3.0.2"},
	{Web, "web", []string{
		"node-1", "node-1", "node-1", "node-2", "node-2", "node-2",
		"node-3", "node-3", "node-3", "node-4", "node-4", "node-4",
	}, 0.060, "5.12.1"},
	{Catalog, "api", []string{"node-3"}, 0.050, "2.4.0"},
	{Users, "api", []string{"node-2"}, 0.040, "1.9.3"},
	{Orders, "api", []string{"node-4"}, 0.060, "2.7.0"},
	{Cart, "cart", []string{"node-3"}, 0.030, "1.3.0"},
	{Payment, "payment", []string{"node-4"}, 0.080, "4.1.0"},
	{DBPrimary, "database", []string{DBPrimary}, 0.020, "15.6"},
	{DBReplica, "database", []string{DBReplica}, 0.020, "15.6"},
}

// nodes are the machines. The databases have machines of their own, named like them.
var nodes = []string{"node-1", "node-2", "node-3", "node-4", DBPrimary, DBReplica}

// edge is one arrow of the call graph.
type edge struct{ client, server string }

// edges are all calls between services that a page can cause.
var edges = []edge{
	{LB, Web},
	{Web, Catalog},
	{Web, Users},
	{Web, Orders},
	{Orders, Cart},
	{Orders, Payment},
	{Orders, DBPrimary},
	{Catalog, DBPrimary},
	{Catalog, DBReplica},
	{Users, DBPrimary},
	{Cart, DBPrimary},
	{Payment, DBPrimary},
}

// The mix of pages, and how many of the catalogue's reads need the primary (the rest take the
// replica). Fractions of 1.
const (
	shareCatalog = 0.60
	shareUsers   = 0.15
	shareOrders  = 0.25

	catalogFromPrimary = 0.30
)

const (
	// diskService is the time one I/O of a healthy database disk takes, seconds.
	diskService = 0.006
	// workSpread is the coefficient of variation of every service's own work.
	workSpread = 0.35
	// errorRate is the share of requests that fail for no reason, per service.
	errorRate = 0.0008
)

// instanceName is web-01 for the services that have several instances, else the service's name.
func instanceName(s serviceSpec, i int) string {
	if len(s.nodes) == 1 {
		return s.name
	}
	return fmt.Sprintf("%s-%02d", s.name, i+1)
}

func serviceTarget(s serviceSpec, i int) Target {
	return Target{Job: jobShop, Instance: instanceName(s, i), Service: s.name, Tier: s.tier, Node: s.nodes[i]}
}

func nodeTarget(node string) Target {
	t := Target{Job: jobNode, Instance: node, Node: node}
	for _, s := range services {
		if s.name == node {
			t.Service, t.Tier = s.name, s.tier
		}
	}
	return t
}

// tracesTarget is the tracing agent that turns spans into service-graph metrics.
var tracesTarget = Target{Job: jobTraces, Instance: "tempo"}

func specOf(name string) serviceSpec {
	for _, s := range services {
		if s.name == name {
			return s
		}
	}
	panic("no service " + name)
}

// Buckets of the latency histograms, seconds, without +Inf.
var (
	requestBuckets = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5}
	edgeBuckets    = []float64{0.5}
)

// Metric names. History and live instruments use the same ones.
const (
	metricRequests     = "http_requests_total"
	metricDuration     = "http_request_duration_seconds"
	metricInFlight     = "http_requests_in_flight"
	metricStart        = "process_start_time_seconds"
	metricBuild        = "shop_build_info"
	metricBackend      = "lb_backend_requests_total"
	metricReplication  = "pg_replication_lag_seconds"
	metricEdgeTotal    = "traces_service_graph_request_total"
	metricEdgeFailed   = "traces_service_graph_request_failed_total"
	metricEdgeServer   = "traces_service_graph_request_server_seconds"
	metricEdgeClient   = "traces_service_graph_request_client_seconds"
	metricCPU          = "node_cpu_seconds_total"
	metricMemory       = "node_memory_MemAvailable_bytes"
	metricDiskTime     = "node_disk_io_time_seconds_total"
	metricDiskWeighted = "node_disk_io_time_weighted_seconds_total"
)

const (
	// idleCPU is what a node burns without requests, and cpuShare is how much of a request's own work
	// is CPU time (the rest is waiting). Nodes have one CPU, to keep the series few.
	idleCPU  = 0.04
	cpuShare = 0.18
	// ioWait is how much of a busy disk shows as iowait of the node's CPU.
	ioWait = 0.5
	// diskDevice is the disk of every database node.
	diskDevice = "sda"
)

// memoryAvailable is what a node has left at time t in seconds since the epoch: it breathes slowly.
func memoryAvailable(node int, seconds float64) float64 {
	return 6e9 + 3e8*float64(node) + 2e8*math.Sin(seconds/3000+float64(node))
}
