package stormtest

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
)

// rule is an alerting rule of the plant.
type rule struct {
	name     string
	hold     time.Duration
	severity string
}

// Rules by symptom; several make it likely that more than one fires.
var (
	errorRules = []rule{{"ServiceErrorRatioHigh", 2 * time.Minute, "critical"}, {"AvailabilitySLOBurnFast", 2 * time.Minute, "critical"}, {"EndpointProbeFailing", time.Minute, "critical"}, {"AppLogErrors", time.Minute, "warning"}}
	slowRules  = []rule{{"ServiceLatencyP95High", 5 * time.Minute, "warning"}, {"RequestDurationSlow", 5 * time.Minute, "warning"}}
	podRules   = []rule{{"KubePodNotReady", 15 * time.Minute, "warning"}, {"KubePodCrashLooping", 15 * time.Minute, "warning"}}
	shortRules = []rule{{"KubeDeploymentReplicasMismatch", 15 * time.Minute, "warning"}}
	busyRules  = []rule{{"CPUThrottlingHigh", 15 * time.Minute, "info"}}
	fullRules  = []rule{{"KubeHpaMaxedOut", 15 * time.Minute, "warning"}, {"WorkerPoolExhausted", 2 * time.Minute, "warning"}}
	deadNode   = []rule{{"KubeNodeNotReady", 15 * time.Minute, "critical"}, {"TargetDown", 10 * time.Minute, "warning"}, {"KubeletDown", 15 * time.Minute, "critical"}, {"KubeNodeUnreachable", 15 * time.Minute, "warning"}}
	tightNode  = []rule{{"NodeMemoryHighUtilization", 15 * time.Minute, "warning"}, {"NodeMemoryMajorPagesFaults", 15 * time.Minute, "warning"}, {"NodeSystemSaturation", 15 * time.Minute, "warning"}}
	netNode    = []rule{{"NodeNetworkReceiveErrs", time.Hour, "warning"}, {"NodePacketLossHigh", 2 * time.Minute, "warning"}}
	slowDB     = []rule{{"DatabaseSlowQueries", 5 * time.Minute, "warning"}, {"DatabaseConnectionsNearLimit", 2 * time.Minute, "critical"}, {"DatabaseLockWaits", 2 * time.Minute, "warning"}}
	deadDB     = []rule{{"DatabaseDown", time.Minute, "critical"}}
	diskRules  = []rule{{"KubePersistentVolumeFillingUp", time.Minute, "critical"}, {"DatabaseDiskIOSaturated", 2 * time.Minute, "critical"}}
	certRules  = []rule{{"TLSCertificateExpired", 0, "critical"}}
	rollRules  = []rule{{"KubeDeploymentRolloutStuck", 15 * time.Minute, "warning"}}
	dnsRules   = []rule{{"CoreDNSErrorsHigh", 10 * time.Minute, "critical"}, {"DNSLookupFailures", 2 * time.Minute, "critical"}}
	noiseRules = []rule{{"NodeClockNotSynchronising", 10 * time.Minute, "warning"}, {"KubeQuotaAlmostFull", 15 * time.Minute, "info"}, {"KubeJobFailed", 15 * time.Minute, "warning"}, {"NodeSystemdServiceFailed", 5 * time.Minute, "warning"}, {"PrometheusDuplicateTimestamps", 10 * time.Minute, "warning"}}
)

// some draws rules, each with the probability.
func (p *plant) some(rules []rule, chance float64) []rule {
	var out []rule
	for _, x := range rules {
		if p.maybe(chance) {
			out = append(out, x)
		}
	}
	return out
}

// onService alerts about a service, named by one of the labels that rules use.
func (p *plant) onService(inc string, s int, rules []rule, at time.Time) {
	x := &p.services[s]
	for _, r := range rules {
		key := []string{"service", "service", "deployment", "job", "app"}[p.r.IntN(5)]
		ls := labelsOf(key, x.name)
		if x.ns != "" {
			ls["namespace"] = model.LabelValue(x.ns)
		}
		p.emit(inc, r, ls, at)
	}
}

