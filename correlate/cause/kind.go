package cause

import (
	"strings"
	"unicode"
)

// Kind is what a metric measures.
type Kind uint8

// Kinds of metrics. Other is anything that no word of the name explains.
const (
	Unclassified Kind = iota
	CPU
	Memory
	Disk
	Network
	Saturation
	Latency
	Errors
	Availability
	Traffic
	Restarts
	Lag // Behind with what another writes.
	Other
)

var kindNames = [...]string{"", "cpu", "memory", "disk", "network", "saturation", "latency", "errors", "availability", "traffic", "restarts", "lag", "other"}

// String returns the kind in lower case.
func (k Kind) String() string { return kindNames[k] }

// Stat is which summary of its observations a series holds.
type Stat uint8

// Summaries: a mean can be multiplied by a number of requests, a quantile cannot.
const (
	StatUnknown Stat = iota
	StatMean
	StatQuantile
)

// Side is who measured a call.
type Side uint8

// Sides of a call.
const (
	SideUnknown Side = iota
	SideClient
	SideServer
)

// Class is the reading of a metric's name.
type Class struct {
	Kind     Kind
	Stat     Stat
	Side     Side
	Quantile float64 // 0 to 1, where Stat is StatQuantile.
	Percent  bool    // A share in 0 to 100.
}

// kindWords maps words of metric names to kinds, the strongest word class first: a word of an
// earlier row wins over one of a later row, so that `http_requests_errors_total` is errors and
// `request_duration_seconds` is latency. Generic words of Prometheus exporters, OpenTelemetry
// conventions and cloud monitors.
var kindWords = []struct {
	kind  Kind
	words []string
}{
	{Availability, []string{"availability", "available", "success", "successes", "successful", "up", "sr", "apdex", "healthy", "uptime"}},
	{Errors, []string{"error", "errors", "err", "errs", "failed", "failure", "failures", "fault", "faults", "exception", "exceptions", "5xx", "4xx", "timeout", "timeouts", "rejected", "drop", "dropped", "drops", "loss", "lost", "retransmit", "retransmits", "retrans"}},
	{Restarts, []string{"restart", "restarts", "oom", "oomkilled", "crash", "crashes", "evicted"}},
	{Saturation, []string{"throttled", "throttling", "throttle", "saturation", "queue", "queued", "pending", "backlog", "waiting", "pool", "load1", "load5", "load15", "pressure", "stall", "stalled", "blocked", "steal"}},
	{Lag, []string{"lag", "lagging", "behind"}},
	{Disk, []string{"disk", "diskio", "fs", "filesystem", "io", "iops", "iowait", "volume", "blkio", "inode", "inodes", "storage"}},
	{CPU, []string{"cpu", "processor", "cores", "millicores"}},
	{Memory, []string{"mem", "memory", "rss", "heap", "cache", "swap", "gc", "wss"}},
	{Latency, []string{"latency", "lat", "duration", "seconds", "milliseconds", "ms", "delay", "rtt", "mrt", "response", "elapsed", "ttfb"}},
	{Network, []string{"network", "net", "rx", "tx", "receive", "transmit", "received", "transmitted", "bandwidth", "eth0", "tcp", "socket", "sockets", "connections", "conntrack", "sent"}},
	{Traffic, []string{"request", "requests", "ops", "qps", "rps", "tps", "calls", "throughput", "traffic", "workload", "hits", "count", "rate", "rr", "lod", "invocations", "messages", "load"}},
	{Other, []string{"threads", "goroutines", "fds", "fd", "processes", "syscall", "syscalls"}},
}

// wordKinds is kindWords by word: its row and kind.
var wordKinds = func() map[string]struct {
	row  int
	kind Kind
} {
	m := map[string]struct {
		row  int
		kind Kind
	}{}
	for row, kw := range kindWords {
		for _, w := range kw.words {
			m[w] = struct {
				row  int
				kind Kind
			}{row, kw.kind}
		}
	}
	return m
}()

// Classify reads what a metric measures from the words of its name. Labels may follow in braces;
// they are read for a quantile only.
func Classify(name string) Class {
	c := Class{Kind: Other}
	row := len(kindWords)
	bareQuantile, unit := false, false
	for _, w := range words(name) {
		switch w {
		case "mean", "avg", "average":
			c.Stat = StatMean
			continue
		case "median":
			c.Stat, c.Quantile = StatQuantile, .5
			continue
		case "client", "source", "caller", "upstream", "outbound":
			c.Side = SideClient
			continue
		case "server", "destination", "callee", "inbound":
			c.Side = SideServer
			continue
		case "pct", "percent", "percentage":
			c.Percent = true
			continue
		}
		if q, ok := quantileWord(w); ok {
			c.Stat, c.Quantile, bareQuantile = StatQuantile, q, true
			continue
		}
		wk, ok := wordKinds[w]
		if !ok || wk.row > row {
			continue
		}
		if w == "seconds" || w == "milliseconds" || w == "ms" {
			unit = true // A unit alone: cpu_usage_seconds_total is no latency.
			if c.Kind != Other {
				continue
			}
		}
		if wk.row < row {
			row, c.Kind = wk.row, wk.kind
		}
	}
	// A bare quantile of anything about requests is a latency: p99, client_p90, http_server_p50.
	if bareQuantile && (c.Kind == Other || c.Kind == Traffic) {
		c.Kind = Latency
	}
	if c.Kind == Traffic && unit {
		c.Kind = Latency
	}
	return c
}

// quantileWord reads p50, p999, q90, 99th, lat50's tail and the like.
func quantileWord(w string) (float64, bool) {
	d := ""
	switch {
	case len(w) >= 2 && (w[0] == 'p' || w[0] == 'q') && digits(w[1:]):
		d = w[1:]
	case len(w) >= 4 && strings.HasSuffix(w, "th") && digits(w[:len(w)-2]):
		d = w[:len(w)-2]
	case len(w) == 2 && (w == "50" || w == "75" || w == "90" || w == "95" || w == "99"), w == "999":
		d = w
	default:
		return 0, false
	}
	if len(d) > 4 {
		return 0, false
	}
	q, scale := 0.0, 1.0
	for _, r := range d {
		scale /= 10
		q += float64(r-'0') * scale
	}
	if d == "100" {
		q = 1
	}
	return q, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// words splits a name at everything that is no letter or digit and at camel case, in lower case.
func words(name string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	prevLower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			prevLower = false
			continue
		case unicode.IsUpper(r) && prevLower:
			flush()
		}
		prevLower = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	flush()
	return out
}

// resource says whether the kind is a resource that an entity uses up itself.
func (k Kind) resource() bool { return k == CPU || k == Memory || k == Disk || k == Saturation }

// bad is the direction in which a kind of metric gets worse.
type bad uint8

const (
	upIsBad bad = 1 << iota
	downIsBad
	bothAreBad = upIsBad | downIsBad
)

func (k Kind) worse() bad {
	switch k {
	case Availability:
		return downIsBad
	case Traffic, Network, Other:
		return bothAreBad
	default:
		return upIsBad
	}
}
