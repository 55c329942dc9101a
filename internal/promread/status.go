package promread

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxErrorBody is how much of an error page is read, maxErrorShown how much of it is shown.
const (
	maxErrorBody  = 4 << 10
	maxErrorShown = 200
)

// checkStatus returns nil for a 2xx answer that is not a web page, else a fault.
func checkStatus(resp *http.Response) error {
	if resp.StatusCode/100 == 2 {
		return checkPage(resp)
	}
	said := errorBody(resp)
	f := &fault{msg: "the answer is " + resp.Status}
	if said != "" {
		f.msg += ` ("` + said + `")`
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		f.reason = Unauthorized
		f.hint = "set prometheus.http_config (basic_auth, authorization or tls_config) to what the server asks for"
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		f.reason = NotFound
	case code/100 == 3:
		f.reason = NotPrometheus
		f.hint = "set prometheus.url to the address that it redirects to: " + resp.Header.Get("Location")
	case code == http.StatusTooManyRequests || code/100 == 5:
		f.reason = Overloaded
		f.err = retryAfter(resp.Header)
	default:
		f.reason = Refused
	}
	return f
}

// checkPage tells a web page from an answer; a login page or the wrong port is the most common
// mistake in an address.
func checkPage(resp *http.Response) error {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	msg := "the answer is an HTML page"
	if t := title.FindSubmatch(head); t != nil {
		msg += ` with the title "` + clean(t[1]) + `"`
	}
	return &fault{
		reason: NotPrometheus, msg: msg,
		hint: "set prometheus.url to Prometheus itself, not to a page in front of it (a login, Grafana, another port)",
	}
}

var (
	title = regexp.MustCompile(`(?is)<title[^>]*>(.{0,100}?)</title>`)
	tags  = regexp.MustCompile(`(?s)<[^>]*>`)
)

// errorBody is the beginning of what an error answer says, in one line.
func errorBody(resp *http.Response) string {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var e envelope
	if json.Unmarshal(b, &e) == nil && e.Error != "" {
		return clean([]byte(e.ErrorType + ": " + e.Error))
	}
	return clean(tags.ReplaceAll(b, []byte(" ")))
}

// clean makes one printable line of what a server sent.
func clean(b []byte) string {
	b = bytes.ToValidUTF8(b, []byte("?"))
	s := strings.Join(strings.Fields(string(b)), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' {
			return -1
		}
		return r
	}, s)
	if len(s) > maxErrorShown {
		s = strings.ToValidUTF8(s[:maxErrorShown], "") + "…"
	}
	return s
}

// bare is a network error without the method and address that net/http puts in front.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
