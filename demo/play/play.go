// Package play tells the story of one fault on the demo's stack: history learned, the fault, a storm of
// alerts, one incident whose first page names the cause, a runbook approved, the recovery verified. It
// narrates while it goes, and returns what came of it.
package play

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemark/tidemark/demo/shop"
	"github.com/tidemark/tidemark/demo/stack"
)

// Options are what a play needs.
type Options struct {
	Fault shop.Fault
	Out   io.Writer // Takes the narration and the table at its end.
	// Root is the folder of the repository, with bin/ and examples/; Dir keeps all files, by default a
	// temporary folder that is removed.
	Root, Dir string
	History   time.Duration
	// Keep is called at the end, with everything still running; nil ends it at once.
	Keep func()
}

// Outcome is what came of a fault.
type Outcome struct {
	Learned   time.Duration // From the start of Tidemark until its history was learned.
	Series    int
	Alerts    int // Most that fired at once.
	Incidents int
	// Cause is what Tidemark stays with, PageCause what the first page named, each empty for no clear cause.
	Cause, PageCause string
	Confidence       float64
	CauseRight       bool
	PageRight        bool
	Wait             time.Duration // From the first alert to the first page; zero without a page.
	RSS              int64         // Bytes of tidemark at the end.
	Whole            time.Duration
}

// Run plays one fault. The error holds everything that was promised and did not come; the outcome is
// of use nevertheless.
func Run(ctx context.Context, o Options) (out Outcome, err error) {
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return out, err
	}
	tools, err := stack.Tools(ctx, o.Root)
	if err != nil {
		return out, err
	}
	opts := stack.Options{Root: o.Root, Bin: filepath.Join(o.Root, "bin"), Tools: tools, Dir: o.Dir, Keep: o.Dir != "", History: o.History}
	if !o.Fault.Static {
		// No alert fires: three anomalies with one cause are an incident here. By default none is, without an alert.
		opts.EditTidemark = func(c map[string]any) {
			correlate := c["correlate"].(map[string]any)
			correlate["anomaly_incidents"], correlate["anomaly_wait"] = 3, "30s"
		}
	}
	if o.Dir == "" {
		if opts.Dir, err = os.MkdirTemp("", "tidemark-demo-"); err != nil {
			return out, err
		}
	}
	s, err := stack.New(opts)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	p := &scenario{stack: s, fault: o.Fault, out: o.Out, began: s.Began}
	err = p.play(ctx)
	if ctx.Err() != nil {
		return out, errors.New("interrupted")
	}
	if err != nil {
		p.tails()
	}
	if !p.injected.IsZero() {
		err = errors.Join(err, p.report())
	}
	if o.Keep != nil {
		p.links()
		p.say("Everything keeps running. Ctrl-C ends it.")
		o.Keep()
	}
	return p.outcome(), err
}

// outcome sums up.
func (p *scenario) outcome() Outcome {
	o := Outcome{
		Learned: p.learned, Series: p.series, Alerts: p.alerts, Incidents: len(p.incidents),
		Cause: p.incident.Cause(), Confidence: p.incident.Confidence(), PageCause: p.pageCause(),
		RSS: p.rss, Whole: time.Since(p.began),
	}
	o.CauseRight, o.PageRight = p.fault.Accept(o.Cause), p.fault.Accept(o.PageCause)
	if !p.page.At.IsZero() && !p.first.IsZero() {
		o.Wait = p.page.At.Sub(p.first)
	}
	return o
}

// pageCause is what the first page named as the cause.
func (p *scenario) pageCause() string {
	if p.page.Payload == nil {
		return ""
	}
	cause, _ := p.page.Payload.CustomDetails["cause"].(string)
	return cause
}
