package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
)

// RemoteWriteConfig says where to send samples.
type RemoteWriteConfig struct {
	// URL is the whole address of the endpoint, for example `http://prometheus:9090/api/v1/write`
	// (Prometheus wants --web.enable-remote-write-receiver). Required.
	URL string `yaml:"url"`
	// HTTPConfig holds basic auth, TLS, bearer token, proxy and headers.
	HTTPConfig commoncfg.HTTPClientConfig `yaml:"http_config,omitempty"`
	// Timeout bounds one request, its answer included.
	Timeout model.Duration `yaml:"timeout,omitempty"`
	// Interval is the time between two rounds. A series is sent only when it has a newer sample.
	Interval model.Duration `yaml:"interval,omitempty"`
	// Message is auto (2.0, and 1.0 when the receiver does not know it), io.prometheus.write.v2.Request or
	// prometheus.WriteRequest.
	Message WriteMessage `yaml:"protobuf_message,omitempty"`
	// MaxSamplesPerSend bounds the samples of one request.
	MaxSamplesPerSend int `yaml:"max_samples_per_send,omitempty"`
	// Headers are added to each request, such as X-Scope-OrgID for Mimir.
	Headers map[string]string `yaml:"headers,omitempty"`
}

// DefaultRemoteWriteConfig gives the defaults.
func DefaultRemoteWriteConfig() RemoteWriteConfig {
	return RemoteWriteConfig{
		HTTPConfig: commoncfg.DefaultHTTPClientConfig, Timeout: model.Duration(30 * time.Second),
		Interval: model.Duration(15 * time.Second), Message: MessageAuto, MaxSamplesPerSend: 2000,
	}
}

// UnmarshalYAML starts from the defaults.
func (c *RemoteWriteConfig) UnmarshalYAML(unmarshal func(any) error) error {
	*c = DefaultRemoteWriteConfig()
	type plain RemoteWriteConfig
	if err := unmarshal((*plain)(c)); err != nil {
		return err
	}
	return c.Validate()
}

// ownHeaders are set by the protocol.
const ownHeaders = "content-encoding content-type content-length x-prometheus-remote-write-version user-agent authorization host"

// Validate says which setting is wrong and what would be right.
func (c *RemoteWriteConfig) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return errors.New("export: remote_write.url is missing, such as http://prometheus:9090/api/v1/write")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("export: remote_write.url %q must be an http or https URL such as http://prometheus:9090/api/v1/write", c.URL)
	case u.User != nil:
		return fmt.Errorf("export: remote_write.url of %s must not hold credentials; use http_config.basic_auth", u.Host)
	case c.Timeout <= 0, c.Interval <= 0, c.MaxSamplesPerSend <= 0:
		return errors.New("export: remote_write.timeout, interval and max_samples_per_send must be above zero; leave them out for the defaults")
	}
	switch c.Message {
	case MessageAuto, MessageV1, MessageV2:
	default:
		return fmt.Errorf("export: remote_write.protobuf_message is %q: want %q, %q or %q", c.Message, MessageAuto, MessageV2, MessageV1)
	}
	for name := range c.Headers {
		if strings.Contains(" "+ownHeaders+" ", " "+strings.ToLower(name)+" ") {
			return fmt.Errorf("export: remote_write.headers must not set %s", name)
		}
	}
	return c.HTTPConfig.Validate()
}

// retryFor is how long one round is tried. Afterwards the next one begins with the values of then: these
// are gauges, and a receiver that was down gets the present, not the past.
const (
	retryFor = 5 * time.Minute
	retryMin = time.Second
	retryMax = 30 * time.Second
)

// Sampler hands out the samples of one round: labels with the metric's name, time in milliseconds, value. A
// series that is not handed out has ended.
type Sampler interface {
	Samples(fn func(ls labels.Labels, t int64, v float64))
}

// RemoteWriter sends the samples of a Sampler by remote write 2.0 or 1.0
// (prometheus.io/docs/specs/prw/remote_write_spec_2_0): snappy blocks, labels sorted, samples of a series in
// order of time, 5xx tried again, 4xx never, a stale marker when a series ends.
type RemoteWriter struct {
	cfg    RemoteWriteConfig
	http   *http.Client
	source Sampler
	sent   *sentSeries
	v2     bool // What is sent now.
	log    *slog.Logger
	m      *remoteMetrics
	clock  func() time.Time
}

type remoteMetrics struct {
	samples     prometheus.Counter
	refused     prometheus.Counter
	retries     prometheus.Counter
	seconds     prometheus.Histogram
	lastSuccess prometheus.Gauge
	series      prometheus.Gauge
}

func newRemoteMetrics(reg prometheus.Registerer) *remoteMetrics {
	f := promauto.With(reg)
	return &remoteMetrics{
		samples: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_remote_write_samples_total", Help: "Samples that the receiver took, stale markers included.",
		}),
		refused: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_remote_write_samples_failed_total", Help: "Samples that the receiver refused or that waited too long.",
		}),
		retries: f.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_remote_write_retries_total", Help: "Requests sent again.",
		}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "tidemark_remote_write_request_seconds", Help: "Time of one request.",
			Buckets: []float64{.005, .01, .05, .1, .5, 1, 5, 10, 30},
		}),
		lastSuccess: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_remote_write_last_success_timestamp_seconds", Help: "When the receiver last took samples.",
		}),
		series: f.NewGauge(prometheus.GaugeOpts{
			Name: "tidemark_remote_write_series", Help: "Series that are alive at the receiver.",
		}),
	}
}

