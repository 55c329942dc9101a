package correlate

import (
	"fmt"
	"strings"
)

// noun is how people call the members of a tier.
type noun struct {
	one, many string
	tier      string // as in "affecting API and web tier"
}

// tierNouns is by the value of a tier label, or by a word of an entity's name where Named is set:
// a name may say db, but a service called web need not be a web server.
var tierNouns = []struct {
	noun
	words []string
	named bool
}{
	{noun{"web server", "web servers", "web"}, []string{"web", "www", "frontend", "front", "webserver", "ui"}, false},
	{noun{"API", "APIs", "API"}, []string{"api", "apis", "backend"}, false},
	{noun{"database", "databases", "database"}, []string{"db", "database", "databases", "sql", "postgres", "postgresql", "mysql", "mariadb", "mongo", "mongodb", "cassandra", "cockroachdb", "oracle", "datastore"}, true},
	{noun{"cache", "caches", "cache"}, []string{"cache", "redis", "memcached", "valkey"}, true},
	{noun{"load balancer", "load balancers", "load balancer"}, []string{"lb", "loadbalancer", "haproxy", "ingress", "proxy", "edge"}, false},
	{noun{"queue", "queues", "queue"}, []string{"queue", "kafka", "rabbitmq", "broker", "nats", "mq"}, true},
	{noun{"worker", "workers", "worker"}, []string{"worker", "workers", "consumer"}, false},
	{noun{"storage system", "storage systems", "storage"}, []string{"storage", "ceph", "nfs", "s3", "minio"}, true},
}

// kindNouns is by the kind of an entity.
var kindNouns = map[string]noun{
	"service": {"service", "services", "service"}, "pod": {"pod", "pods", "pod"}, "instance": {"instance", "instances", "instance"},
	"node": {"node", "nodes", "node"}, "zone": {"zone", "zones", "zone"}, "volume": {"volume", "volumes", "volume"},
	"external": {"external service", "external services", "external service"}, "database": {"database", "databases", "database"},
	"queue": {"queue", "queues", "queue"}, "ingress": {"ingress", "ingresses", "ingress"}, "cluster": {"cluster", "clusters", "cluster"},
	"namespace": {"namespace", "namespaces", "namespace"}, "alert": {"alert", "alerts", "alert"},
}

// nounOfTier reads a tier label's value; ok is false for an empty one.
func nounOfTier(tier string) (noun, bool) {
	if tier == "" {
		return noun{}, false
	}
	w := words(tier)
	for _, row := range tierNouns {
		for _, x := range row.words {
			if strings.Contains(w, " "+x+" ") {
				return row.noun, true
			}
		}
	}
	return noun{tier + " component", tier + " components", tier}, true
}

// nounOfName reads an entity's name where that is safe.
func nounOfName(name string) (noun, bool) {
	w := words(name)
	for _, row := range tierNouns {
		if !row.named {
			continue
		}
		for _, x := range row.words {
			if strings.Contains(w, " "+x+" ") {
				return row.noun, true
			}
		}
	}
	return noun{}, false
}

func nounOfKind(kind string) noun {
	if n, ok := kindNouns[kind]; ok {
		return n
	}
	return noun{kind, kind + "s", kind}
}

// of is "1 database", "12 web servers".
func (n noun) of(count int) string {
	if count == 1 {
		return n.one
	}
	return n.many
}

func (c Count) String() string { return fmt.Sprintf("%d %s", c.N, c.Noun) }

// and joins words as prose does: a, b and c.
func and(parts []string) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
