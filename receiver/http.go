package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// appendTimeout bounds the wait for the disk. Alertmanager gives a webhook at least 10 s.
const appendTimeout = 8 * time.Second

// readTimeout bounds the time that a body takes to arrive.
const readTimeout = 30 * time.Second

// retryAfter is said with each 503, in seconds.
const retryAfter = 5

// Error is an answer that is not 2xx: its text is for the person who reads the sender's log.
type Error struct {
	Status int
	Text   string
}

func (e *Error) Error() string { return e.Text }

func refuse(status int, format string, args ...any) *Error {
	return &Error{Status: status, Text: fmt.Sprintf(format, args...)}
}

// endpoint is what differs between the endpoints.
type endpoint struct {
	name    string
	kind    byte
	types   []string // accepted content types
	maxBody func(*Config) ByteSize
	// decode must not keep body or slices of it: the buffer is used again.
	decode func(c *Config, h http.Header, body []byte) (kept, error)
	fail   func(w http.ResponseWriter, h http.Header, e *Error) // default: plain text
}

// kept is a decoded message.
type kept struct {
	payload []byte                    // for the log; nil: there is nothing new to keep
	deliver func(ctx context.Context) // to the sink, after the log
	partial *Error                    // what to answer when parts were refused; nil: 2xx
	answer  func(http.ResponseWriter) // default: 204
	header  func(http.Header)         // said with every answer, that of a partial one too; default: nothing
}

func (r *Receiver) handler(ep endpoint) http.Handler {
	if ep.fail == nil {
		ep.fail = func(w http.ResponseWriter, _ http.Header, e *Error) { http.Error(w, e.Text, e.Status) }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		start := r.clock()
		k, err := r.serve(ep, w, req)
		if err == nil && k.partial != nil {
			err = k.partial
		}
		if k.header != nil {
			k.header(w.Header())
		}
		code := http.StatusNoContent
		if err != nil {
			code = r.fail(ep, w, req, err)
		} else if k.answer != nil {
			code = http.StatusOK
			k.answer(w)
		} else {
			w.WriteHeader(code)
		}
		r.m.requests.WithLabelValues(ep.name, strconv.Itoa(code)).Inc()
		r.m.seconds.WithLabelValues(ep.name).Observe(r.clock().Sub(start).Seconds())
	})
}

// serve takes one message through the steps of the package's first paragraph.
func (r *Receiver) serve(ep endpoint, w http.ResponseWriter, req *http.Request) (kept, error) {
	c := r.cfg.Load()
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return kept{}, refuse(http.StatusMethodNotAllowed, "%s takes POST, not %s", req.URL.Path, req.Method)
	}
	limit := int64(ep.maxBody(c))
	if req.ContentLength > limit {
		w.Header().Set("Connection", "close") // the body is not read
		return kept{}, tooLarge(limit)
	}
	if err := checkType(ep.types, req.Header.Get("Content-Type")); err != nil {
		return kept{}, err
	}
	size := req.ContentLength
	if size < 0 {
		size = limit
	}
	if !r.gate.enter(c, size) {
		return kept{}, refuse(http.StatusServiceUnavailable, "too many messages at once, try again in %d s", retryAfter)
	}
	// Sixty-four senders that trickle must not keep everybody else out. A recorder in a test has no deadline.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout))
	r.m.inflight.Inc()
	defer func() { r.gate.leave(size); r.m.inflight.Dec() }()

	buf := r.bodies.Get().(*[]byte)
	defer r.bodies.Put(buf)
	body, err := readBody((*buf)[:0], http.MaxBytesReader(w, req.Body, limit), req.ContentLength, limit)
	*buf = body
	if err != nil {
		return kept{}, err
	}
	k, err := r.decode(ep, c, req.Header, body)
	if err != nil {
		return kept{}, err
	}
	return k, r.keep(req.Context(), ep, k)
}

