// Package promread reads Prometheus: history by streamed remote read, PromQL expressions evaluated
// here over what was read, and the few API calls that discovery and evidence need. It is gentle by
// construction: few reads at a time, slices of time, one frame in memory, pauses after failures.
package promread

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
)

// Client reads one Prometheus, or what speaks like one. It is safe for concurrent use. It starts
// no goroutines of its own.
type Client struct {
	cfg     Config
	http    *http.Client
	logger  *slog.Logger
	metrics *metrics
	pace    *pacer
	reads   chan struct{} // Holds a token for every remote read in flight.
	retry   retrypolicy.RetryPolicy[any]
	engine  *engine
	// A query of the API that always fails must not keep history from being read, so that each
	// has a breaker of its own.
	readBreaker, apiBreaker circuitbreaker.CircuitBreaker[any]
}

// New checks cfg and makes a client. It makes no call.
func New(cfg Config, logger *slog.Logger, reg prometheus.Registerer) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	client, err := commoncfg.NewClientFromConfig(cfg.HTTPClientConfig, "tidemark")
	if err != nil {
		return nil, fmt.Errorf("prometheus: http_config: %w", err)
	}
	c := &Client{
		cfg:     cfg,
		http:    client,
		logger:  logger,
		metrics: newMetrics(reg),
		pace:    newPacer(cfg.LearningDuty, reg),
		reads:   make(chan struct{}, cfg.MaxConcurrentReads),
	}
	c.retry, c.readBreaker, c.apiBreaker = retries(cfg.Retry), breaker(cfg.Retry), breaker(cfg.Retry)
	c.engine = newEngine(c)
	return c, nil
}

// Close closes idle connections. Calls under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Lookback is how long a sample counts as current.
func (c *Client) Lookback() time.Duration { return time.Duration(c.cfg.Lookback) }

// retryable says whether a call may be made again.
func retryable(_ any, err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Retryable()
}

func retries(cfg RetryConfig) retrypolicy.RetryPolicy[any] {
	return retrypolicy.NewBuilder[any]().
		HandleIf(retryable).
		ReturnLastFailure().
		WithMaxAttempts(cfg.Attempts).
		WithBackoff(time.Duration(cfg.MinBackoff), max(time.Duration(cfg.MaxBackoff), time.Duration(cfg.MinBackoff)+1)).
		WithJitterFactor(0.25).
		Build()
}

func breaker(cfg RetryConfig) circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		HandleIf(retryable).
		WithFailureThreshold(uint(cfg.OpenAfter)).
		WithSuccessThreshold(1).
		WithDelay(time.Duration(cfg.OpenFor)).
		Build()
}

// call is one kind of request: how it is named in errors and metrics, and what it sends.
type call struct {
	op, label string
	method    string
	url       string
	body      []byte
	header    map[string]string
	hints     map[Reason]string
	limited   bool // Counts among the reads in flight.
}

