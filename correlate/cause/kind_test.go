package cause_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/cause"
)

func TestClassifyReadsTheKindFromTheName(t *testing.T) {
	for name, want := range map[string]cause.Kind{
		"container_cpu_usage_seconds_total":           cause.CPU,
		"process_cpu_seconds_total":                   cause.CPU,
		"cpu_pct":                                     cause.CPU,
		"node_load1":                                  cause.Saturation,
		"container_cpu_cfs_throttled_seconds_total":   cause.Saturation,
		"container_memory_working_set_bytes":          cause.Memory,
		"go_memstats_heap_inuse_bytes":                cause.Memory,
		"mem":                                         cause.Memory,
		"node_disk_io_time_seconds_total":             cause.Disk,
		"diskio":                                      cause.Disk,
		"container_fs_reads_bytes_total":              cause.Disk,
		"container_network_receive_bytes_total":       cause.Network,
		"net_rx":                                      cause.Network,
		"http_request_duration_seconds":               cause.Latency,
		"traces_service_graph_request_client_seconds": cause.Latency,
		"istio_request_duration_milliseconds":         cause.Latency,
		"latency-90":                                  cause.Latency,
		"p99":                                         cause.Latency,
		"http_requests_total":                         cause.Traffic,
		"requests_Sum":                                cause.Traffic,
		"ops":                                         cause.Traffic,
		"http_requests_errors_total":                  cause.Errors,
		"traces_service_graph_request_failed_total":   cause.Errors,
		"container_network_receive_errors_total":      cause.Errors,
		"availability_Average":                        cause.Availability,
		"success_pct":                                 cause.Availability,
		"up":                                          cause.Availability,
		"kube_pod_container_status_restarts_total":    cause.Restarts,
		"process_open_fds":                            cause.Other,
		"":                                            cause.Other,
		"température moyenne":                         cause.Other,
	} {
		require.Equalf(t, want.String(), cause.Classify(name).Kind.String(), "%q", name)
	}
}

func TestClassifyReadsStatisticSideAndUnit(t *testing.T) {
	mean := cause.Classify("latency_Average")
	require.Equal(t, cause.StatMean, mean.Stat)
	p90 := cause.Classify("client_p90")
	require.Equal(t, cause.StatQuantile, p90.Stat)
	require.InDelta(t, .9, p90.Quantile, 1e-9)
	require.Equal(t, cause.SideClient, p90.Side)
	require.Equal(t, cause.SideServer, cause.Classify("p50_destination").Side)
	require.InDelta(t, .999, cause.Classify("duration_p999").Quantile, 1e-9)
	require.True(t, cause.Classify("success_pct").Percent)
}