// decode turns a panic of a decoder into 400: 5xx would bring the same message again.
func (r *Receiver) decode(ep endpoint, c *Config, h http.Header, body []byte) (k kept, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.m.panics.WithLabelValues(ep.name).Inc()
			r.log.Error("Message made its decoder panic", "endpoint", ep.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = refuse(http.StatusBadRequest, "the body cannot be decoded")
		}
	}()
	return ep.decode(c, h, body)
}

// keep makes a message durable and then delivers it. It does not end when the sender hangs up: what is
// durable must reach its sink.
func (r *Receiver) keep(ctx context.Context, ep endpoint, k kept) error {
	if k.payload == nil {
		return nil
	}
	r.barrier.RLock()
	defer r.barrier.RUnlock()
	ctx = context.WithoutCancel(ctx)
	actx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	if err := r.store.Append(actx, ep.kind, k.payload); err != nil {
		r.log.Warn("Message not kept, the sender is told to retry", "endpoint", ep.name, "err", err)
		return refuse(http.StatusServiceUnavailable, "the message cannot be made durable (%v), try again in %d s", err, retryAfter)
	}
	r.deliver(ctx, ep.name, k)
	return nil
}

// deliver calls the sink; false means that it panicked. The message stays in the log either way.
func (r *Receiver) deliver(ctx context.Context, name string, k kept) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			r.m.panics.WithLabelValues(name).Inc()
			r.log.Error("Message made its sink panic", "endpoint", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	k.deliver(ctx)
	return true
}

func (r *Receiver) fail(ep endpoint, w http.ResponseWriter, req *http.Request, err error) int {
	var e *Error
	if !errors.As(err, &e) {
		e = refuse(http.StatusBadRequest, "%v", err)
	}
	if e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	r.log.Debug("Message refused", "endpoint", ep.name, "code", e.Status, "err", e.Text)
	ep.fail(w, req.Header, e)
	return e.Status
}

func tooLarge(limit int64) *Error {
	return refuse(http.StatusRequestEntityTooLarge, "the body is larger than %s", ByteSize(limit))
}

// checkType accepts a content type with any parameters.
func checkType(accepted []string, header string) error {
	got, _, err := mime.ParseMediaType(header)
	if err == nil && slices.Contains(accepted, got) {
		return nil
	}
	if header == "" {
		header = "missing"
	}
	return refuse(http.StatusUnsupportedMediaType, "Content-Type is %.100s, must be %s", header, strings.Join(accepted, " or "))
}

// readBody reads a whole body into buf and gives the longer one; size is its declared length or -1.
func readBody(buf []byte, body io.Reader, size, limit int64) ([]byte, error) {
	// Not the whole declared length at once: 64 senders that promise 32 MiB and send nothing would cost 2 GiB.
	buf = slices.Grow(buf, int(min(max(size, 511)+1, 1<<20)))
	for {
		if len(buf) == cap(buf) {
			more := len(buf)
			if rest := int(size) + 1 - len(buf); rest > 0 {
				more = min(more, rest)
			}
			buf = slices.Grow(buf, more)
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		var big *http.MaxBytesError
		switch {
		case errors.Is(err, io.EOF):
			return buf, nil
		case errors.As(err, &big):
			return buf, tooLarge(limit)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return buf, refuse(http.StatusServiceUnavailable, "the body did not arrive within %s", readTimeout)
		case err != nil:
			return buf, refuse(http.StatusBadRequest, "the body ended early: %v", err)
		}
	}
}

// gate bounds the messages worked on and their bytes.
type gate struct {
	mu    sync.Mutex
	n     int
	bytes int64
}

func (g *gate) enter(c *Config, size int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n >= c.MaxInflight || g.n > 0 && g.bytes+size > int64(c.MaxInflightBytes) {
		return false
	}
	g.n++
	g.bytes += size
	return true
}

func (g *gate) leave(size int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
	g.bytes -= size
}
