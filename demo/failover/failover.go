// Package failover is a runbook as an endpoint: it verifies who calls (Standard Webhooks), does the
// fail-over once for each idempotency key, and remembers every call.
package failover

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	webhook "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Call is one request to the endpoint.
type Call struct {
	At     time.Time
	Key    string // Header webhook-id: the same for every retry of one action.
	Status int
	Body   map[string]any
}

// Endpoint is the running runbook. Safe for concurrent use.
type Endpoint struct {
	server   *http.Server
	addr     string
	done     chan struct{}
	secret   string
	verifier *webhook.Webhook
	act      func()

	mu      sync.Mutex
	calls   []Call
	effects map[string]bool // By key.
}

// New listens on a free loopback port; act is the effect.
func New(act func()) (*Endpoint, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	secret := "whsec_" + base64.StdEncoding.EncodeToString(raw)
	verifier, err := webhook.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		addr: l.Addr().String(), done: make(chan struct{}), secret: secret, verifier: verifier,
		act: act, effects: map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /failover", e.serve)
	e.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(e.done)
		_ = e.server.Serve(l)
	}()
	return e, nil
}

// URL is what a runbook's url is set to.
func (e *Endpoint) URL() string { return "http://" + e.addr + "/failover" }

// Secret is the shared signing secret, whsec_ and base64.
func (e *Endpoint) Secret() string { return e.secret }

// Calls are all requests so far, refused ones included.
func (e *Endpoint) Calls() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// Effects is how many times the fail-over was done: once for each key.
func (e *Endpoint) Effects() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.effects)
}

// Close stops the endpoint.
func (e *Endpoint) Close() error {
	err := e.server.Close()
	<-e.done
	return err
}

// maxBody is far above what a runbook call carries.
const maxBody = 1 << 20

func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request) {
	call := Call{At: time.Now(), Key: r.Header.Get("webhook-id"), Status: http.StatusOK}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case err != nil:
		call.Status = http.StatusRequestEntityTooLarge
	case e.verifier.Verify(body, r.Header) != nil:
		call.Status = http.StatusUnauthorized
	case json.Unmarshal(body, &call.Body) != nil:
		call.Status = http.StatusBadRequest
	}
	e.record(call)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(call.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": http.StatusText(call.Status)})
}

// record keeps the call and acts when its key is new.
func (e *Endpoint) record(call Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, call)
	if call.Status == http.StatusOK && !e.effects[call.Key] {
		e.effects[call.Key] = true
		e.act()
	}
}
