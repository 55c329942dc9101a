package shop

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxWait is how long a request may have to wait for the disk before the database turns it away.
const maxWait = 1400 * time.Millisecond

// disk is one queue with one server: an I/O starts when the one before is done. Safe for
// concurrent use.
type disk struct {
	mu       sync.Mutex
	slow     float64   // Factor on the time of an I/O; 1 is healthy.
	free     time.Time // When the last accepted I/O is done.
	busy     time.Duration
	weighted time.Duration
}

// take queues one I/O and returns how long it takes from now on, wait included. It refuses when
// the wait would be too long.
func (d *disk) take(now time.Time) (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free.Before(now) {
		d.free = now
	}
	wait := d.free.Sub(now)
	if wait > maxWait {
		return 0, false
	}
	service := time.Duration(diskService * d.slow * float64(time.Second))
	d.free = d.free.Add(service)
	d.busy += service
	d.weighted += wait + service
	return wait + service, true
}

func (d *disk) setSlow(factor float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slow = factor
}

func (d *disk) isSlow() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slow > 1
}

// read returns the busy time until now and the time all I/Os spent in the queue, in seconds.
func (d *disk) read(now time.Time) (busy, weighted float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ahead := max(0, d.free.Sub(now)) // Accepted, not yet done.
	return (d.busy - ahead).Seconds(), d.weighted.Seconds()
}

// machine is one node: a CPU that requests use, perhaps a disk, and the metrics node_exporter
// shows of them. Safe for concurrent use.
type machine struct {
	name   string
	number int
	disk   *disk // Nil where no database runs.

	mu                 sync.Mutex
	work               float64 // CPU seconds of requests since the last reading.
	neighbour          float64 // Share of the CPU that somebody else takes.
	slowdown           float64 // Factor on the work of services on the node.
	last               time.Time
	lastDisk           float64
	user, iowait, idle float64
}

func newMachine(name string, number int, now time.Time) *machine {
	m := &machine{name: name, number: number, slowdown: 1, last: now}
	if nodeTarget(name).Tier == "database" {
		m.disk = &disk{slow: 1}
	}
	return m
}

// use accounts for CPU time that a request took.
func (m *machine) use(seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.work += seconds
}

func (m *machine) factor() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.slowdown
}

// crowd makes a neighbour take a share of the CPU, which slows every service here by the factor.
func (m *machine) crowd(share, slowdown float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.neighbour, m.slowdown = share, slowdown
}

var (
	cpuDesc = prometheus.NewDesc(metricCPU, "Seconds the CPU spent in each mode.", []string{"cpu", "mode"}, nil)
	memDesc = prometheus.NewDesc(metricMemory, "Memory available.", nil, nil)
	ioDesc  = prometheus.NewDesc(metricDiskTime, "Seconds spent doing I/O.", []string{"device"}, nil)
	ioWDesc = prometheus.NewDesc(metricDiskWeighted, "Weighted seconds spent doing I/O.", []string{"device"}, nil)
)

// Describe implements prometheus.Collector.
func (m *machine) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector: it spends the time since the last reading on the modes.
func (m *machine) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	var busy, weighted float64
	if m.disk != nil {
		busy, weighted = m.disk.read(now)
		ch <- prometheus.MustNewConstMetric(ioDesc, prometheus.CounterValue, max(0, busy), diskDevice)
		ch <- prometheus.MustNewConstMetric(ioWDesc, prometheus.CounterValue, weighted, diskDevice)
	}
	m.mu.Lock()
	dt := math.Max(0, now.Sub(m.last).Seconds())
	wait := math.Min(dt, math.Max(0, busy-m.lastDisk)*ioWait)
	user := math.Min(dt-wait, m.work+(idleCPU+m.neighbour)*dt)
	m.user, m.iowait, m.idle = m.user+user, m.iowait+wait, m.idle+dt-user-wait
	m.work, m.last, m.lastDisk = 0, now, busy
	modes := []struct {
		mode  string
		value float64
	}{{"idle", m.idle}, {"user", m.user}, {"iowait", m.iowait}}
	m.mu.Unlock()
	for _, v := range modes {
		ch <- prometheus.MustNewConstMetric(cpuDesc, prometheus.CounterValue, v.value, "0", v.mode)
	}
	ch <- prometheus.MustNewConstMetric(memDesc, prometheus.GaugeValue, memoryAvailable(m.number, float64(now.Unix())))
}
