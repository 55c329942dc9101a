// Command serve runs Tidemark's real pages on made-up incidents, so that a browser can look at them
// without a Prometheus: once at the root and once behind a route prefix, and besides as they are right after
// the start and on a calm day. It prints what a test needs to know as one line of JSON and serves until it is
// killed or its standard input ends.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/tidemark/tidemark/internal/access"
	"github.com/tidemark/tidemark/internal/web"
)

// prefix is where the pages are served a second time, fresh those of a new Tidemark, calm those without text
// that means harm.
const (
	prefix = "/ops/tidemark"
	fresh  = "/fresh"
	calm   = "/calm"
)

// token may approve; it guards nothing but made-up incidents.
const token = "night-shift-token"

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	addr := flag.String("listen", "127.0.0.1:0", "Address to serve at.")
	at := flag.String("now", "", "Time that it is for the made-up incidents, RFC 3339; empty is the real one. Pictures with a fixed time change only when a page does.")
	flag.Parse()
	clock := time.Now
	if *at != "" {
		fixed, err := time.Parse(time.RFC3339, *at)
		if err != nil {
			return fmt.Errorf("-now: %w", err)
		}
		clock = func() time.Time { return fixed.UTC() }
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	base := "http://" + l.Addr().String()
	now := clock().UTC().Truncate(time.Second)
	full := newWorld(now)
	handler, err := pages(clock, map[string]*world{"": full, prefix: full, fresh: freshWorld(now), calm: calmWorld(now)}, base)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.HandleFunc("POST /made-up/{what}", func(w http.ResponseWriter, r *http.Request) {
		full.goOn(r.PathValue("what") == "end")
		w.WriteHeader(http.StatusNoContent)
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	if err := json.NewEncoder(out).Encode(map[string]any{
		"url": base, "prefix": prefix, "fresh": fresh, "calm": calm, "token": token,
		"incidents": map[string]string{"usual": usualID, "hostile": hostileID, "storm": stormID, "vague": vagueID, "resolved": resolvedID, "open": openID},
	}); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in)
		close(ended)
	}()
	select {
	case err := <-failed:
		return err
	case <-ended:
		return srv.Close()
	}
}

// pages are the real pages over worlds, each below its prefix.
func pages(clock func() time.Time, worlds map[string]*world, base string) (http.Handler, error) {
	table, err := access.New([]access.Rule{{Name: "night shift", Token: token, Role: access.Approve}}, nil)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for p, w := range worlds {
		ui, err := web.New(web.Options{
			Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Data: w, Access: func() *access.Table { return table },
			ExternalURL: base + p, Prefix: p, Now: clock,
		})
		if err != nil {
			return nil, err
		}
		below := http.NewServeMux()
		ui.Register(below)
		mux.Handle(p+"/", http.StripPrefix(p, below))
	}
	return mux, nil
}
