package runbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
)

// Figures of calls, as Standard Webhooks advises.
const (
	maxAnswer       = 64 << 10
	backoffBase     = time.Second
	backoffMax      = 5 * time.Minute
	breakerFailures = 5
	breakerDelay    = time.Minute
)

// outcome is what an attempt tells about its effect.
type outcome string

const (
	outcomeDone      outcome = "done"      // 2xx: the endpoint did it.
	outcomeNothing   outcome = "nothing"   // Nothing was sent, or 408, 425, 429, 503: it was not done, try again.
	outcomeError     outcome = "error"     // Another 5xx: the endpoint tried and failed.
	outcomeFinal     outcome = "final"     // 3xx, 4xx: it will not be done, however often it is asked.
	outcomeUncertain outcome = "uncertain" // The request was sent and no status came back.
)

var outcomes = []outcome{outcomeDone, outcomeNothing, outcomeError, outcomeFinal, outcomeUncertain}

// answer is the result of one attempt.
type answer struct {
	outcome    outcome
	status     int
	retryAfter time.Duration
	reason     string
}

// clientOptions are what a test replaces.
type clientOptions struct {
	dial   commoncfg.DialContextFunc // nil: the guarded dialer.
	jitter func() float64            // Uniform in [0, 1).
}

// runner calls one runbook.
type runner struct {
	cfg       Runbook
	digest    string
	transport http.RoundTripper
	breaker   circuitbreaker.CircuitBreaker[answer]
	slots     bulkhead.Bulkhead[answer]
	jitter    func() float64
}

func newRunner(cfg Runbook, options clientOptions) (*runner, error) {
	dial := options.dial
	if dial == nil {
		dial = cfg.guard.dial
	}
	// A fresh connection for each attempt: net/http repeats a request by itself only on a reused one,
	// and what is repeated is our decision. HTTP/1.1 for the same reason.
	transport, err := commoncfg.NewRoundTripperFromConfig(cfg.HTTPConfig, "runbook",
		commoncfg.WithDialContextFunc(dial), commoncfg.WithKeepAlivesDisabled(), commoncfg.WithHTTP2Disabled(),
		commoncfg.WithUserAgent("Tidemark/"+version.Version))
	if err != nil {
		return nil, fmt.Errorf("runbook %q: http_config: %w", cfg.Name, err)
	}
	return &runner{
		cfg: cfg, digest: cfg.digest(), transport: transport, jitter: options.jitter,
		breaker: circuitbreaker.NewBuilder[answer]().
			WithFailureThreshold(breakerFailures).WithSuccessThreshold(1).WithDelay(breakerDelay).Build(),
		slots: bulkhead.New[answer](uint(cfg.Limits.Concurrent)),
	}, nil
}

// pickSlots keeps the slots over a reload when their number is the same.
func pickSlots(old, fresh *runner) bulkhead.Bulkhead[answer] {
	if old.cfg.Limits.Concurrent == fresh.cfg.Limits.Concurrent {
		return old.slots
	}
	return fresh.slots
}

// failed says whether the endpoint is to blame; a refusal of this one action (4xx) is not a sign
// that the endpoint is down.
func (a answer) failed() bool {
	return a.outcome == outcomeNothing || a.outcome == outcomeError || a.outcome == outcomeUncertain
}

// again says whether another attempt may follow. Without a promise of idempotence only what surely
// had no effect is repeated.
func (a answer) again(idempotent bool) bool {
	switch a.outcome {
	case outcomeNothing:
		return true
	case outcomeError, outcomeUncertain:
		return idempotent
	}
	return false
}

// admit waits until the breaker lets an attempt through. The attempt must then be told to note.
func (r *runner) admit(ctx context.Context) error {
	for context.Cause(ctx) == nil {
		if r.breaker.TryAcquirePermit() {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(r.breaker.RemainingDelay(), backoffBase)):
		}
	}
	return context.Cause(ctx)
}