// NewRemoteWriter makes a RemoteWriter; opts are added to its HTTP client.
func NewRemoteWriter(cfg RemoteWriteConfig, source Sampler, logger *slog.Logger, reg prometheus.Registerer, opts ...commoncfg.HTTPClientOption) (*RemoteWriter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// A redirect would turn the POST into a GET without a body.
	cfg.HTTPConfig.FollowRedirects = false
	client, err := commoncfg.NewClientFromConfig(cfg.HTTPConfig, "remote_write", opts...)
	if err != nil {
		return nil, fmt.Errorf("http client of remote_write: %w", err)
	}
	return &RemoteWriter{cfg: cfg, http: client, source: source, sent: newSentSeries(), v2: cfg.Message != MessageV1, log: logger, m: newRemoteMetrics(reg), clock: time.Now}, nil
}

// Run sends a round each interval until ctx ends, then marks all series stale.
func (w *RemoteWriter) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(w.cfg.Interval))
	defer tick.Stop()
	defer w.http.CloseIdleConnections()
	for {
		if err := w.Push(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("Samples not written", "err", err)
		}
		select {
		case <-ctx.Done():
			return w.end()
		case <-tick.C:
		}
	}
}

// end tells the receiver that the series end here, once, without waiting for long: otherwise their last
// values would be shown for five minutes more.
func (w *RemoteWriter) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	batch := w.sent.round(noSamples{})
	for len(batch) > 0 {
		n := min(len(batch), w.cfg.MaxSamplesPerSend)
		if err := w.post(ctx, batch[:n]); err != nil {
			w.log.Warn("Stale markers not written", "err", err)
			return nil
		}
		batch = batch[n:]
	}
	return nil
}

// noSamples has no series: all that were sent have ended.
type noSamples struct{}

// Samples hands out nothing.
func (noSamples) Samples(func(labels.Labels, int64, float64)) {}

// Push sends one round: every series with a newer sample than the receiver has, and stale markers for those
// that ended. It returns when all of it was taken or refused, or was tried for five minutes. Not safe for
// concurrent use.
func (w *RemoteWriter) Push(ctx context.Context) error {
	batch := w.sent.round(w.source)
	w.m.series.Set(float64(w.sent.alive()))
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	var errs []error
	for len(batch) > 0 {
		n := min(len(batch), w.cfg.MaxSamplesPerSend)
		part := batch[:n]
		batch = batch[n:]
		if err := w.retry(ctx, part); err != nil {
			w.m.refused.Add(float64(n))
			errs = append(errs, err)
			if ctx.Err() != nil {
				w.m.refused.Add(float64(len(batch)))
				break
			}
			continue
		}
		w.m.samples.Add(float64(n))
		w.m.lastSuccess.Set(float64(w.clock().UnixMilli()) / 1000)
	}
	if len(errs) > 0 {
		return fmt.Errorf("remote write: %w", errs[0])
	}
	return nil
}

// retry posts until the receiver takes or refuses the batch.
func (w *RemoteWriter) retry(ctx context.Context, batch []prompb.TimeSeries) error {
	var last error
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := w.post(ctx, batch)
		if ctx.Err() != nil && last != nil {
			return last // says more than that the time is over
		}
		last = err
		var re *remoteError
		if err == nil || errors.As(err, &re) && !re.again {
			return err
		}
		pause := wait/2 + rand.N(wait)
		if re != nil && re.after > 0 {
			pause = min(re.after, time.Minute)
		}
		w.log.Debug("Remote write is tried again", "in", pause.String(), "err", err)
		w.m.retries.Inc()
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
	}
}

// post sends one request.
func (w *RemoteWriter) post(ctx context.Context, batch []prompb.TimeSeries) error {
	raw, header, err := encode(batch, w.v2)
	if err != nil {
		return &remoteError{text: fmt.Sprintf("encode samples: %v", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(w.cfg.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(raw))
	if err != nil {
		return &remoteError{text: err.Error()}
	}
	for name, value := range w.cfg.Headers {
		req.Header.Set(name, value)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	start := w.clock()
	res, err := w.http.Do(req)
	w.m.seconds.Observe(w.clock().Sub(start).Seconds())
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return &remoteError{text: fmt.Sprintf("%s cannot be reached: %v", req.URL.Host, err), again: true}
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
	if w.v2 && w.cfg.Message == MessageAuto && !knowsV2(res) {
		w.v2 = false
		w.log.Info("The receiver does not know remote write 2.0, 1.0 is sent", "receiver", req.URL.Host, "status", res.Status)
		return w.post(ctx, batch)
	}
	return judge(res, body)
}

// judge says what an answer means.
func judge(res *http.Response, body []byte) error {
	if res.StatusCode/100 == 2 {
		return nil
	}
	e := &remoteError{again: res.StatusCode/100 == 5}
	if s, err := time.ParseDuration(res.Header.Get("Retry-After") + "s"); err == nil {
		e.after = s
	}
	hint, detail := "", strings.TrimSpace(string(body))
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "text/html" {
		detail = "an HTML page"
	}
	switch {
	case res.StatusCode == http.StatusNotFound && strings.Contains(detail, "remote write receiver"):
		hint = "start Prometheus with --web.enable-remote-write-receiver"
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusMethodNotAllowed, res.StatusCode/100 == 3:
		hint = "is url the remote-write endpoint, such as http://prometheus:9090/api/v1/write?"
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		hint = "check basic_auth, authorization or tls_config under remote_write.http_config"
	}
	e.text = fmt.Sprintf("%s answered %s", res.Request.URL.Host, res.Status)
	if detail != "" {
		e.text += fmt.Sprintf(": %.300s", detail)
	}
	if hint != "" {
		e.text += " (" + hint + ")"
	}
	return e
}

// remoteError is a request that was not taken; again says that it may be the next time.
type remoteError struct {
	text  string
	again bool
	after time.Duration
}

func (e *remoteError) Error() string { return e.text }
