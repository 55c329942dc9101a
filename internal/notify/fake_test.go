package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"
	commoncfg "github.com/prometheus/common/config"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tidemark/tidemark/internal/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network connects clients and servers in memory, so that a test may run on a fake clock.
type network struct{ hosts sync.Map }

func (n *network) options() []commoncfg.HTTPClientOption {
	return []commoncfg.HTTPClientOption{commoncfg.WithDialContextFunc(func(ctx context.Context, _, addr string) (net.Conn, error) {
		h, ok := n.hosts.Load(addr)
		if !ok {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused{}}
		}
		here, there := net.Pipe()
		select {
		case h.(*pipeListener).conns <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})}
}

type errRefused struct{}

func (errRefused) Error() string { return "connection refused" }

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// alertmanager is a peer that holds what it gets to the models of the real one.
type alertmanager struct {
	t      *testing.T
	mu     sync.Mutex
	posts  []post
	status int    // answered instead of taking alerts
	only   string // status is for alerts of this name
	list   string // answer of GET
	query  string
}

type post struct {
	at     time.Time
	alerts models.PostableAlerts
}

func (n *network) serve(t *testing.T, addr string) *alertmanager {
	a := &alertmanager{t: t, list: "[]"}
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: a}
	done := make(chan struct{})
	go func() { _ = srv.Serve(l); close(done) }()
	n.hosts.Store(addr, l)
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return a
}

func (a *alertmanager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if id, ok := strings.CutPrefix(r.URL.Path, "/api/v2/silence/"); ok && a.status == 0 {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":%q,"createdBy":"ann","comment":"backup runs"}`, id)
		return
	}
	if r.URL.Path != "/api/v2/alerts" {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodGet {
		a.query = r.URL.RawQuery
		if a.status != 0 {
			w.WriteHeader(a.status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(a.list))
		return
	}
	var alerts models.PostableAlerts
	if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
		a.t.Errorf("alerts that Alertmanager cannot read: %v", err)
	}
	if err := alerts.Validate(nil); err != nil {
		a.t.Errorf("alerts that Alertmanager refuses: %v", err)
	}
	if a.status != 0 && (a.only == "" || a.only == alerts[0].Labels["alertname"]) {
		w.WriteHeader(a.status)
		return
	}
	a.posts = append(a.posts, post{time.Now(), alerts})
}

func (a *alertmanager) answer(status int, only string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status, a.only = status, only
}

// sent gives one line for each alert of a name, heartbeats apart: seconds since start, cause, revision, and
// seconds from the post to its end.
func (a *alertmanager) sent(name string, start time.Time) []sent {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []sent
	for _, p := range a.posts {
		for _, al := range p.alerts {
			if al.Labels["alertname"] == name {
				out = append(out, sent{
					at: p.at.Sub(start), cause: al.Annotations["cause"], revision: al.Labels["revision"],
					left: time.Time(al.EndsAt).Sub(p.at),
				})
			}
		}
	}
	return out
}

type sent struct {
	at              time.Duration
	cause, revision string
	left            time.Duration
}

func (a *alertmanager) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.posts = nil
}

func config(t *testing.T, url string) notify.Config {
	t.Helper()
	c := notify.DefaultConfig()
	c.URL = url
	require.NoError(t, c.Validate())
	return c
}
