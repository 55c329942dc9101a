package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/internal/promread"
)

// promFlags are the flags of a command that reads Prometheus itself.
type promFlags struct{ url, config string }

// prometheusFlags adds the flags to a command. Credentials and TLS belong to the file.
func prometheusFlags(cmd *kingpin.CmdClause) *promFlags {
	p := &promFlags{}
	cmd.Flag("prometheus.url", "URL of Prometheus; goes before that of the configuration file.").StringVar(&p.url)
	cmd.Flag("config", "Configuration file of tidemark: how Prometheus is reached, what is watched, where the topology comes from.").StringVar(&p.config)
	return p
}

// given says whether any of the flags was set.
func (p *promFlags) given() bool { return p.url != "" || p.config != "" }

// load is the configuration that the flags name.
func (p *promFlags) load() (*config.Config, error) {
	if !p.given() {
		return nil, errors.New("give --prometheus.url, for example http://localhost:9090, or --config")
	}
	if p.config == "" {
		return config.ZeroConfig(p.url, nil)
	}
	cfg, err := config.LoadFile(p.config)
	if err != nil || p.url == "" {
		return cfg, err
	}
	zero, err := config.ZeroConfig(p.url, nil)
	if err != nil {
		return nil, err
	}
	cfg.Prometheus.URL = zero.Prometheus.URL
	return cfg, nil
}

// open makes the client. Somebody waits for the answer, so failed calls are repeated less often than
// the live process does.
func (p *promFlags) open(s streams) (*promread.Client, *config.Config, error) {
	cfg, err := p.load()
	if err != nil {
		return nil, nil, err
	}
	cfg.Prometheus.Retry.Attempts = min(cfg.Prometheus.Retry.Attempts, 2)
	logger := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := promread.New(cfg.Prometheus, logger, prometheus.NewRegistry())
	return c, cfg, err
}

// parseTime reads RFC 3339, Unix seconds, "now" or a time relative to now such as -6h.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "now" {
		return now.UTC().Truncate(time.Millisecond), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC().Truncate(time.Millisecond), nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < 1e11 {
		return time.UnixMilli(int64(f * 1000)).UTC(), nil
	}
	if ago, ok := strings.CutPrefix(s, "-"); ok {
		if d, err := model.ParseDuration(ago); err == nil {
			return now.Add(-time.Duration(d)).UTC().Truncate(time.Millisecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: want RFC 3339 (2026-11-22T09:00:00Z), Unix seconds, now, or a time before now such as -6h", flag, s)
}

// joinTimes writes "--from -6h" as "--from=-6h": the parser takes -6 for a flag.
func joinTimes(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		next := i + 1
		if isTime := args[i] == "--from" || args[i] == "--to" || args[i] == "--time"; isTime && next < len(args) && len(args[next]) > 1 && args[next][0] == '-' && args[next][1] >= '0' && args[next][1] <= '9' {
			out = append(out, args[i]+"="+args[next])
			i = next
			continue
		}
		out = append(out, args[i])
	}
	return out
}
