package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate/cause"
	"github.com/tidemark/tidemark/internal/promread"
)

// Verdicts on a claim.
const (
	reproduced   = "reproduced"
	differs      = "differs"
	unanswerable = "no longer answerable"
	noQuery      = "no query"
)

// checked is one claim of an incident and what its query says today.
type checked struct {
	Verdict string         `json:"verdict"`
	Cause   string         `json:"cause"`
	Claim   cause.Evidence `json:"claim"`
	Now     *float64       `json:"now,omitempty"`
	Detail  string         `json:"detail,omitempty"`
}

// verifyCommand adds `tidetool verify`: the evidence of an incident, run again.
func verifyCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("verify", "Run the queries of an incident's evidence again, each at its own time, and compare. Exit code 3: one does not give its value.")
	id := cmd.Arg("incident", "Identifier of the incident, as incident list prints it.").Required().String()
	v := verifier{client: clientFlags(cmd), prom: prometheusFlags(cmd)}
	cmd.Flag("tolerance", "Relative difference up to which two values are the same.").Default("1e-6").Float64Var(&v.tolerance)
	return map[string]runFunc{cmd.FullCommand(): func(ctx context.Context, s streams) error { return v.run(ctx, s, *id) }}
}

type verifier struct {
	client    *client
	prom      *promFlags
	tolerance float64
	read      *promread.Client
	intervals map[string]time.Duration // of rule evaluation, by alert name
}

func (v *verifier) run(ctx context.Context, s streams, id string) error {
	if !(v.tolerance >= 0) {
		return fmt.Errorf("--tolerance %g: want 0 or more", v.tolerance)
	}
	var inc incident
	if err := v.client.call(ctx, http.MethodGet, incidentsPath+"/"+url.PathEscape(id), nil, &inc); err != nil {
		return err
	}
	var err error
	if v.read, _, err = v.prom.open(s); err != nil {
		return err
	}
	defer v.read.Close()
	out := []checked{}
	for n, c := range inc.Causes {
		for _, e := range c.Evidence {
			one, err := v.check(ctx, e)
			if err != nil {
				return err
			}
			one.Cause = inc.cause(n)
			out = append(out, one)
		}
	}
	if err := v.print(s.out, out); err != nil {
		return err
	}
	for _, c := range out {
		if c.Verdict == differs || c.Verdict == unanswerable {
			return errFinding
		}
	}
	return nil
}

// check runs one claim again. The error is that Prometheus could not be asked at all.
func (v *verifier) check(ctx context.Context, e cause.Evidence) (checked, error) {
	c := checked{Claim: e}
	if e.Query == "" {
		c.Verdict = noQuery
		return c, nil
	}
	vector, err := v.read.Query(ctx, e.Query, e.Time)
	switch reason := promread.ReasonOf(err); {
	case err != nil && reason != promread.Refused:
		return c, err
	case err != nil:
		c.Verdict, c.Detail = unanswerable, refusal(err)
		return c, nil
	case len(vector) == 0 && e.Value == 0 && strings.HasPrefix(e.Query, "count("):
		vector = model.Vector{{}} // PromQL counts nothing as nothing, not as 0.
	case len(vector) == 0:
		c.Verdict, c.Detail = unanswerable, "no data at "+stamp(e.Time)
		return c, nil
	}
	name, onset := onsetOf(e.Query)
	if len(vector) > 1 && !onset {
		c.Verdict, c.Detail = unanswerable, fmt.Sprintf("the query gives %d series where one is meant", len(vector))
		return c, nil
	}
	limit := v.tolerance * max(math.Abs(e.Value), math.Abs(float64(vector[0].Value)))
	if onset {
		limit = v.onsetTolerance(ctx, name)
	}
	now := nearest(vector, e.Value)
	c.Now, c.Verdict = &now, reproduced
	if math.Abs(now-e.Value) > limit || math.IsNaN(now) != math.IsNaN(e.Value) {
		c.Verdict = differs
	}
	return c, nil
}

// refusal is what a server said to a query, without the address it was asked at.
func refusal(err error) string {
	e, _ := errors.AsType[*promread.Error](err)
	return "the query is refused: " + clean(e.Msg)
}

// nearest of the values: copies of an alert by replicas began at different times.
func nearest(vector model.Vector, to float64) float64 {
	best := float64(vector[0].Value)
	for _, s := range vector[1:] {
		if x := float64(s.Value); math.Abs(x-to) < math.Abs(best-to) {
			best = x
		}
	}
	return best
}

const onsetSelector = "ALERTS_FOR_STATE{"

// onsetOf says that a query reads when an alert's expression became true, and of which alert. The claim
// of such evidence is the alert's start less the `for:` of its rule.
func onsetOf(query string) (alertname string, ok bool) {
	rest, ok := strings.CutPrefix(query, onsetSelector)
	if !ok {
		return "", false
	}
	_, rest, _ = strings.Cut(rest, "alertname=")
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		alertname, _ = strconv.Unquote(quoted)
	}
	return alertname, true
}

const usualInterval = time.Minute // of rule evaluation, as Prometheus has it by default

// onsetTolerance is how far, in seconds, the two onsets of one alert may lie apart: Prometheus keeps whole
// seconds, and a rule fires at its first evaluation after the `for:`, up to one interval late.
func (v *verifier) onsetTolerance(ctx context.Context, alertname string) float64 {
	if v.intervals == nil {
		v.intervals = map[string]time.Duration{}
		groups, err := v.read.Rules(ctx)
		for _, g := range groups {
			for _, r := range g.Rules {
				if r.Alert != "" && err == nil {
					v.intervals[r.Alert] = max(v.intervals[r.Alert], time.Duration(g.Interval))
				}
			}
		}
	}
	d, ok := v.intervals[alertname]
	if !ok {
		d = usualInterval
	}
	return d.Seconds() + 1
}

func (v *verifier) print(w io.Writer, all []checked) error {
	if v.client.output == "json" {
		for i := range all {
			if n := all[i].Now; n != nil && math.IsNaN(*n) {
				all[i].Now, all[i].Detail = nil, "now NaN" // JSON has no such number.
			}
		}
		return printJSON(w, all)
	}
	count := map[string]int{}
	for _, c := range all {
		count[c.Verdict]++
		what := c.Verdict
		switch {
		case c.Verdict == differs:
			what += ": then " + c.show(c.Claim.Value) + ", now " + c.show(*c.Now)
		case c.Detail != "":
			what += ": " + c.Detail
		}
		fmt.Fprintf(w, "%s | %s | %s\n", c.Cause, orDash(c.Claim.Text), what)
		if v.client.output == "extended" && c.Claim.Query != "" {
			fmt.Fprintf(w, "    %s @ %s = %s\n", clean(c.Claim.Query), stamp(c.Claim.Time), c.show(c.Claim.Value))
		}
	}
	_, err := fmt.Fprintf(w, "%d claims: %d reproduced, %d differ, %d no longer answerable, %d without a query\n",
		len(all), count[reproduced], count[differs], count[unanswerable], count[noQuery])
	return err
}

// show prints a value of the claim: an onset is a time.
func (c *checked) show(x float64) string {
	if _, onset := onsetOf(c.Claim.Query); onset {
		return stamp(time.UnixMilli(int64(x * 1000)))
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