// do makes the call, repeated as configured, and hands each 2xx answer to read. When read
// returns a fault, it is made an Error with the place of the call.
func (c *Client) do(ctx context.Context, k call, read func(*http.Response) error) error {
	breaker := c.apiBreaker
	if k.limited {
		breaker = c.readBreaker
	}
	err := failsafe.With[any](c.retry, breaker).WithContext(ctx).Run(func() error {
		err := c.once(ctx, k, read)
		if e, ok := errors.AsType[*Error](err); ok {
			c.metrics.failures.WithLabelValues(k.label, string(e.Reason)).Inc()
			if e.Retryable() {
				c.logger.Debug("Call to Prometheus failed", "call", k.op, "err", err)
			}
			if werr := c.wait(ctx, e.retryAfter); werr != nil {
				return werr
			}
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s %s: %w", k.op, c.shown(k.url), context.Cause(ctx))
	}
	if errors.Is(err, circuitbreaker.ErrOpen) {
		return &Error{Reason: Paused, Op: k.op, URL: c.shown(k.url), Msg: sprintf("not asked: the last %d calls failed, the next try is in %s",
			c.cfg.Retry.OpenAfter, breaker.RemainingDelay().Round(time.Second))}
	}
	return err
}

// wait heeds Retry-After, up to the longest pause of our own.
func (c *Client) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(min(d, time.Duration(c.cfg.Retry.MaxBackoff)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) once(ctx context.Context, k call, read func(*http.Response) error) (err error) {
	paced := k.limited && isPaced(ctx)
	if paced {
		if err := c.pace.wait(ctx); err != nil {
			return err
		}
	}
	if k.limited {
		release, err := c.acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	start := time.Now()
	c.metrics.calls.WithLabelValues(k.label).Inc()
	defer func() { c.metrics.seconds.WithLabelValues(k.label).Observe(time.Since(start).Seconds()) }()

	cctx, cancel := context.WithTimeout(ctx, time.Duration(c.cfg.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(cctx, k.method, k.url, bytes.NewReader(k.body))
	if err != nil {
		return fmt.Errorf("%s %s: %w", k.op, c.shown(k.url), err)
	}
	req.Header.Set("User-Agent", "Tidemark/"+version.Version)
	for name, value := range k.header {
		req.Header.Set(name, value)
	}
	if c.cfg.Tenant != "" {
		req.Header.Set("X-Scope-OrgID", c.cfg.Tenant)
	}
	counted := &countingReader{}
	resp, err := c.http.Do(req)
	counted.waited = time.Since(start)
	if paced {
		defer func() {
			c.pace.done(counted.waited, time.Since(start)-counted.waited, counted.n, ReasonOf(err) == Overloaded || ReasonOf(err) == Unreachable)
		}()
	}
	if err != nil {
		return c.place(ctx, cctx, k, 0, &fault{reason: Unreachable, msg: "no answer", err: bare(err)})
	}
	counted.r = resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{counted, resp.Body}
	defer func() {
		c.metrics.bytes.WithLabelValues(k.label).Add(float64(counted.n))
		_ = resp.Body.Close()
	}()
	if err := checkStatus(resp); err != nil {
		return c.place(ctx, cctx, k, resp.StatusCode, err)
	}
	return c.place(ctx, cctx, k, resp.StatusCode, read(resp))
}

// acquire takes a place among the reads in flight.
func (c *Client) acquire(ctx context.Context) (release func(), err error) {
	select {
	case c.reads <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	c.metrics.inFlight.Inc()
	return func() {
		c.metrics.inFlight.Dec()
		<-c.reads
	}, nil
}

// place makes an Error of a fault. The caller's own end of the context is passed on as it is,
// our timeout becomes a sentence.
func (c *Client) place(ctx, cctx context.Context, k call, status int, err error) error {
	f, ok := errors.AsType[*fault](err)
	switch {
	case !ok:
		return err
	case ctx.Err() == nil && cctx.Err() != nil:
		f = &fault{reason: Unreachable, msg: sprintf("no whole answer within %s", c.cfg.Timeout), hint: "see prometheus.timeout"}
	}
	hint := f.hint
	if hint == "" {
		hint = k.hints[f.reason]
	}
	e := &Error{Reason: f.reason, Op: k.op, URL: c.shown(k.url), Status: status, Msg: f.msg, Hint: hint, Err: f.err}
	if r, ok := errors.AsType[retryAfterError](f.err); ok {
		e.retryAfter, e.Err = time.Duration(r), nil
	}
	return e
}

// shown is the address without its query and its password.
func (c *Client) shown(address string) string {
	u := *c.cfg.URL.URL
	if parsed, err := u.Parse(address); err == nil {
		parsed.RawQuery = ""
		return parsed.Redacted()
	}
	return u.Redacted()
}

// retryAfterError carries the header Retry-After of an answer.
type retryAfterError time.Duration

func (r retryAfterError) Error() string { return "retry after " + time.Duration(r).String() }

func retryAfter(h http.Header) error {
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n > 0 {
		return retryAfterError(time.Duration(n) * time.Second)
	}
	return nil
}

// countingReader counts the bytes of an answer, and the time for which they were waited for.
type countingReader struct {
	r      io.Reader
	n      int64
	waited time.Duration
}

func (c *countingReader) Read(p []byte) (int, error) {
	start := time.Now()
	n, err := c.r.Read(p)
	c.waited += time.Since(start)
	c.n += int64(n)
	return n, err
}
