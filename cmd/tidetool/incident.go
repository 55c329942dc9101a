package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tidemark/tidemark/correlate/cause"
)

// incident is the part of an incident that is printed; -o json prints all that tidemark sends.
type incident struct {
	ID         string            `json:"id"`
	State      string            `json:"state"`
	Severity   string            `json:"severity"`
	Title      string            `json:"title"`
	Summary    string            `json:"summary"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	Revision   int               `json:"revision"`
	Action     string            `json:"action"`
	RunbookURL string            `json:"runbook_url"`
	NoCause    bool              `json:"no_clear_cause"`
	Shared     map[string]string `json:"shared"`
	Path       []struct {
		Entity struct {
			Name string `json:"name"`
		} `json:"entity"`
		State    string           `json:"state"`
		Evidence []cause.Evidence `json:"evidence"`
	} `json:"path"`
	RuledOut []cause.RuledOut `json:"ruled_out"`
	Alerts   []struct {
		Labels   map[string]string `json:"labels"`
		StartsAt time.Time         `json:"starts_at"`
		Status   string            `json:"status"`
	} `json:"alerts"`
	Causes []struct {
		Resource string `json:"resource"`
		Entity   struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"entity"`
		Text       string           `json:"text"`
		Confidence float64          `json:"confidence"`
		Evidence   []cause.Evidence `json:"evidence"`
	} `json:"causes"`
	Affected []struct {
		Noun string `json:"noun"`
		N    int    `json:"n"`
	} `json:"affected"`
	Timeline []struct {
		Time time.Time `json:"time"`
		Kind string    `json:"kind"`
		Text string    `json:"text"`
	} `json:"timeline"`
}

// similar is one past incident like another.
type similar struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Start     time.Time `json:"start"`
	Score     float64   `json:"score"`
	Fixed     string    `json:"fixed"`
	Confirmed string    `json:"confirmed"`
}

const incidentsPath = "/api/v1/incidents"

// incidentCommand adds `tidetool incident`: what a running tidemark sees, and what people say of it.
func incidentCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("incident", "Work with the incidents of a running tidemark.")
	c := clientFlags(cmd)
	out := map[string]runFunc{}
	list := cmd.Command("list", "Incidents, firing ones first.")
	state := list.Flag("state", "Only those in this state: firing or resolved.").Enum("", "firing", "resolved")
	limit := list.Flag("limit", "How many at most.").Default("50").Uint()
	out["incident list"] = func(ctx context.Context, s streams) error { return c.listIncidents(ctx, s, *state, *limit) }
	search := cmd.Command("search", "Past incidents whose texts have all these words: titles, alerts, entities, causes, what fixed them.")
	words := search.Arg("words", "Words, or beginnings of words.").Required().Strings()
	out["incident search"] = func(ctx context.Context, s streams) error {
		return c.searchIncidents(ctx, s, strings.Join(*words, " "), *limit)
	}
	var fixed string
	add := func(name, help string, fn func(ctx context.Context, s streams, id, really string) error, withCause bool) {
		sub := cmd.Command(name, help)
		id := sub.Arg("incident", "Identifier of the incident, as list prints it.").Required().String()
		really := new(string)
		if withCause {
			sub.Flag("cause", "What the cause really was, as an entity such as disk/db-0.").StringVar(really)
			sub.Flag("fixed", "What ended it, in words.").StringVar(&fixed)
		}
		out["incident "+name] = func(ctx context.Context, s streams) error { return fn(ctx, s, *id, *really) }
	}
	add("show", "One incident as its page shows it: cause, why, what to do, what speaks for and against, affected, course.", c.showIncident, false)
	add("similar", "Past incidents like this one.", c.similarIncidents, false)
	add("confirm", "Say that the first cause was right.", c.feedback("confirm", &fixed), true)
	add("reject", "Say that the first cause was wrong.", c.feedback("reject", &fixed), true)
	return out
}

// get fetches data, prints it whole for -o json, and else decodes it and lets show print it.
func (c *client) get(ctx context.Context, s streams, path string, out any, show func(w io.Writer)) error {
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, path, nil, &raw); err != nil {
		return err
	}
	if c.output == "json" {
		return printJSON(s.out, raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("understand the answer of tidemark: %w", err)
	}
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	show(w)
	return w.Flush()
}

