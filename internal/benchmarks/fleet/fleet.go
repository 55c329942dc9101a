// Package fleet names the series of a large fleet for the benchmarks.
package fleet

import (
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
)

// Metrics is how many metrics each pod has.
const Metrics = 20

// Metric is the name of the k-th metric.
func Metric(k int) string { return fmt.Sprintf("http_server_request_duration_seconds_bucket_%02d", k) }

// Labels are eight labels of usual length, about 200 characters, of the i-th series of a fleet: twenty metrics
// of each pod.
func Labels(i int) labels.Labels {
	pod, metric := i/Metrics, i%Metrics
	return labels.FromStrings(
		"__name__", Metric(metric),
		"cluster", "production-eu-central-1",
		"namespace", fmt.Sprintf("team-%02d", pod%40),
		"service", fmt.Sprintf("checkout-service-%03d", pod%400),
		"pod", fmt.Sprintf("checkout-service-%03d-6d4cf56db6-%05d", pod%400, pod),
		"instance", fmt.Sprintf("10.%d.%d.%d:9100", pod>>16&255, pod>>8&255, pod&255),
		"job", "kubernetes-pods",
		"method", "GET",
	)
}
