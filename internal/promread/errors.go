package promread

import (
	"errors"
	"fmt"
	"time"
)

// Reason is the class of a failed call; callers act on it.
type Reason string

// The reasons a call fails.
const (
	Unreachable   Reason = "unreachable"    // no connection, reset, timeout
	Unauthorized  Reason = "unauthorized"   // 401 or 403
	NotFound      Reason = "not_found"      // 404 or 405: no such API behind this address
	NotPrometheus Reason = "not_prometheus" // an HTML page, or another content type
	Refused       Reason = "refused"        // another 4xx: the request itself is wrong
	Overloaded    Reason = "overloaded"     // 429 or 5xx
	Corrupt       Reason = "corrupt"        // checksum, encoding or framing is wrong
	Truncated     Reason = "truncated"      // the answer ended early
	TooLarge      Reason = "too_large"      // a frame, body or query over its limit
	Paused        Reason = "paused"         // not called: too many failures in a row
)

// Error is a failed call to Prometheus: what was asked, where, what came back and what would be
// right. URL carries no password.
type Error struct {
	Reason Reason
	Op     string // What was asked, for example "remote read".
	URL    string
	Status int    // HTTP status, 0 when none came.
	Msg    string // What came back.
	Hint   string // What would be right; may be empty.
	Err    error  // The cause, or nil.

	retryAfter time.Duration // From the header Retry-After.
}

// Error reads: op url: what came back: cause; hint.
func (e *Error) Error() string {
	s := e.Op
	if e.URL != "" {
		s += " " + e.URL
	}
	s += ": " + e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable says whether the same call may succeed later.
func (e *Error) Retryable() bool {
	switch e.Reason {
	case Unreachable, Overloaded, Corrupt, Truncated:
		return true
	}
	return false
}

// ReasonOf returns why a call failed, or "" when err is not a failed call (for example the
// caller's own context or function).
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// fault is an Error without its place yet: what the decoders return.
type fault struct {
	reason    Reason
	msg, hint string
	err       error
}

func (f *fault) Error() string {
	if f.err != nil {
		return f.msg + ": " + f.err.Error()
	}
	return f.msg
}

func (f *fault) Unwrap() error { return f.err }

func faultf(r Reason, format string, args ...any) *fault {
	return &fault{reason: r, msg: fmt.Sprintf(format, args...)}
}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// callerError carries an error of the function that a read hands its series to. It has no
// Unwrap, so that it is never taken for a failed call of our own and repeated.
type callerError struct{ err error }

func (e callerError) Error() string { return e.err.Error() }
