package correlate

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// resourceWords tells what of an entity is short or broken, by words of its alerts and of the metric
// names of its anomalies. Where two score alike the first row wins.
var resourceWords = []struct {
	resource string
	words    []string
}{
	{"disk", []string{"disk", "io", "iops", "iowait", "volume", "filesystem", "space", "inode", "inodes", "storage", "fsync", "wal", "persistent"}},
	{"memory", []string{"memory", "oom", "heap", "swap", "rss"}},
	{"certificate", []string{"certificate", "cert", "tls", "x509"}},
	{"connections", []string{"connections", "connection", "pool", "conntrack", "sockets"}},
	{"network", []string{"network", "packet", "packets", "retransmit", "retransmits", "nic", "interface", "bandwidth"}},
	{"dns", []string{"dns", "coredns"}},
	{"locks", []string{"lock", "locks", "deadlock", "deadlocks"}},
	{"replication", []string{"replication"}},
	{"queue", []string{"queue", "backlog", "consumer"}},
	{"deploy", []string{"rollout", "deploy", "crash", "revision"}},
	{"cpu", []string{"cpu", "throttling", "throttled", "load", "saturation"}},
}

// resourceOf weighs the words of the alerts at an entity; empty when none says.
func resourceOf(items []*item) string {
	score := make([]float64, len(resourceWords))
	for _, it := range items {
		if it.class == classLatency || it.class == classError {
			// Symptoms: their texts name what is measured, not what is short.
			score = addWords(score, string(it.rec.Labels[model.AlertNameLabel]), 0.5)
			continue
		}
		score = addWords(score, it.rec.place.name, 2)
		for _, a := range []model.LabelName{"summary", "description"} {
			score = addWords(score, string(it.rec.Annotations[a]), 1)
		}
		for _, l := range []model.LabelName{"device", "mountpoint", "persistentvolumeclaim"} {
			if it.rec.Labels[l] != "" {
				score[0]++
			}
		}
		if a := it.rec.Anomaly; a != nil {
			score = addWords(score, a.Watch+" "+a.Query, min(4, 1+a.Score))
		}
	}
	best := slices.Index(score, slices.Max(score))
	if score[best] < 1 {
		return ""
	}
	return resourceWords[best].resource
}

func addWords(score []float64, text string, weight float64) []float64 {
	if text == "" {
		return score
	}
	w := words(text)
	for i, row := range resourceWords {
		if slices.ContainsFunc(row.words, func(x string) bool { return strings.Contains(w, " "+x+" ") }) {
			score[i] += weight
		}
	}
	return score
}

// hints are what to look at first, by resource.
var hints = map[string]string{
	"disk":        "Check disk I/O, queue length and free space of %s; consider failing over or moving load away.",
	"memory":      "Check memory use and limits of %s; look for a leak or a recent change.",
	"certificate": "Renew the certificate of %s.",
	"connections": "Check connection pools and limits of %s, and who holds the connections.",
	"network":     "Check packet loss and errors on the network of %s.",
	"dns":         "Check the name servers: %s.",
	"locks":       "Look for long transactions and lock waits on %s.",
	"replication": "Check replication state and lag of %s.",
	"queue":       "Check consumers and backlog of %s.",
	"deploy":      "Compare %s with its previous version; consider rolling back.",
	"cpu":         "Check processor use and throttling of %s; consider scaling out.",
}
