package cause

import (
	"errors"
	"slices"
)

// Reference says which other cases may serve as reference for a case's logs and spans.
type Reference string

// References.
const (
	// ReferenceEarlier takes the windows of the same system that ended before the case's own: what
	// a running process has.
	ReferenceEarlier Reference = "earlier"
	// ReferenceOwn takes the case's own fault-free window alone.
	ReferenceOwn Reference = "own"
)

// LoadCases reads several cases. Cases of one system (most candidates in common) lend each other
// what a running process would have collected over time: the log and span windows that lie before a
// case's own, and how often each alert appears over all alert lists. Answers are never read.
func LoadCases(dirs []string, ref Reference) ([]Case, error) {
	cases := make([]Case, 0, len(dirs))
	var broken []error
	for _, dir := range dirs {
		c, err := LoadCase(dir)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		cases = append(cases, c)
	}
	for _, group := range systems(cases) {
		shareAlerts(cases, group)
		if ref == ReferenceEarlier {
			shareWindows(cases, group)
		}
	}
	return cases, errors.Join(broken...)
}

// systems groups cases whose candidates are mostly the same.
func systems(cases []Case) [][]int {
	var groups [][]int
	for i := range cases {
		at := slices.IndexFunc(groups, func(g []int) bool {
			return similarNames(cases[g[0]].Candidates, cases[i].Candidates)
		})
		if at < 0 {
			groups = append(groups, nil)
			at = len(groups) - 1
		}
		groups[at] = append(groups[at], i)
	}
	return groups
}

func similarNames(a, b []string) bool {
	in := make(map[string]bool, len(a))
	for _, x := range a {
		in[x] = true
	}
	both := 0
	for _, x := range b {
		if in[x] {
			both++
		}
	}
	return both > 0 && 10*both >= 8*max(len(a), len(b))
}

// shareWindows adds the windows of earlier cases to each case's baseline.
func shareWindows(cases []Case, group []int) {
	type own struct {
		logs  []LogCount
		spans []SpanCount
	}
	before := make([]own, len(cases))
	for _, i := range group {
		before[i] = own{cases[i].Logs, cases[i].Spans}
	}
	for _, i := range group {
		c := &cases[i]
		c.LogsBaseline, c.SpansBaseline = slices.Clip(c.LogsBaseline), slices.Clip(c.SpansBaseline)
		for _, j := range group {
			o := before[j]
			if len(o.logs) > 0 && len(c.Logs) > 0 && o.logs[0].Window < c.Logs[0].Window && endOf(cases[j]) <= c.Logs[0].Window {
				c.LogsBaseline = append(c.LogsBaseline, o.logs...)
			}
			if len(o.spans) > 0 && len(c.Spans) > 0 && o.spans[0].Window < c.Spans[0].Window && endOf(cases[j]) <= c.Spans[0].Window {
				c.SpansBaseline = append(c.SpansBaseline, o.spans...)
			}
		}
	}
}

// endOf is the time by which a case's windows were over: its alert.
func endOf(c Case) int64 { return c.AlertTime.UnixMilli() }

// shareAlerts counts in how many of the lists each alert appears.
func shareAlerts(cases []Case, group []int) {
	b := Background{Seen: map[AlertKey]int{}}
	for _, i := range group {
		if len(cases[i].Alerts) == 0 {
			continue
		}
		b.Lists++
		seen := map[AlertKey]bool{}
		for _, a := range cases[i].Alerts {
			if k := a.key(); !seen[k] {
				seen[k] = true
				b.Seen[k]++
			}
		}
	}
	if b.Lists < 2 {
		return
	}
	for _, i := range group {
		cases[i].Background = b
	}
}

func (a *Alert) key() AlertKey { return AlertKey{a.Entity, a.Name, a.Direction} }
