package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
)

// maxAnswer bounds what is read of an answer: 100 000 alerts of 1 KiB, and no more of a broken peer.
const maxAnswer = 128 << 20

// wireAlert is postableAlert of Alertmanager's API v2 (api/v2/openapi.yaml). The type of api/v2/models has
// the same JSON; it is used in the tests to prove that, and not here because it brings 20 modules.
type wireAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// gettable is gettableAlert of the same API.
type gettable struct {
	wireAlert
	Fingerprint string    `json:"fingerprint"`
	UpdatedAt   time.Time `json:"updatedAt"`
	Status      struct {
		State      string   `json:"state"`
		SilencedBy []string `json:"silencedBy"`
	} `json:"status"`
}

// client speaks with one Alertmanager.
type client struct {
	host    string // for logs and metrics, without credentials
	base    string
	query   string // of active
	http    *http.Client
	timeout time.Duration
}

func newClient(c Config, opts []commoncfg.HTTPClientOption) (*client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	hc, err := commoncfg.NewClientFromConfig(c.HTTPConfig, "alertmanager", opts...)
	if err != nil {
		return nil, fmt.Errorf("http client of alertmanager %s: %w", c.URL, err)
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	return &client{host: u.Host, base: strings.TrimRight(c.URL, "/") + "/api/v2/alerts", http: hc, timeout: time.Duration(c.Timeout)}, nil
}

// post sends alerts; nil means that the peer has them.
func (c *client) post(ctx context.Context, alerts []wireAlert) error {
	body, err := json.Marshal(alerts)
	if err != nil {
		return fmt.Errorf("encode alerts: %w", err)
	}
	_, err = c.do(ctx, http.MethodPost, c.base, body)
	return err
}

// active reads the alerts that have not ended, silenced and inhibited ones included.
func (c *client) active(ctx context.Context) ([]gettable, error) {
	b, err := c.do(ctx, http.MethodGet, c.base+c.query, nil)
	if err != nil {
		return nil, err
	}
	var alerts []gettable
	if err := json.Unmarshal(b, &alerts); err != nil {
		return nil, &peerError{host: c.host, text: fmt.Sprintf("its answer is not a list of alerts: %v", err), hint: wrongURL}
	}
	return alerts, nil
}

// silence reads who made a silence, and why.
func (c *client) silence(ctx context.Context, id string) (by, comment string, err error) {
	b, err := c.do(ctx, http.MethodGet, strings.TrimSuffix(c.base, "/alerts")+"/silence/"+url.PathEscape(id), nil)
	if err != nil {
		return "", "", err
	}
	var s struct {
		CreatedBy string `json:"createdBy"`
		Comment   string `json:"comment"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return "", "", &peerError{host: c.host, text: fmt.Sprintf("its answer is not a silence: %v", err), hint: wrongURL}
	}
	return s.CreatedBy, s.Comment, nil
}

func (c *client) do(ctx context.Context, method, target string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Tidemark")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &peerError{host: c.host, text: "cannot be reached", err: plain(err)}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &peerError{host: c.host, text: "its answer ended early", err: err}
	case len(b) > maxAnswer:
		return nil, &peerError{host: c.host, text: fmt.Sprintf("its answer is larger than %d bytes", maxAnswer)}
	}
	return b, c.judge(res, b)
}

// plain removes the URL from an error of net/http: it is said once already.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

const wrongURL = "is url the address of an Alertmanager, without /api/v2, as in http://alertmanager:9093?"

// judge says what an answer means.
func (c *client) judge(res *http.Response, body []byte) error {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	e := &peerError{host: c.host, status: res.StatusCode}
	switch {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		e.text, e.hint = res.Status, "check basic_auth, authorization or tls_config under http_config"
	case kind == "text/html":
		e.text, e.hint = fmt.Sprintf("answered %s with an HTML page", res.Status), wrongURL
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed:
		e.text, e.hint = res.Status, wrongURL
	case res.StatusCode/100 != 2:
		e.text = fmt.Sprintf("%s: %.300s", res.Status, strings.TrimSpace(string(body)))
	case res.Request.Method == http.MethodGet && kind != "application/json":
		e.text, e.hint = fmt.Sprintf("answered with Content-Type %.60q, not JSON", kind), wrongURL
	default:
		return nil
	}
	return e
}

// peerError is what went wrong with one Alertmanager, with a hint when there is one.
type peerError struct {
	host, text, hint string
	status           int
	err              error
}

func (e *peerError) Error() string {
	s := "alertmanager " + e.host + ": " + e.text
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	if e.hint != "" {
		s += " (" + e.hint + ")"
	}
	return s
}

func (e *peerError) Unwrap() error { return e.err }

// final says that the same request would be refused again.
func (e *peerError) final() bool {
	return e.status/100 == 4 && e.status != http.StatusTooManyRequests && e.status != http.StatusRequestTimeout
}