// notAsked gives back what admit took when the attempt was not made after all: the endpoint is as
// unproven as before.
func (r *runner) notAsked() {
	if r.breaker.IsHalfOpen() {
		r.breaker.RecordFailure()
	}
}

// note tells the breaker how an attempt went.
func (r *runner) note(a answer) {
	if a.failed() {
		r.breaker.RecordFailure()
		return
	}
	r.breaker.RecordSuccess()
}

// request builds the signed request of one attempt.
func (r *runner) request(ctx context.Context, p Proposal, now time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.cfg.Method, r.cfg.URL, bytes.NewReader(p.Body))
	if err != nil {
		return nil, errors.New("build request: the URL cannot be used") // The error of net/http quotes it.
	}
	req.GetBody = nil // Nothing but this package repeats a call.
	for name, value := range r.cfg.Headers {
		req.Header.Set(name, string(value))
	}
	req.Header.Set("Content-Type", "application/json")
	keys, err := r.cfg.keys()
	if err != nil {
		return nil, err
	}
	return req, sign(req.Header, keys, p.Key, now, p.Body)
}

// attempt makes one call and says what is known of its effect. It ends within the runbook's timeout.
func (r *runner) attempt(ctx context.Context, p Proposal, now time.Time) answer {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.cfg.Timeout))
	defer cancel()
	var sent atomic.Bool // A dial that lost the race against the timeout still calls the trace.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	req, err := r.request(ctx, p, now)
	if err != nil {
		return answer{outcome: outcomeFinal, reason: err.Error()}
	}
	resp, err := r.transport.RoundTrip(req) // Not through a http.Client, which would look at redirects.
	if err != nil {
		return r.unanswered(err, sent.Load())
	}
	defer resp.Body.Close()
	a := judge(resp, now)
	// The status is the answer. What follows is read so that a well-behaved endpoint can finish, but
	// neither kept nor waited for beyond the limits.
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	return a
}

// unanswered judges an attempt that got no status. Once something was sent the error may quote what
// the endpoint sent, so it is told in words of ours.
func (r *runner) unanswered(err error, sent bool) answer {
	var refused *RefusedError
	var netErr net.Error
	timedOut := errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout())
	switch {
	case errors.As(err, &refused):
		return answer{outcome: outcomeFinal, reason: refused.Error()}
	case !sent:
		return answer{outcome: outcomeNothing, reason: fmt.Sprintf("not connected: %v", err)}
	case timedOut:
		return answer{outcome: outcomeUncertain, reason: fmt.Sprintf("no answer within %s", r.cfg.Timeout)}
	}
	return answer{outcome: outcomeUncertain, reason: "the connection broke before an answer, or the answer was not HTTP"}
}

// judge reads the status: 2xx done, 408, 425, 429 and 503 not done, other 5xx failed, the rest final.
func judge(resp *http.Response, now time.Time) answer {
	a := answer{status: resp.StatusCode, reason: fmt.Sprintf("the endpoint answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		a.outcome = outcomeDone
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable:
		a.outcome = outcomeNothing
	case s >= 500:
		a.outcome = outcomeError
	case s >= 300 && s < 400:
		a.outcome, a.reason = outcomeFinal, fmt.Sprintf("the endpoint answered %d, a redirect; redirects are not followed", s)
	default:
		a.outcome = outcomeFinal
	}
	a.retryAfter = retryAfter(resp.Header.Get("Retry-After"), now)
	return a
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date; at most a day.
func retryAfter(value string, now time.Time) time.Duration {
	d := time.Duration(0)
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}

// delay is how long to wait after attempt n (from 1): full jitter over a doubling span, as in "Exponential Backoff
// and Jitter" (AWS Architecture Blog, 2015), but not before Retry-After, nor while the breaker is open.
func (r *runner) delay(n int, a answer) time.Duration {
	span := backoffBase << min(n-1, 20)
	d := time.Duration(r.jitter() * float64(min(span, backoffMax)))
	return max(d, a.retryAfter, r.breaker.RemainingDelay())
}
