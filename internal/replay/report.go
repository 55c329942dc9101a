package replay

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/correlate"
)

// Report is what the past would have been with Tidemark.
type Report struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Alerts is how many different alerts fired, Firings how often all together; copies of replicas count once.
	Alerts  int `json:"alerts"`
	Firings int `json:"firings"`
	// AlreadyFiring were firing when the range began.
	AlreadyFiring int `json:"already_firing"`
	// AlertPages is what an Alertmanager sends that groups by alertname, at its fewest: one page whenever a
	// group begins to fire. IncidentPages is one for each incident told, again when it fires again.
	AlertPages    int `json:"alert_pages"`
	IncidentPages int `json:"incident_pages"`
	Revised       int `json:"revised"`

	Hidden    []Hidden   `json:"hidden"`
	Teams     []Team     `json:"teams"`
	Incidents []Incident `json:"incidents"`
}

// PagesSpared may be below 0: unrelated alerts of one name are one page to Alertmanager.
func (r *Report) PagesSpared() int { return r.AlertPages - r.IncidentPages }

// Hidden is a firing that is in no incident that people were told of.
type Hidden struct {
	Labels model.LabelSet `json:"labels"`
	Start  time.Time      `json:"start"`
	End    time.Time      `json:"end,omitzero"`
}

// Team is the report of one value of the team label. An incident counts for every team with an alert
// in it.
type Team struct {
	Name          string `json:"name"` // empty: alerts without the label
	Firings       int    `json:"firings"`
	AlertPages    int    `json:"alert_pages"`
	IncidentPages int    `json:"incident_pages"`
	Hidden        int    `json:"hidden"`
}

// Incident is one incident as people would have seen it at its end, or at the end of the range.
type Incident struct {
	ID         string    `json:"id"`
	State      string    `json:"state"`
	Severity   string    `json:"severity,omitempty"`
	FirstAlert time.Time `json:"first_alert"`
	Told       time.Time `json:"told"`
	End        time.Time `json:"end,omitzero"`
	Pages      int       `json:"pages"`
	Alerts     int       `json:"alerts"`
	Teams      []string  `json:"teams"`
	Title      string    `json:"title"`
	Summary    string    `json:"summary"`
	Cause      string    `json:"cause"` // empty: no clear cause
	Confidence float64   `json:"confidence"`
	MergedInto string    `json:"merged_into,omitempty"`
	// Detail is the whole incident, as /api/v1/incidents/ID of the live process has it.
	Detail correlate.Incident `json:"detail"`
}

// groupInterval is Alertmanager's default: a group that is silent for less is not new.
const groupInterval = 5 * time.Minute

func (d *driver) report(firings []Firing) *Report {
	r := &Report{From: d.o.From, To: d.o.To, Revised: d.revised, Hidden: []Hidden{}, Teams: []Team{}, Incidents: []Incident{}}
	told := d.told()
	stays := d.staysOf(told)
	teams := map[string]*Team{}
	team := func(name string) *Team {
		if teams[name] == nil {
			teams[name] = &Team{Name: name}
		}
		return teams[name]
	}
	distinct := map[model.Fingerprint]bool{}
	byTeam := map[string][]Firing{}
	unique := d.withoutCopies(firings)
	for _, f := range unique {
		name := string(f.Labels[model.LabelName(d.o.TeamLabel)])
		byTeam[name] = append(byTeam[name], f)
		team(name).Firings++
		distinct[f.Labels.Fingerprint()] = true
		if f.Start.Before(d.o.From) {
			r.AlreadyFiring++
		}
		if !holds(stays[f.Labels.Fingerprint()], f) {
			r.Hidden = append(r.Hidden, Hidden{f.Labels, f.Start, f.End})
			team(name).Hidden++
		}
	}
	r.Alerts, r.Firings, r.AlertPages = len(distinct), len(unique), pagesByName(unique)
	for name, fs := range byTeam {
		teams[name].AlertPages = pagesByName(fs)
	}
	for i := range told {
		inc := d.incident(&told[i])
		r.Incidents = append(r.Incidents, inc)
		r.IncidentPages += inc.Pages
		for _, name := range inc.Teams {
			team(name).IncidentPages += inc.Pages
		}
	}
	for _, t := range teams {
		r.Teams = append(r.Teams, *t)
	}
	slices.SortFunc(r.Teams, func(a, b Team) int { return cmp.Or(cmp.Compare(b.Firings, a.Firings), cmp.Compare(a.Name, b.Name)) })
	return r
}

