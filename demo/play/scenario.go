package play

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/demo/pager"
	"github.com/tidemark/tidemark/demo/shop"
	"github.com/tidemark/tidemark/demo/stack"
)

// Patience of each step; the whole demo stays under six minutes when none is used up.
const (
	startPatience   = 60 * time.Second
	learnPatience   = 150 * time.Second
	settle          = 75 * time.Second // The windows of the rules and baselines hold live samples only.
	stormPatience   = 150 * time.Second
	pagePatience    = 60 * time.Second
	causePatience   = 60 * time.Second
	actionPatience  = 60 * time.Second
	resolvePatience = 200 * time.Second
	// stormOver is how long no further alert comes when a storm is over.
	stormOver = 20 * time.Second
	// maxNamed is how many anomalies are named.
	maxNamed = 3
	// storm is how many alerts the default fault must raise.
	storm = 50
)

// scenario plays one fault and remembers what came of it.
type scenario struct {
	stack *stack.Stack
	fault shop.Fault
	out   io.Writer
	began time.Time

	quiet     bool // No alert fired before the fault.
	learned   time.Duration
	series    int
	rss       int64
	injected  time.Time
	alerts    int
	first     time.Time // First alert.
	incidents []stack.Incident
	incident  stack.Incident
	page      pager.Event
	anomalies []string
	resolved  bool
}

// say prints a line of the story with the time since the start.
func (p *scenario) say(format string, args ...any) {
	took := time.Since(p.began).Round(time.Second)
	fmt.Fprintf(p.out, "%02d:%02d  %s\n", int(took.Minutes()), int(took.Seconds())%60, fmt.Sprintf(format, args...))
}

// detail prints a line that belongs to the one before.
func (p *scenario) detail(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Fprintf(p.out, "         %s\n", strings.TrimRight(line, "\n"))
	}
}

// until waits for a condition with a patience of its own.
func until(ctx context.Context, patience time.Duration, what string, cond func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	return stack.Until(ctx, what, cond)
}

