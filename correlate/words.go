package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// words writes title and summary.
func (v *view) words(i *Incident) {
	i.Title = v.title(i)
	var b strings.Builder
	what := plural(len(i.Alerts), "alert", "alerts")
	if len(i.Alerts) == 0 {
		what = plural(len(i.Anomalies), "anomaly", "anomalies")
	}
	// Since the first alert's onset: an anomaly may have begun long before, and is told as evidence.
	fmt.Fprintf(&b, "%s on %s since %s.", what, v.where(i), fromSeconds(v.firstAlert().onset).Format("15:04:05 MST"))
	switch {
	case len(i.Causes) == 0:
	case i.NoClearCause:
		fmt.Fprintf(&b, " No clear cause; first to look at: %s (%.2f).", i.Causes[0].Entity.Name, i.Causes[0].Confidence)
	default:
		fmt.Fprintf(&b, " Cause: %s, confidence %.2f.", i.Causes[0].Text, i.Causes[0].Confidence)
	}
	if len(i.Causes) > 1 && !i.NoClearCause && i.Causes[1].Confidence >= 0.1 {
		fmt.Fprintf(&b, " Also possible: %s (%.2f).", i.Causes[1].Entity.Name, i.Causes[1].Confidence)
	}
	i.Summary = b.String()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (v *view) where(i *Incident) string {
	parts := make([]string, 0, 4)
	for n, c := range i.Affected {
		if n == 4 {
			parts = append(parts, "others")
			break
		}
		if c.N == 1 {
			parts = append(parts, fmt.Sprintf("1 %s (%s)", c.Noun, c.Names[0]))
		} else {
			parts = append(parts, c.String())
		}
	}
	return and(parts)
}

// title is "database degradation affecting API and web tier".
func (v *view) title(i *Incident) string {
	if v.g.alone && len(v.g.items) == 1 {
		it := v.g.items[0]
		return fmt.Sprintf("%s on %s", it.rec.place.name, v.s.world.v[it.vertex].ent.Name)
	}
	if len(i.Causes) == 0 {
		return plural(len(i.Alerts), "alert", "alerts")
	}
	first := i.Causes[0]
	subject, tier := v.subject(first.Entity)
	t := subject + " " + v.trouble(first.Resource)
	if way := between(&first); way != "" {
		t = strings.TrimPrefix(way, "the ") + " slow,"
	}
	if i.NoClearCause {
		t = "trouble around " + first.Entity.Name
	}
	if hit := v.hit(tier); hit != "" {
		t += " affecting " + hit
	}
	return t
}

// subject names the first cause by its tier where it has one, else by kind and name.
func (v *view) subject(e Entity) (text, tier string) {
	for _, it := range v.rootItems {
		if n, ok := nounOfTier(v.tierOf(it)); ok {
			return n.one, n.tier
		}
	}
	if len(v.g.causes) == 0 {
		return e.Name, ""
	}
	if r := v.s.prob.roots[v.g.causes[0].root]; r.vertex >= 0 {
		if n, ok := nounOfTier(v.s.world.v[r.vertex].attrs["tier"]); ok {
			return n.one, n.tier
		}
	}
	if n, ok := nounOfName(e.Name); ok && e.Kind != "node" {
		return n.one + " " + e.Name, n.tier
	}
	return called(e), ""
}

// called is a name with its kind, where the name does not say it: "node db-3", but "node-3".
func called(e Entity) string {
	switch e.Kind {
	case "service", "zone", "alert":
		return e.Name
	}
	if strings.HasPrefix(e.Name, e.Kind) {
		return e.Name
	}
	return e.Kind + " " + e.Name
}

// trouble is what is wrong with the cause in a word.
func (v *view) trouble(resource string) string {
	down, slow, errs, traffic := 0, 0, 0, 0
	for _, it := range v.rootItems {
		w := words(it.rec.place.name)
		switch {
		case strings.Contains(w, " down ") || strings.Contains(w, " unreachable ") || strings.Contains(w, " not ready ") || strings.Contains(w, " absent "):
			down++
		case it.class == classError:
			errs++
		case it.class == classTraffic:
			traffic++
		default:
			slow++
		}
	}
	switch {
	case traffic > 0 && traffic == len(v.rootItems):
		return "traffic change"
	case resource == "certificate":
		return "certificate failure"
	case resource == "deploy":
		return "failing rollout"
	case down > 0 && down >= slow:
		return "outage"
	case errs > 0 && slow == 0:
		return "failure"
	}
	return "degradation"
}

// hit names the affected tiers but the cause's own, the two largest, nearest first; without tiers the
// number of services.
func (v *view) hit(tier string) string {
	type reached struct {
		names map[string]bool
		hops  int
	}
	tiers := map[string]*reached{}
	services := map[string]bool{}
	for _, it := range v.g.items {
		x := &v.s.world.v[it.vertex]
		if n, ok := nounOfTier(v.tierOf(it)); ok {
			if n.tier == tier {
				continue
			}
			if tiers[n.tier] == nil {
				tiers[n.tier] = &reached{map[string]bool{}, 1 << 20}
			}
			tiers[n.tier].names[x.ent.Name] = true
			if h, ok := v.hopsOf(it.vertex); ok {
				tiers[n.tier].hops = min(tiers[n.tier].hops, h)
			}
			continue
		}
		for _, s := range append([]int{it.vertex}, x.owners...) {
			if y := &v.s.world.v[s]; y.level == levelService && !slices.ContainsFunc(v.rootItems, func(r *item) bool { return r.vertex == s }) {
				services[y.ent.Name] = true
			}
		}
	}
	if len(tiers) == 0 {
		return fewNames(sortedSet(keysOf(services)))
	}
	names := sortedSet(keysOf(tiers))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(len(tiers[b].names), len(tiers[a].names)) })
	names = names[:min(2, len(names))]
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(tiers[a].hops, tiers[b].hops) })
	return and(names) + " tier"
}

func (v *view) hopsOf(n int) (int, bool) {
	if h, ok := v.hops[n]; ok {
		return h, true
	}
	for _, o := range v.s.world.v[n].owners {
		if h, ok := v.hops[o]; ok {
			return h, true
		}
	}
	return 0, false
}

func fewNames(names []string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n <= 3:
		return and(names)
	default:
		return fmt.Sprintf("%d services", n)
	}
}

// promSelector writes the labels of an alert as a PromQL selector of the given metric.
func promSelector(metric string, ls model.LabelSet) string {
	var parts []string
	for _, k := range sortedSet(keysOf(ls)) {
		if !strings.HasPrefix(string(k), "__") {
			name := string(k)
			if !model.LegacyValidation.IsValidLabelName(name) {
				name = fmt.Sprintf("%q", name)
			}
			parts = append(parts, fmt.Sprintf("%s=%q", name, string(ls[k])))
		}
	}
	return metric + "{" + strings.Join(parts, ",") + "}"
}
