// Command demo shows Tidemark's whole loop on real servers on loopback: history learned, a fault, a
// storm of alerts, one incident whose first page names the cause, a runbook approved, the recovery
// verified. It exits with 1 when something it promises does not happen.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark/tidemark/demo/play"
	"github.com/tidemark/tidemark/demo/shop"
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
	o := play.Options{Fault: fault, Out: out, Root: *root, Dir: *files, History: time.Duration(*days) * 24 * time.Hour}
	if *keep {
		o.Keep = func() { <-ctx.Done() }
	}
	if _, err := play.Run(ctx, o); err != nil {
		fmt.Fprintln(out, "\nFAILED:", err)
		return exitFailure
	}
	return exitOK
}
