package rules_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/rules"
)

func TestUnitIsReadOffTheNamesOfTheMetrics(t *testing.T) {
	for name, c := range map[string]struct{ expr, want string }{
		"a gauge of seconds":                              {`probe_duration_seconds`, rules.Seconds},
		"the mean time of a request":                      {`sum(rate(http_request_duration_seconds_sum[5m])) / sum(rate(http_request_duration_seconds_count[5m]))`, rules.Seconds},
		"a quantile is in the unit of the buckets":        {`histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[1m])))`, rules.Seconds},
		"a quantile of recorded buckets":                  {`histogram_quantile(0.95, job:http_request_duration_seconds_bucket:rate5m)`, rules.Seconds},
		"a recorded mean":                                 {`job:http_request_duration_seconds:mean`, rules.Seconds},
		"requests a second":                               {`sum by (service) (rate(http_requests_total[5m]))`, rules.PerSecond},
		"recorded requests a second":                      {`job:http_requests:rate5m`, rules.PerSecond},
		"errors of requests are a share":                  {`rate(http_requests_total{code=~"5.."}[5m]) / rate(http_requests_total[5m])`, rules.Ratio},
		"a share recorded as one":                         {`instance:node_cpu_utilisation:ratio`, rules.Ratio},
		"a share by its name":                             {`tidemark_history_learned_ratio`, rules.Ratio},
		"one less a share is a share":                     {`1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes`, rules.Ratio},
		"a hundred times a share is percent":              {`100 * (1 - node_filesystem_avail_bytes / node_filesystem_size_bytes)`, rules.Percent},
		"bytes":                                           {`node_filesystem_avail_bytes`, rules.Bytes},
		"bytes a second":                                  {`rate(node_network_receive_bytes_total[5m])`, rules.BytesPerSecond},
		"bytes added up over an hour":                     {`increase(node_network_receive_bytes_total[1h])`, rules.Bytes},
		"a comparison keeps the unit of what it compares": {`probe_duration_seconds > 5`, rules.Seconds},
		"seconds a second are a share of the time":        {`rate(node_disk_io_time_seconds_total[5m])`, rules.Ratio},
		"a processor that is not idle":                    {`1 - sum by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))`, rules.Ratio},
		"a moment is no length of time":                   {`process_start_time_timestamp_seconds`, ""},
		"bytes over another number than a share":          {`node_filesystem_avail_bytes / 1e9`, ""},
		"a count":                                         {`count(up)`, ""},
		"a queue":                                         {`queue_length`, ""},
		"an operation that nobody knows":                  {`job:http_request_duration:p95`, ""},
		"two units that differ":                           {`probe_duration_seconds + node_filesystem_avail_bytes`, ""},
		"what does not parse":                             {`rate(`, ""},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, rules.Unit(c.expr), c.expr) })
	}
}

func TestQuantityIsWrittenAsPeopleSayIt(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{1.1505957852748063, rules.Seconds, "1.15 s"},
		{0.10999995, rules.Seconds, "110 ms"},
		{0.9999, rules.Seconds, "1 s"},
		{0, rules.Seconds, "0 s"},
		{0.0000042, rules.Seconds, "4.2 µs"},
		{600, rules.Seconds, "10 min"},
		{-3 * 86400, rules.Seconds, "-3 d"},
		{0.291, rules.Ratio, "29.1 %"},
		{0, rules.Ratio, "0 %"},
		{98.21, rules.Percent, "98.2 %"},
		{2.25e9, rules.Bytes, "2.1 GiB"},
		{1536, rules.BytesPerSecond, "1.5 KiB/s"},
		{31.04, rules.PerSecond, "31/s"},
		{12_480, "", "12.5k"},
		{9_940, "", "9940"},
		{3.36, "", "3.36"},
		{1e-7, "", "1e-07"},
		{math.NaN(), rules.Seconds, "–"},
	} {
		require.Equal(t, c.want, rules.Quantity(c.v, c.unit))
	}
	require.Equal(t, "74.1 to 164 ms", rules.Range(0.0741, 0.164, rules.Seconds))
	require.Equal(t, "0 to 1.2 s", rules.Range(0, 1.2, rules.Seconds))
	require.Equal(t, "0 to 7.97 %", rules.Range(0, 0.0797, rules.Ratio))
}