func (c *client) listIncidents(ctx context.Context, s streams, state string, limit uint) error {
	query := url.Values{"limit": {fmt.Sprint(limit)}}
	if state != "" {
		query.Set("state", state)
	}
	var list []incident
	return c.get(ctx, s, incidentsPath+"?"+query.Encode(), &list, func(w io.Writer) {
		fmt.Fprintln(w, "INCIDENT\tSTATE\tSEVERITY\tSTART\tALERTS\tCAUSE\tCONFIDENCE")
		for _, i := range list {
			first, confidence := i.firstCause()
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", clean(i.ID), orDash(i.State), orDash(i.Severity), stamp(i.Start), len(i.Alerts), first, confidence)
			if c.output == "extended" {
				fmt.Fprintf(w, "  %s\n", clean(i.Title))
			}
		}
	})
}

// firstCause is the cause ranked first, for a table.
func (i *incident) firstCause() (name, confidence string) {
	if len(i.Causes) == 0 {
		return "-", "-"
	}
	return i.cause(0), fmt.Sprintf("%.2f", i.Causes[0].Confidence)
}

func (i *incident) cause(n int) string {
	c := i.Causes[n]
	name := strings.Trim(c.Entity.Kind+"/"+c.Entity.Name, "/")
	if c.Resource != "" {
		name += " " + c.Resource
	}
	return orDash(name)
}

func (i *incident) affected() string {
	var out []string
	for _, a := range i.Affected {
		out = append(out, fmt.Sprintf("%d %s", a.N, a.Noun))
	}
	return strings.Join(out, ", ")
}

// shared are the labels that all alerts have.
func (i *incident) shared() string {
	out := make([]string, 0, len(i.Shared))
	for _, k := range slices.Sorted(maps.Keys(i.Shared)) {
		out = append(out, fmt.Sprintf("%s=%q", k, i.Shared[k]))
	}
	return strings.Join(out, ", ")
}

// byName counts the alerts by their names, the most frequent first: "24: ProbeFailing 12, …".
func (i *incident) byName() string {
	count := map[string]int{}
	for _, a := range i.Alerts {
		count[a.Labels["alertname"]]++
	}
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), strings.Compare(a, b))
	})
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, fmt.Sprintf("%s %d", orDash(n), count[n]))
	}
	return strings.TrimSuffix(fmt.Sprintf("%d: %s", len(i.Alerts), strings.Join(out, ", ")), ": ")
}

// way is the path from the cause to the symptom.
func (i *incident) way() string {
	out := make([]string, 0, len(i.Path))
	for _, h := range i.Path {
		text := h.Entity.Name
		if h.State != "" {
			text += " (" + h.State + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, " → ")
}

func (c *client) similarIncidents(ctx context.Context, s streams, id, _ string) error {
	var list []similar
	return c.get(ctx, s, incidentsPath+"/"+url.PathEscape(id)+"/similar", &list, func(w io.Writer) {
		fmt.Fprintln(w, "INCIDENT\tSTART\tLIKENESS\tCONFIRMED CAUSE\tENDED BY\tTITLE")
		for _, i := range list {
			fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\t%s\t%s\n", clean(i.ID), stamp(i.Start), i.Score, orDash(i.Confirmed), orDash(i.Fixed), clean(i.Title))
		}
	})
}

// found is one past incident that a search found.
type found struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Start     time.Time `json:"start"`
	Cause     string    `json:"cause"`
	Verdict   string    `json:"verdict"`
	Confirmed string    `json:"confirmed"`
	Fixed     string    `json:"fixed"`
}

func (c *client) searchIncidents(ctx context.Context, s streams, words string, limit uint) error {
	query := url.Values{"q": {words}, "limit": {fmt.Sprint(limit)}}
	var list []found
	return c.get(ctx, s, incidentsPath+"/search?"+query.Encode(), &list, func(w io.Writer) {
		fmt.Fprintln(w, "INCIDENT\tSTART\tCAUSE\tVERDICT\tCONFIRMED CAUSE\tENDED BY\tTITLE")
		for _, f := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", clean(f.ID), stamp(f.Start), orDash(f.Cause), orDash(f.Verdict), orDash(f.Confirmed), orDash(f.Fixed), clean(f.Title))
		}
	})
}

// feedback returns the command that tells tidemark whether it was right.
func (c *client) feedback(verdict string, fixed *string) func(ctx context.Context, s streams, id, really string) error {
	return func(ctx context.Context, s streams, id, really string) error {
		body := map[string]string{"verdict": verdict, "cause": really}
		if *fixed != "" {
			body["fixed"] = *fixed
		}
		if err := c.call(ctx, http.MethodPost, incidentsPath+"/"+url.PathEscape(id)+"/feedback", body, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintf(s.out, "%s: %sed\n", clean(id), verdict)
		return err
	}
}
