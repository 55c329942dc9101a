package promread

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
)

// Series is one series of an answer, with its float samples in order of time. Stale markers are
// among them (see value.IsStaleNaN of Prometheus). T and V belong to the reader and hold
// until the function they were given to returns; Labels may be kept.
type Series struct {
	Labels labels.Labels
	T      []int64 // Unix milliseconds.
	V      []float64
}

// Read hands every series that matches to fn, with its float samples from from to to (Unix
// milliseconds, both included). The range is asked for in slices of time, oldest first, so fn sees
// a series once for each slice that has samples of it; within a slice the series come in the
// order of the server. Nothing but the current series is held. Native histogram samples are
// counted and passed over.
//
// An answer that breaks off is asked for again, and what fn has seen is not given to it again. fn
// must not call Read: it holds a place among the reads in flight. An error of fn ends the read and is returned.
func (c *Client) Read(ctx context.Context, matchers []*labels.Matcher, from, to int64, fn func(Series) error) error {
	return c.readSlices(ctx, matchers, from, to, func(from, to int64) handler {
		return &floatHandler{m: c.metrics, from: from, to: to, fn: fn}
	})
}

// readSlices reads [from, to] slice by slice, each with a handler of its own.
func (c *Client) readSlices(ctx context.Context, matchers []*labels.Matcher, from, to int64, newHandler func(from, to int64) handler) error {
	width := time.Duration(c.cfg.ReadSlice).Milliseconds()
	for from <= to {
		end := min(to, from+width-1)
		if err := c.readHalves(ctx, matchers, from, end, newHandler); err != nil {
			return err
		}
		from = end + 1
	}
	return nil
}

// minSlice is the shortest slice that a too large answer is split down to, in milliseconds.
const minSlice = 60_000

// readHalves reads one slice. An answer that is too large to be held (only SAMPLES answers are
// held) is asked for in halves.
func (c *Client) readHalves(ctx context.Context, matchers []*labels.Matcher, from, to int64, newHandler func(from, to int64) handler) error {
	delivered, err := c.readOnce(ctx, matchers, from, to, newHandler(from, to))
	if half := (to - from) / 2; ReasonOf(err) == TooLarge && delivered == 0 && half >= minSlice {
		if err := c.readHalves(ctx, matchers, from, from+half, newHandler); err != nil {
			return err
		}
		return c.readHalves(ctx, matchers, from+half+1, to, newHandler)
	}
	return err
}

// readOnce reads [from, to] in one call, repeated as configured, and says how many series h was given.
func (c *Client) readOnce(ctx context.Context, matchers []*labels.Matcher, from, to int64, h handler) (int, error) {
	once := &onceHandler{inner: h}
	read := func(types []prompb.ReadRequest_ResponseType) error {
		return c.do(ctx, c.readCall(matchers, from, to, types), func(resp *http.Response) error {
			once.restart()
			return c.readAnswer(resp, once)
		})
	}
	types := streamedTypes
	if isBrief(ctx) && to-from <= briefRange {
		types = plainTypes
	}
	err := read(types)
	if ReasonOf(err) == TooLarge && len(types) == 1 { // More series than was thought.
		err = read(streamedTypes)
	}
	if f, ok := err.(callerError); ok { //nolint:errorlint // Made in this package and never wrapped.
		return len(once.done), f.err
	}
	return len(once.done), err
}

func (c *Client) readCall(matchers []*labels.Matcher, from, to int64, types []prompb.ReadRequest_ResponseType) call {
	req := prompb.ReadRequest{
		Queries:               []*prompb.Query{{StartTimestampMs: from, EndTimestampMs: to, Matchers: wireMatchers(matchers)}},
		AcceptedResponseTypes: types,
	}
	b, err := req.Marshal()
	if err != nil { // Marshal fails on invalid memory only.
		panic(err)
	}
	return call{
		op: "remote read", label: "remote_read", method: http.MethodPost, limited: true,
		url:  c.cfg.address(c.cfg.ReadPath, nil),
		body: snappy.Encode(nil, b),
		header: map[string]string{
			"Content-Encoding":                 "snappy",
			"Accept-Encoding":                  "snappy",
			"Content-Type":                     "application/x-protobuf",
			"X-Prometheus-Remote-Read-Version": "0.1.0",
		},
		hints: map[Reason]string{
			NotFound:      "this server has no remote read there: check prometheus.url and prometheus.read_path (Prometheus: /api/v1/read, Mimir: /prometheus/api/v1/read)",
			NotPrometheus: "set prometheus.url to a server with remote read",
		},
	}
}

func wireMatchers(ms []*labels.Matcher) []*prompb.LabelMatcher {
	out := make([]*prompb.LabelMatcher, len(ms))
	for i, m := range ms {
		out[i] = &prompb.LabelMatcher{Name: m.Name, Value: m.Value}
		switch m.Type {
		case labels.MatchEqual:
			out[i].Type = prompb.LabelMatcher_EQ
		case labels.MatchNotEqual:
			out[i].Type = prompb.LabelMatcher_NEQ
		case labels.MatchRegexp:
			out[i].Type = prompb.LabelMatcher_RE
		case labels.MatchNotRegexp:
			out[i].Type = prompb.LabelMatcher_NRE
		}
	}
	return out
}

// readAnswer decodes an answer by what its header says it is.
func (c *Client) readAnswer(resp *http.Response, h handler) error {
	kind, encoding := resp.Header.Get("Content-Type"), resp.Header.Get("Content-Encoding")
	switch {
	case strings.HasPrefix(kind, "application/x-streamed-protobuf"):
		if encoding != "" && encoding != "identity" {
			return faultf(NotPrometheus, "the streamed answer has the content encoding %q, it should have none", clean([]byte(encoding)))
		}
		return readFrames(resp.Body, c.cfg.MaxFrameBytes, h)
	case strings.HasPrefix(kind, "application/x-protobuf"):
		if encoding != "snappy" && encoding != "" { // Cortex compresses as all do, and does not say so.
			return faultf(NotPrometheus, "the answer has the content encoding %q, it should be snappy", clean([]byte(encoding)))
		}
		return readSamples(resp.Body, c.cfg.MaxBodyBytes, h)
	}
	return faultf(NotPrometheus, "the answer has the content type %q, it should be application/x-streamed-protobuf or application/x-protobuf", clean([]byte(kind)))
}
