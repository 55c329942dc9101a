// Command tidemark is the sidecar: it learns what is normal from a Prometheus' history, scores what
// arrives, turns alert storms into incidents with a cause, and hands them back to Alertmanager.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	_ "time/tzdata" // Time zones of the configuration, where the machine has no list of its own.

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"github.com/tidemark/tidemark/internal/admit"
	"github.com/tidemark/tidemark/internal/app"
	"github.com/tidemark/tidemark/internal/progress"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run parses args, runs Tidemark until a signal and returns the exit code: 0 after a clean stop,
// 1 when it could not start or failed.
func run(args []string) int {
	opts, logger, err := parse(args)
	if errors.Is(err, errTold) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "tidemark: error: %v, try --help\n", err)
		return 1
	}
	logger.Info("Starting tidemark", "version", version.Info())
	logger.Info("Build context", "build", version.BuildContext())

	a, err := app.New(opts)
	if err != nil {
		logger.Error("Starting failed", "err", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go func() {
		for range hup {
			if err := a.Reload(); err != nil {
				logger.Error("Reloading failed, the running configuration stays", "err", err)
			}
		}
	}()
	if err := a.Run(ctx); err != nil {
		logger.Error("Stopped by a failure", "err", err)
		return 1
	}
	logger.Info("Stopped")
	return 0
}

// errTold is returned when what was asked for was the manual.
var errTold = errors.New("the manual was written")

// parse reads the command line into the options of the application and its logger.
func parse(args []string) (app.Options, *slog.Logger, error) {
	var opts app.Options
	var retention string
	cli := kingpin.New("tidemark", "Learns what is normal from your Prometheus, finds what is not, and names the cause of an alert storm on its first page.")
	cli.Version(version.Print("tidemark"))
	cli.HelpFlag.Short('h')
	cli.UsageWriter(os.Stdout)
	book.Teach(cli)
	cli.Flag("config.file", "Configuration file. Not needed when --prometheus.url is given.").StringVar(&opts.ConfigFile)
	cli.Flag("config.auto-reload-interval", "How often to look whether the configuration file changed, and reload it if so; 0s turns it off.").Default("30s").DurationVar(&opts.AutoReload)
	cli.Flag("prometheus.url", "Prometheus to read, for a start without a configuration file.").StringVar(&opts.PrometheusURL)
	cli.Flag("alertmanager.url", "Alertmanager to hand incidents to, for a start without a configuration file (repeatable).").StringsVar(&opts.AlertmanagerURLs)
	var shard struct {
		index string
		count int
	}
	cli.Flag("shard.index", "Which shard this is, from 0; auto takes the ordinal of POD_NAME or of the host's name, as in a StatefulSet. Alerts go to shard 0, which posts the incidents.").Default("0").StringVar(&shard.index)
	cli.Flag("shard.count", "How many shards share the series by a hash of their labels.").Default("1").IntVar(&shard.count)
	cli.Flag("shard.peers", "Address of another shard, such as http://tidemark-1.tidemark:9099, whose anomalies shard 0 takes into its incidents (repeatable).").StringsVar(&opts.ShardPeers)
	memory := memoryFlags(cli)
	cli.Flag("storage.path", "Folder for everything that must survive a restart.").Default("data/").StringVar(&opts.StoragePath)
	cli.Flag("data.retention", "How long to keep ended incidents.").Default("400d").StringVar(&retention)
	opts.Web = kingpinflag.AddFlags(cli, ":9099")
	cli.Flag("web.external-url", "URL under which Tidemark is reachable from outside; links in incidents start with it.").URLVar(&opts.ExternalURL)
	cli.Flag("web.route-prefix", "Prefix of all pages and endpoints (default: the path of --web.external-url).").StringVar(&opts.RoutePrefix)
	cli.Flag("web.enable-lifecycle", "Serve POST /-/reload and POST /-/quit.").BoolVar(&opts.EnableLifecycle)
	cli.Flag("web.enable-remote-write-receiver", "Take samples at POST /api/v1/write: watches that need the samples of one selector only are scored from them instead of by reading.").BoolVar(&opts.RemoteWriteReceiver)
	cli.Flag("web.max-connections", "How many connections may be open at once.").Default("512").IntVar(&opts.MaxConnections)
	cli.Flag("web.read-timeout", "How long a request may take to arrive.").Default("1m").DurationVar(&opts.ReadTimeout)
	logConfig := promslog.Config{}
	promslogflag.AddFlags(cli, &logConfig)
	if slices.Contains(args, "--help-man") {
		return opts, nil, cmp.Or(book.Man(cli, version.Version), errTold)
	}
	if _, err := cli.Parse(args); err != nil {
		return opts, nil, err
	}
	host, _ := os.Hostname()
	var err error
	if opts.Shard, err = admit.ParseShard(shard.index, shard.count, os.Getenv("POD_NAME"), host); err != nil {
		return opts, nil, err
	}
	for _, peer := range opts.ShardPeers {
		if u, err := url.Parse(peer); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return opts, nil, fmt.Errorf("--shard.peers: %q is no http or https address such as http://tidemark-1.tidemark:9099", peer)
		}
	}
	keep, err := model.ParseDuration(retention)
	if err != nil {
		return opts, nil, fmt.Errorf("--data.retention: %w", err)
	}
	if opts.ExternalURL == nil {
		opts.ExternalURL = &url.URL{}
	}
	opts.Retention = keep
	logConfig.Writer = clearLine{os.Stderr}
	opts.Terminal = os.Stderr
	opts.Logger = promslog.New(&logConfig)
	memory.apply(opts.Logger)
	return opts, opts.Logger, nil
}

// clearLine writes log lines; on a terminal each takes the place of the bar that is drawn there.
type clearLine struct{ w *os.File }

func (c clearLine) Write(p []byte) (int, error) {
	if progress.Terminal(c.w) {
		_, _ = c.w.WriteString("\r\x1b[K") // The bar comes again with its next step.
	}
	return c.w.Write(p)
}