// play takes the steps in order. Up to the fault each needs the one before; after it, what failed
// is kept and the rest still looked at.
func (p *scenario) play(ctx context.Context) error {
	for _, step := range []func(context.Context) error{p.start, p.learn, p.calm, p.inject} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	isDefault := p.fault.Name == shop.Faults[0].Name
	var errs []error
	for _, step := range []struct {
		when bool
		do   func(context.Context) error
	}{
		{p.fault.Static, p.storm},
		{p.fault.Static, p.firstPage},
		{p.fault.Static, p.cause},
		{!p.fault.Static, p.contextual},
		{isDefault, p.act},
		{!isDefault, p.heal},
		{p.fault.Static, p.recovered},
	} {
		if step.when && ctx.Err() == nil {
			if err := step.do(ctx); err != nil {
				p.say("FAILED: %v", err)
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (p *scenario) start(ctx context.Context) error {
	s := p.stack
	p.say("The shop is open: 1 load balancer, 12 web servers, 3 APIs, cart, payment, a primary database and its replica.")
	p.detail("In the shop it is %s.", shop.RhythmAt(s.Began).Local(s.Began).Format("Monday, 15:04"))
	stats, err := s.WriteHistory(ctx)
	if err != nil {
		return err
	}
	p.say("Its past is in Prometheus' storage: %d series, %.1f million samples, %d blocks, %d MB, written in %s.",
		stats.Series, float64(stats.Samples)/1e6, stats.Blocks, stats.Bytes>>20, stats.Took.Round(100*time.Millisecond))
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("not within %s", startPatience))
	defer cancel()
	if err := errors.Join(s.Alertmanager.Start(), s.Prometheus.Start(), s.Resume(ctx)); err != nil {
		return err
	}
	if err := errors.Join(s.Prometheus.WaitReady(ctx), s.Alertmanager.WaitReady(ctx)); err != nil {
		return err
	}
	p.say("Prometheus and Alertmanager are ready.")
	p.detail("Prometheus    %s\nAlertmanager  %s", s.Prometheus.URL, s.Alertmanager.URL)
	return nil
}

func (p *scenario) learn(ctx context.Context) error {
	t := p.stack.Tidemark
	began := time.Now()
	if err := t.Start(); err != nil {
		return err
	}
	p.say("Tidemark starts and reads the past.")
	ctx, cancel := context.WithTimeoutCause(ctx, learnPatience, fmt.Errorf("not within %s", learnPatience))
	defer cancel()
	if err := t.WaitReady(ctx); err != nil {
		return err
	}
	p.learned = time.Since(began)
	st, err := t.Status(ctx)
	if err != nil {
		return err
	}
	p.series = st.Series
	p.say("Tidemark has learned %d series of %d watches in %s.", st.Series, len(st.Watches), p.learned.Round(100*time.Millisecond))
	p.detail("Pages         %s", t.URL)
	return nil
}

// calm waits until the rules and baselines look at live samples only, and sees that nothing fires.
func (p *scenario) calm(ctx context.Context) error {
	p.quiet = true
	ends := p.began.Add(settle)
	if t := time.Now().Add(settle / 3); t.After(ends) {
		ends = t
	}
	err := until(ctx, 2*settle, "the shop has been calm for a while", func(ctx context.Context) (bool, error) {
		firing, err := p.stack.Prometheus.FiringAlerts(ctx)
		if err != nil {
			return false, err
		}
		if len(firing) > 0 && p.quiet {
			p.quiet = false
			p.say("An alert fires although nothing is wrong: %v.", firing[0].Labels)
		}
		return time.Now().After(ends), nil
	})
	if err != nil {
		return err
	}
	incidents, err := p.stack.Tidemark.Incidents(ctx)
	if err != nil {
		return err
	}
	for _, i := range incidents {
		p.quiet = false
		p.say("There is an incident although nothing is wrong: %s", i.Summary)
	}
	if p.quiet {
		p.say("All is calm: no alert, no incident.")
	}
	return nil
}

func (p *scenario) inject(context.Context) error {
	if err := p.stack.Shop.Inject(p.fault); err != nil {
		return err
	}
	p.injected = time.Now()
	p.say("FAULT: %s.", p.fault.Title)
	return nil
}

// firing counts the firing alerts of the shop and keeps when the first one came.
func (p *scenario) firing(ctx context.Context) (int, error) {
	all, err := p.stack.Prometheus.FiringAlerts(ctx)
	if len(all) > 0 && p.first.IsZero() {
		p.first = time.Now()
		p.say("The first alert fires: %s on %s.", all[0].Labels["alertname"],
			cmp.Or(all[0].Labels["instance"], "?"))
	}
	p.alerts = max(p.alerts, len(all))
	return len(all), err
}

// storm waits for the alerts: the default fault must raise at least 50, the others some.
func (p *scenario) storm(ctx context.Context) error {
	want := 1
	if p.fault.Name == shop.Faults[0].Name {
		want = storm
	}
	most, since := 0, time.Now()
	err := until(ctx, stormPatience, fmt.Sprintf("%d alerts fire and no more come", want), func(ctx context.Context) (bool, error) {
		n, err := p.firing(ctx)
		p.paged()
		if n > most {
			most, since = n, time.Now()
		}
		return n >= want && time.Since(since) > stormOver, err
	})
	p.say("%d alerts fire, %s after the fault.", p.alerts, time.Since(p.injected).Round(time.Second))
	return err
}

// paged looks for the first page and tells of it once.
func (p *scenario) paged() bool {
	if p.page.Payload != nil {
		return true
	}
	for _, e := range p.stack.Pager.Events() {
		if e.EventAction == pager.Trigger {
			p.page = e
			p.say("The pager rings:")
			p.detail("%s", e.Payload.Summary)
			for _, k := range []string{"cause", "confidence", "affected", "evidence", "action"} {
				if v := e.Payload.CustomDetails[k]; v != nil && v != "" {
					p.detail("  %-10s  %s", k, strings.ReplaceAll(fmt.Sprint(v), "\n", "\n              "))
				}
			}
			return true
		}
	}
	return false
}

func (p *scenario) firstPage(ctx context.Context) error {
	return until(ctx, pagePatience, "the pager rings", func(context.Context) (bool, error) { return p.paged(), nil })
}

// cause waits for one incident, the diagnosis that Tidemark stays with.
func (p *scenario) cause(ctx context.Context) error {
	err := until(ctx, causePatience, "one incident names a cause", func(ctx context.Context) (bool, error) {
		if _, err := p.firing(ctx); err != nil {
			return false, err
		}
		return p.look(ctx)
	})
	i := p.incident
	if i.ID == "" {
		return err
	}
	p.say("Tidemark: %d alerts, %d incident.", len(i.Alerts), len(p.incidents))
	p.detail("%s\n%s\ncause       %s\nconfidence  %.2f\naffected    %s", i.Title, i.Summary, i.Cause(), i.Confidence(), i.AffectedText())
	p.detail("page        %s/incidents/%s", p.stack.Tidemark.URL, i.ID)
	return err
}

// look reads the open incidents and keeps the greatest; true when there is just one, it has most of
// the alerts and a clear cause.
func (p *scenario) look(ctx context.Context) (bool, error) {
	all, err := p.stack.Tidemark.Incidents(ctx)
	if err != nil {
		return false, err
	}
	p.incidents = slices.DeleteFunc(all, func(i stack.Incident) bool { return i.State != "firing" })
	if len(p.incidents) == 0 {
		return false, nil
	}
	p.incident = slices.MaxFunc(p.incidents, func(a, b stack.Incident) int { return len(a.Alerts) - len(b.Alerts) })
	return len(p.incidents) == 1 && 10*len(p.incident.Alerts) >= 9*p.alerts && p.incident.Cause() != "", nil
}

// contextual waits until a value that no threshold objects to is found wrong for its hour.
func (p *scenario) contextual(ctx context.Context) error {
	err := until(ctx, stormPatience, "an anomaly is contextual", func(ctx context.Context) (bool, error) {
		if _, err := p.firing(ctx); err != nil {
			return false, err
		}
		active, err := p.stack.Prometheus.Query(ctx, `tidemark_anomaly_active{kind="contextual"} == 1`)
		for _, a := range active {
			where := a.Labels["instance"]
			if client := a.Labels["client"]; client != "" {
				where = client + " → " + a.Labels["server"]
			}
			p.anomalies = append(p.anomalies, a.Labels["watch"]+" of "+where)
		}
		return len(active) > 0, err
	})
	if err != nil {
		return err
	}
	slices.Sort(p.anomalies)
	if n := len(p.anomalies) - maxNamed; n > 0 {
		p.anomalies = append(p.anomalies[:maxNamed], fmt.Sprintf("%d more", n))
	}
	p.say("Contextual anomaly after %s: %s.", time.Since(p.injected).Round(time.Second), strings.Join(p.anomalies, ", "))
	err = until(ctx, causePatience, "an incident tells of it", p.look)
	if len(p.incidents) > 0 {
		p.say("Incident: %s", p.incident.Summary)
	}
	return err
}

// act approves the runbook and follows it to its verdict.
func (p *scenario) act(ctx context.Context) error {
	if p.incident.ID == "" {
		return errors.New("there is no incident to act on")
	}
	t := p.stack.Tidemark
	var proposal stack.Proposal
	find := func(ok func(stack.Proposal) bool) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			list, err := t.Proposals(ctx)
			if i := slices.IndexFunc(list, ok); i >= 0 {
				proposal = list[i]
				return true, err
			}
			return false, err
		}
	}
	err := until(ctx, actionPatience, "a runbook is suggested", find(func(pr stack.Proposal) bool {
		return pr.Incident.ID == p.incident.ID && pr.State == "suggested"
	}))
	if err != nil {
		return err
	}
	p.say("Runbook %q is suggested. $ tidetool runbook approve %s", proposal.Runbook, proposal.ID)
	if err := t.Approve(ctx, proposal.ID); err != nil {
		return err
	}
	err = until(ctx, actionPatience, "the runbook is called", func(context.Context) (bool, error) {
		return p.stack.FailOver.Effects() > 0, nil
	})
	if err != nil {
		return err
	}
	p.say("The endpoint checked the signature. The replica takes over, the primary gets a new disk and comes back.")
	same := find(func(pr stack.Proposal) bool { return pr.ID == proposal.ID })
	err = until(ctx, resolvePatience, "the recovery is verified", func(ctx context.Context) (bool, error) {
		_, err := same(ctx)
		if slices.Contains([]string{"failed", "expired", "rejected"}, proposal.State) {
			return false, fmt.Errorf("the runbook ended %s: %s", proposal.State, proposal.Reason)
		}
		return proposal.State == "verified", err
	})
	p.say("Runbook %s: %s", proposal.State, cmp.Or(proposal.Reason, proposal.Waiting))
	return err
}

func (p *scenario) heal(context.Context) error {
	p.stack.Shop.Heal(p.fault)
	p.say("The fault is repaired.")
	return nil
}

// recovered waits for the end of the alerts, the incident and the page.
func (p *scenario) recovered(ctx context.Context) error {
	err := until(ctx, resolvePatience, "the incident is resolved and the pager knows", func(ctx context.Context) (bool, error) {
		all, err := p.stack.Tidemark.Incidents(ctx)
		if err != nil {
			return false, err
		}
		open := slices.ContainsFunc(all, func(i stack.Incident) bool { return i.State == "firing" })
		last := p.stack.Pager.Events()
		ended := slices.ContainsFunc(last, func(e pager.Event) bool {
			return e.EventAction == pager.Resolve && e.DedupKey == p.page.DedupKey
		})
		return !open && ended, nil
	})
	if err == nil {
		p.resolved = true
		p.say("The incident is resolved, the pager is told.")
	}
	return err
}

// tails shows the last words of each server after a failure.
func (p *scenario) tails() {
	for _, pr := range []*stack.Process{p.stack.Prometheus.Process, p.stack.Alertmanager.Process, p.stack.Tidemark.Process} {
		fmt.Fprintf(p.out, "\n--- %s\n%s\n", pr.Name, pr.LogTail(15))
	}
}

func (p *scenario) links() {
	s := p.stack
	p.detail("Tidemark      %s\nPrometheus    %s\nAlertmanager  %s", s.Tidemark.URL, s.Prometheus.URL, s.Alertmanager.URL)
}