func (p *plant) onPod(inc string, s, k int, rules []rule, at time.Time) {
	x := &p.services[s]
	for _, r := range rules {
		ls := labelsOf("pod", x.pods[k].name, "namespace", x.ns)
		if p.maybe(0.8) {
			ls["container"] = model.LabelValue(x.name)
		}
		if p.maybe(0.3) {
			ls["job"] = "kube-state-metrics"
			ls["instance"] = "172.20.0.99:8080"
		}
		p.emit(inc, r, ls, at)
	}
}

func (p *plant) onNode(inc string, n int, rules []rule, at time.Time) {
	for _, r := range rules {
		ls := labelsOf("node", nodeName(n))
		if p.maybe(0.4) {
			ls = labelsOf("instance", nodeIP(n)+":9100", "job", "node-exporter")
		}
		p.emit(inc, r, ls, at)
	}
}

// emit makes the events of one alert whose condition begins at the given time.
func (p *plant) emit(inc string, r rule, ls model.LabelSet, begin time.Time) {
	ls["alertname"], ls["severity"] = model.LabelValue(r.name), model.LabelValue(r.severity)
	end := p.ends[inc].Add(p.lag(30))
	start := begin.Add(r.hold).Add(secs(p.r.Float64() * 30))
	if p.maybe(p.lost) || !end.After(start.Add(30*time.Second)) {
		return // Recovered before the rule's patience was over.
	}
	copies := 1
	if p.ha > 0 {
		copies = 2
	}
	flaps := p.maybe(p.flap)
	for c := range copies {
		own := ls.Clone()
		shift := time.Duration(0)
		if copies > 1 {
			own["prometheus_replica"] = model.LabelValue([]string{"a", "b"}[c])
			shift = secs(p.r.Float64() * 15)
		}
		fp := own.Fingerprint().String()
		if have, ok := p.storm.Truth[fp]; ok && have != inc {
			continue // The same alert fires already for another reason.
		}
		p.storm.Truth[fp] = inc
		if !flaps {
			p.fire(own, fp, start.Add(shift), end)
			continue
		}
		at := start.Add(shift)
		for range 2 + p.r.IntN(3) {
			off := at.Add(minutes(1 + 3*p.r.Float64()))
			if off.After(end) {
				break
			}
			p.fire(own, fp, at, off)
			at = off.Add(minutes(1.5 + 4*p.r.Float64()))
		}
	}
}

// fire writes the firing and the resolve as Alertmanager delivers them.
func (p *plant) fire(ls model.LabelSet, fp string, start, end time.Time) {
	wait := 30 * time.Second
	if p.maybe(0.5) {
		wait = secs(p.r.Float64() * p.interval.Seconds())
	}
	note := model.LabelSet{"summary": model.LabelValue(fmt.Sprintf("%s fires", ls["alertname"]))}
	p.storm.Events = append(p.storm.Events,
		correlate.Recorded{ReceivedAt: start.Add(wait), Status: "firing", StartsAt: start, Fingerprint: fp, Labels: ls, Annotations: note},
		correlate.Recorded{ReceivedAt: end.Add(secs(p.r.Float64() * p.interval.Seconds())), Status: "resolved", StartsAt: start, EndsAt: end, Fingerprint: fp, Labels: ls, Annotations: note},
	)
}

// noise is alerts that have to do with nothing.
func (p *plant) noise() {
	perHour := 0.5 + 4*p.r.Float64()
	n := 0
	for at := p.t0; ; n++ {
		at = at.Add(minutes(p.r.ExpFloat64() * 60 / perHour))
		if at.After(p.t0.Add(4 * time.Hour)) {
			return
		}
		inc := fmt.Sprintf("N%d", n)
		p.ends[inc] = at.Add(minutes(20 + 30*p.r.ExpFloat64()))
		s := p.r.IntN(len(p.services) - 3)
		switch p.r.IntN(3) {
		case 0:
			p.onNode(inc, p.r.IntN(p.nodes), []rule{noiseRules[[]int{0, 3}[p.r.IntN(2)]]}, at)
		case 1:
			p.onService(inc, s, []rule{noiseRules[[]int{1, 4}[p.r.IntN(2)]]}, at)
		default:
			all := append(append([]rule{}, slowRules...), errorRules...)
			p.onService(inc, s, []rule{all[p.r.IntN(len(all))]}, at)
		}
	}
}
