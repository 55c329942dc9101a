package correlate

import (
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
)

// class is what an alert says about its entity; it decides how far the alert travels from a cause.
type class uint8

// Classes of alerts.
const (
	classError      class = iota // requests fail: travels to callers
	classLatency                 // requests are slow: travels to callers
	classSaturation              // a limit is reached: travels to callees, with the load
	classTraffic                 // more or fewer requests than usual: travels both ways
	classCause                   // the entity itself is broken: certificate, disk, database down
	classPod                     // a pod is not well: not ready, restarting, out of memory
	classNode                    // a node is not well
	classNetwork                 // packets are lost
	classDNS                     // names are not resolved
	classAdmin                   // housekeeping: versions, quotas, clocks, jobs
	classLag                     // behind with what another writes: shows at replicas and consumers
	numClasses      = iota
)

var classNames = [numClasses]string{"error", "latency", "saturation", "traffic", "cause", "pod", "node", "network", "dns", "admin", "lag"}

func (c class) String() string { return classNames[c] }

// classWords is the table of words by which alerts are told apart, in order: the first row with a
// phrase in the alert's name decides. Phrases are of whole words, in lower case. The names are those
// of the kubernetes, node, alertmanager and database mixins and of common RED and SLO rules.
var classWords = []struct {
	class   class
	phrases []string
}{
	{classAdmin, []string{
		"watchdog", "version mismatch", "quota", "clock", "time drift", "systemd", "job failed", "job completion", "job not completed", "cron job", "duplicate timestamp", "duplicate timestamps",
		"out of order", "config reload", "config not synced", "bad config", "backup", "update available", "deprecated", "overcommit", "generation mismatch", "reboot required",
		"client certificate expiration", "info inhibitor", "rule failures", "notifications", "textfile", "license", "licence", "heartbeat", "exporter", "scrape",
	}},
	{classError, []string{"slo", "burn", "burn rate", "error budget"}},
	{classDNS, []string{"dns", "coredns", "resolver", "nxdomain", "servfail", "name resolution"}},
	{classNode, []string{
		"node not ready", "node unreachable", "node pressure", "node eviction", "node readiness flapping", "kubelet", "target down", "targets missing", "host down", "node down",
		"node memory", "host memory", "node system saturation", "node load", "host high cpu", "node cpu", "node disk", "host disk", "node filesystem", "host out of", "node raid", "node bonding", "runtime unhealthy",
		"pleg", "node file descriptor", "node oom", "host oom", "edac", "physical", "temperature", "spot interruption", "node",
	}},
	{classNetwork, []string{"network", "packet", "packets", "retransmit", "retransmits", "conntrack", "interface", "link down", "bgp", "tcp", "vpn", "tunnel", "partition", "transmit", "receive errs"}},
	{classPod, []string{
		"pod not ready", "crash loop", "crash looping", "crashloop", "oom", "oomkilled", "oom killed", "killed", "container waiting", "replicas mismatch", "replicas", "container restart", "restarts", "restarting",
		"evicted", "image pull", "unschedulable", "pending", "pod", "instance down", "instances down", "process down", "absent", "not running", "readiness", "liveness", "misscheduled", "not scheduled",
	}},
	{classLag, []string{"replication lag", "replica lag", "replication delay", "replica behind", "consumer lag", "lag", "lagging", "behind"}},
	{classCause, []string{
		"certificate", "cert", "tls", "expired", "expiry", "expiring", "volume", "disk", "filesystem", "fills", "filling", "full", "out of space", "inode", "inodes", "read only", "readonly", "rollout", "deploy", "deployment failed",
		"replication", "split brain", "no leader", "leader", "quorum", "corrupt", "deadlock", "deadlocks", "lock", "db down", "database down", "mysql down", "postgresql down", "postgres down", "redis down",
		"mongodb down", "kafka down", "rabbitmq down", "elasticsearch", "cluster health", "slow queries", "slow query", "query slow", "io wait", "iops", "iowait", "checkpoint", "vacuum", "failover", "broker", "config", "auth failures", "secret",
	}},
	{classSaturation, []string{
		"throttling", "throttled", "hpa", "maxed", "max out", "exhausted", "exhaustion", "backlog", "queue", "saturation", "saturated", "cpu", "memory", "heap", "gc", "thread", "threads", "pool", "connections", "too many connections",
		"file descriptors", "utilization", "utilisation", "usage", "capacity", "limit", "rate limited", "overload", "load", "inflight", "in flight", "pile up", "piling up", "concurrency", "pressure", "busy", "workers",
	}},
	// Rates of requests as the presets call them, before the words of what is counted.
	{classTraffic, []string{"requests total rate", "seconds count rate", "handled total rate", "edge rate"}},
	{classLatency, []string{"latency", "slow", "duration", "response time", "p99", "p95", "p90", "apdex", "delay", "timeouts high", "request time"}},
	{classTraffic, []string{"traffic", "throughput", "request rate", "requests low", "requests high", "no requests", "rps", "qps", "volume low", "anomaly low", "drop"}},
	{classError, []string{
		"error", "errors", "5xx", "4xx", "slo", "burn", "budget", "availability", "unavailable", "probe", "blackbox", "failed", "failing", "failure", "failures", "exception", "exceptions", "timeout", "timeouts", "down", "unhealthy", "health", "rejected", "success", "endpoint",
	}},
}

// classes remembers what names of alerts say: a storm has thousands of alerts of few names.
type classes map[string]named

// named is the class that a name says, if any.
type named struct {
	class class
	says  bool
}

const maxNames = 10_000 // remembered; more are rules made by a program, and are forgotten all at once

func (k classes) of(name string) (class, bool) {
	n, known := k[name]
	if !known {
		n.class, n.says = classOf(words(name))
		if len(k) >= maxNames {
			clear(k)
		}
		k[name] = n
	}
	return n.class, n.says
}

// classify reads the class out of the alert's name, else out of its summary or description.
func (k classes) classify(ls, annotations model.LabelSet) class {
	if c, ok := k.of(string(ls[model.AlertNameLabel])); ok {
		return c
	}
	for _, k := range []model.LabelName{"summary", "message", "description"} {
		if c, ok := classOf(words(string(annotations[k]))); ok {
			return c
		}
	}
	return classError
}

func classOf(text string) (class, bool) {
	for _, row := range classWords {
		for _, p := range row.phrases {
			if strings.Contains(text, " "+p+" ") {
				return row.class, true
			}
		}
	}
	return classError, false
}

// words splits CamelCase, snake_case and prose into lower-case words, each with a space around it.
// A run of capitals is one word: "HTTPHighErrorRate" is " http high error rate ".
func words(s string) string {
	var b strings.Builder
	b.WriteByte(' ')
	r := []rune(s)
	space := true
	for i, c := range r {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		case unicode.IsUpper(c) && i > 0 && !space &&
			(unicode.IsLower(r[i-1]) || (i+1 < len(r) && unicode.IsLower(r[i+1]) && unicode.IsUpper(r[i-1]))):
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
		space = false
	}
	if !space {
		b.WriteByte(' ')
	}
	return b.String()
}
