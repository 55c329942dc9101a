package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// server is the HTTP side: listeners, TLS and users as the exporter-toolkit has them, and a limit of
// open connections.
type server struct {
	logger    *slog.Logger
	flags     *web.FlagConfig
	http      *http.Server
	listeners []net.Listener
}

// newServer opens the listeners, so that the bound addresses are known before anything runs.
func newServer(opts Options, handler http.Handler, logger *slog.Logger) (*server, error) {
	s := &server{
		logger: logger,
		flags:  opts.Web,
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       opts.ReadTimeout,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
	}
	for _, addr := range *opts.Web.WebListenAddresses {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", addr, err), s.close())
		}
		s.listeners = append(s.listeners, limitConnections(l, opts.MaxConnections))
	}
	if len(s.listeners) == 0 {
		return nil, errors.New("--web.listen-address is empty: at least one address is needed")
	}
	return s, nil
}

// Addr is the first bound address.
func (s *server) Addr() string { return s.listeners[0].Addr().String() }

func (s *server) close() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends, then lets running requests finish for up to ten seconds.
func (s *server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- web.ServeMultiple(s.listeners, s.http, s.flags, s.logger) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := s.http.Shutdown(stop)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-failed
	return err
}

// limitConnections accepts at most n connections at once; further ones wait in the kernel's queue.
func limitConnections(l net.Listener, n int) net.Listener {
	if n <= 0 {
		return l
	}
	return &limitedListener{Listener: l, slots: make(chan struct{}, n), done: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}

// routePrefix is the prefix of every page: the flag's, else the path of the external URL; it starts
// with a slash and does not end with one, or is empty.
func routePrefix(opts Options) string {
	prefix := opts.RoutePrefix
	if prefix == "" && opts.ExternalURL != nil {
		prefix = opts.ExternalURL.Path
	}
	prefix = "/" + strings.Trim(prefix, "/")
	if prefix == "/" {
		return ""
	}
	return path.Clean(prefix)
}

// withPrefix serves h below prefix and sends the bare root there.
func withPrefix(prefix string, h http.Handler) http.Handler {
	if prefix == "" {
		return h
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, h))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, prefix+"/", http.StatusFound)
	})
	return mux
}