// told are the incidents that people were told of, in order of time.
func (d *driver) told() []correlate.Incident {
	all := slices.Concat(d.archived, d.past.Incidents())
	all = slices.DeleteFunc(all, func(i correlate.Incident) bool { return d.opened[i.ID] == 0 })
	slices.SortFunc(all, func(a, b correlate.Incident) int {
		return cmp.Or(a.FirstAlert.Compare(b.FirstAlert), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// identity are the labels without those that tell replicas apart.
func (d *driver) identity(ls model.LabelSet) model.LabelSet {
	out := ls.Clone()
	for _, name := range d.o.Config.Correlate.ReplicaLabels {
		delete(out, model.LabelName(name))
	}
	return out
}

// withoutCopies joins the firings that replicas of a Prometheus tell of one alert: they overlap.
func (d *driver) withoutCopies(firings []Firing) []Firing {
	var out []Firing
	at := map[model.Fingerprint]int{}
	for _, f := range firings {
		f.Labels = d.identity(f.Labels)
		id := f.Labels.Fingerprint()
		if i, ok := at[id]; ok && (out[i].End.IsZero() || !f.Start.After(out[i].End)) {
			if f.End.IsZero() || !out[i].End.IsZero() && f.End.After(out[i].End) {
				out[i].End = f.End
			}
			continue
		}
		at[id] = len(out)
		out = append(out, f)
	}
	return out
}

// stay is when an alert was a member of an incident that was told.
type stay struct{ start, end time.Time }

// staysOf lists the members of incidents by alert.
func (d *driver) staysOf(told []correlate.Incident) map[model.Fingerprint][]stay {
	out := map[model.Fingerprint][]stay{}
	for i := range told {
		for _, m := range told[i].Alerts {
			id := d.identity(m.Labels).Fingerprint()
			out[id] = append(out[id], stay{m.StartsAt, m.EndsAt})
		}
	}
	return out
}

// holds says whether a firing is part of one of the stays.
func holds(stays []stay, f Firing) bool {
	return slices.ContainsFunc(stays, func(s stay) bool {
		return !f.Start.Before(s.start) && (s.end.IsZero() || !f.Start.After(s.end))
	})
}

// pagesByName counts how often a group of one alert name begins to fire.
func pagesByName(firings []Firing) int {
	until := map[model.LabelValue]time.Time{} // Far away: for good.
	far := time.Unix(1<<40, 0)
	pages := 0
	for _, f := range firings { // In order of their start.
		name := f.Labels[model.AlertNameLabel]
		if last, ok := until[name]; !ok || f.Start.After(last.Add(groupInterval)) {
			pages++
		}
		end := f.End
		if end.IsZero() {
			end = far
		}
		if end.After(until[name]) {
			until[name] = end
		}
	}
	return pages
}

func (d *driver) incident(i *correlate.Incident) Incident {
	out := Incident{
		ID: i.ID, State: i.State, Severity: i.Severity, FirstAlert: i.FirstAlert, Told: i.Opened, End: i.End, Pages: d.opened[i.ID],
		Alerts: len(i.Alerts), Title: i.Title, Summary: i.Summary, MergedInto: i.MergedInto, Teams: []string{}, Detail: *i,
	}
	for _, m := range i.Alerts {
		out.Teams = append(out.Teams, string(m.Labels[model.LabelName(d.o.TeamLabel)]))
	}
	slices.Sort(out.Teams)
	out.Teams = slices.Compact(out.Teams)
	if len(i.Causes) > 0 {
		c := i.Causes[0]
		out.Confidence = c.Confidence
		if !i.NoClearCause {
			out.Cause = c.Entity.Kind + "/" + c.Entity.Name
			if c.Resource != "" {
				out.Cause += " " + c.Resource
			}
		}
	}
	return out
}
