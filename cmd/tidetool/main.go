// Command tidetool is Tidemark's offline tool, in the manner of promtool and amtool: it checks
// configuration, backtests baselines, correlates recorded alerts, ranks causes of recorded cases,
// and works with the incidents and runbooks of a running tidemark.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	_ "time/tzdata" // Time zones of the configuration, where the machine has no list of its own.

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

// Exit codes, as promtool has them.
const (
	exitOK      = 0
	exitFailure = 1
	exitFinding = 3
)

// errFinding is returned by a command that worked and found something the caller should act on
// (a rule with a problem, evidence that no longer holds): exit code 3, as promtool's lint.
var errFinding = errors.New("findings")

// streams are the standard streams of a run, passed in so that a test can call the whole program.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// runFunc executes one parsed command.
type runFunc func(ctx context.Context, s streams) error

// commands is every command of tidetool: one row and one file each. The function adds the
// command's clauses to the application and returns what each full command name runs.
var commands = []func(app *kingpin.Application) map[string]runFunc{
	backtestCommand,
	rcaCommand,
	logsCommand,
	incidentCommand,
	runbookCommand,
	auditCommand,
	correlateCommand,
	topologyCommand,
	checkCommand,
	verifyCommand,
	replayCommand,
	explainCommand,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// application is the command line with all its commands, and what each of them runs.
func application(s streams, terminate func(code int)) (*kingpin.Application, map[string]runFunc) {
	app := kingpin.New("tidetool", "Offline tooling for Tidemark.")
	app.Version(version.Print("tidetool"))
	app.HelpFlag.Short('h')
	app.UsageWriter(s.out)
	app.ErrorWriter(s.err)
	app.Terminate(terminate)
	book.Teach(app)
	table := map[string]runFunc{}
	for _, add := range commands {
		for name, fn := range add(app) {
			table[name] = fn
		}
	}
	return app, table
}

// run parses args, executes the command they name and returns the exit code.
func run(ctx context.Context, args []string, s streams) (code int) {
	// The parser believes that its end ends the process, and would write on after what was asked for.
	type ended struct{ code int }
	defer func() {
		switch r := recover().(type) {
		case nil:
		case ended:
			code = r.code
		default:
			panic(r)
		}
	}()
	app, table := application(s, func(code int) { panic(ended{code}) })
	if slices.Contains(args, "--help-man") {
		if err := book.Man(app, version.Version); err != nil {
			fmt.Fprintf(s.err, "tidetool: error: %v\n", err)
			return exitFailure
		}
		return exitOK
	}
	name, err := app.Parse(joinTimes(args))
	if err != nil {
		fmt.Fprintf(s.err, "tidetool: error: %v, try --help\n", err)
		return exitFailure
	}
	err = table[name](ctx, s)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFinding):
		return exitFinding
	default:
		fmt.Fprintf(s.err, "tidetool: error: %v\n", err)
		return exitFailure
	}
}
