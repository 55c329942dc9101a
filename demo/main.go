// Command demo shows Tidemark's whole loop on real servers on loopback: history learned, a fault, a
// storm of alerts, one incident whose first page names the cause, a runbook approved, the recovery
// verified. It exits with 1 when something it promises does not happen.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark/tidemark/demo/shop"
	"github.com/tidemark/tidemark/demo/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout))
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// run plays one fault and returns the exit code.
func run(ctx context.Context, args []string, out io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(out)
	names := make([]string, len(shop.Faults))
	for i, f := range shop.Faults {
		names[i] = f.Name
	}
	name := flags.String("fault", names[0], "what goes wrong: "+strings.Join(names, ", "))
	keep := flags.Bool("keep", false, "leave everything running at the end, until Ctrl-C")
	days := flags.Int("history", 28, "days of history")
	files := flags.String("dir", "", "keep all files, logs included, in this folder (default: a temporary one)")
	root := flags.String("root", "..", "folder of the repository, with bin/ and examples/")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	fault, err := shop.FaultByName(*name)
	if err != nil {
		fmt.Fprintln(out, err)
		return exitUsage
	}
	if err := play(ctx, out, fault, *root, *files, *days, *keep); err != nil {
		fmt.Fprintln(out, "\nFAILED:", err)
		return exitFailure
	}
	return exitOK
}

// play builds the stack, plays the fault, prints the report and cleans up.
func play(ctx context.Context, out io.Writer, fault shop.Fault, root, dir string, days int, keep bool) (err error) {
	root, err = filepath.Abs(root)
	if err != nil {
		return err
	}
	tools, err := stack.Tools(ctx, root)
	if err != nil {
		return err
	}
	opts := stack.Options{Root: root, Bin: filepath.Join(root, "bin"), Tools: tools, Dir: dir, Keep: dir != "", History: time.Duration(days) * 24 * time.Hour}
	if !fault.Static {
		// No alert fires: three anomalies with one cause are an incident here. By default none is, without an alert.
		opts.EditTidemark = func(c map[string]any) {
			correlate := c["correlate"].(map[string]any)
			correlate["anomaly_incidents"], correlate["anomaly_wait"] = 3, "30s"
		}
	}
	if dir == "" {
		if opts.Dir, err = os.MkdirTemp("", "tidemark-demo-"); err != nil {
			return err
		}
	}
	s, err := stack.New(opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	p := &scenario{stack: s, fault: fault, out: out, began: s.Began}
	err = p.play(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		p.tails()
	}
	var failed error
	if !p.injected.IsZero() {
		failed = p.report()
	}
	if keep {
		p.links()
		p.say("Everything keeps running. Ctrl-C ends it.")
		<-ctx.Done()
	}
	return errors.Join(err, failed)
}
