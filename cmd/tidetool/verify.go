package main

import (
	"context"
	"encoding/json"
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

	"github.com/tidemark/tidemark/correlate"
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
	type same struct {
		query string
		at    time.Time
		value float64
	}
	seen := map[same]bool{}
	for _, c := range inc.claims() {
		key := same{c.Claim.Query, c.Claim.Time, c.Claim.Value}
		if key.query != "" && seen[key] {
			continue // Said of a cause already.
		}
		seen[key] = true
		one, err := v.check(ctx, c.Claim)
		if err != nil {
			return err
		}
		one.Cause = c.Cause
		out = append(out, one)
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

// claims are all that an incident claims: of its causes, of each step of the path, of what was ruled out.
func (inc *incident) claims() []checked {
	var out []checked
	add := func(of string, evidence []cause.Evidence) {
		for _, e := range evidence {
			out = append(out, checked{Cause: of, Claim: e})
		}
	}
	for n, c := range inc.Causes {
		add(inc.cause(n), c.Evidence)
	}
	for _, h := range inc.Path {
		add("path: "+clean(h.Entity.Name), h.Evidence)
	}
	for _, r := range inc.RuledOut {
		add("ruled out: "+clean(r.Entity), r.Evidence)
	}
	return out
}

// check runs one claim again. The error is that Prometheus could not be asked at all.
func (v *verifier) check(ctx context.Context, e cause.Evidence) (checked, error) {
	c := checked{Claim: e}
	switch {
	case e.Query == "":
		c.Verdict = noQuery
		return c, nil
	case strings.HasPrefix(e.Query, correlate.OwnPath):
		return v.ask(ctx, c)
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
	if len(vector) > 1 && !isOnset(e.Query) {
		c.Verdict, c.Detail = unanswerable, fmt.Sprintf("the query gives %d series where one is meant", len(vector))
		return c, nil
	}
	limit := v.tolerance * max(math.Abs(e.Value), math.Abs(float64(vector[0].Value)))
	if names := onsetsIn(e.Query); len(names) > 0 {
		limit = v.onsetTolerance(ctx, names)
	}
	now := nearest(vector, e.Value)
	c.Now, c.Verdict = &now, reproduced
	if math.Abs(now-e.Value) > limit || math.IsNaN(now) != math.IsNaN(e.Value) {
		c.Verdict = differs
	}
	return c, nil
}

// ask runs a claim again whose query is a path of Tidemark's API: it claims the number "value" of the answer, or how many
// entries that has.
func (v *verifier) ask(ctx context.Context, c checked) (checked, error) {
	var data json.RawMessage
	if err := v.client.call(ctx, http.MethodGet, c.Claim.Query, nil, &data); err != nil {
		if _, answered := errors.AsType[*apiError](err); !answered {
			return c, err
		}
		c.Verdict, c.Detail = unanswerable, err.Error()
		return c, nil
	}
	var list []json.RawMessage
	var one struct {
		Value *float64 `json:"value"`
	}
	var now float64
	switch {
	case json.Unmarshal(data, &list) == nil:
		now = float64(len(list))
	case json.Unmarshal(data, &one) == nil && one.Value != nil:
		now = *one.Value
	default:
		c.Verdict, c.Detail = unanswerable, "the answer is neither a list nor has it a value"
		return c, nil
	}
	c.Now, c.Verdict = &now, reproduced
	if now != c.Claim.Value {
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

// isOnset says that a query reads when an alert's expression became true. The claim of such evidence is the
// alert's start less the `for:` of its rule.
func isOnset(query string) bool { return strings.HasPrefix(query, onsetSelector) }

// onsetsIn are the names of the alerts whose onsets a query reads.
func onsetsIn(query string) (names []string) {
	for _, rest := range strings.Split(query, onsetSelector)[1:] {
		name := ""
		_, rest, _ = strings.Cut(rest, "alertname=")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			name, _ = strconv.Unquote(quoted)
		}
		names = append(names, name)
	}
	return names
}

const usualInterval = time.Minute // of rule evaluation, as Prometheus has it by default

// onsetTolerance is how far, in seconds, what is read of the onsets of alerts may lie off: Prometheus keeps whole
// seconds, and a rule fires at its first evaluation after the `for:`, up to one interval late.
func (v *verifier) onsetTolerance(ctx context.Context, alertnames []string) float64 {
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
	sum := 0.0
	for _, name := range alertnames {
		d, ok := v.intervals[name]
		if !ok {
			d = usualInterval
		}
		sum += d.Seconds() + 1
	}
	return sum
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
	if isOnset(c.Claim.Query) {
		return stamp(time.UnixMilli(int64(x * 1000)))
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
