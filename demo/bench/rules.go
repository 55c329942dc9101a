package main

import (
	"fmt"
	"strings"
)

// level is the metric that is watched, by the rules and by Tidemark.
const level = "bench_load"

// rule is a recording rule, or an alerting one.
type rule struct {
	Record string            `yaml:"record,omitempty"`
	Alert  string            `yaml:"alert,omitempty"`
	For    string            `yaml:"for,omitempty"`
	Expr   string            `yaml:"expr"`
	Labels map[string]string `yaml:"labels,omitempty"`
}

// group is a group of rules.
type group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []rule `yaml:"rules"`
}

// method is a set of rules of grafana/promql-anomaly-detection, of rules/adaptive.yml and rules/robust.yml as of 2025: the same
// recorded series in the same order and groups, over the same windows, at the same intervals, written anew. Two things
// differ, both in its favour: the series are selected by the name of one metric, not by a label over all, and
// of the five kinds of input that it joins only the one without a kind is asked for.
type method struct {
	name   string
	groups []group
	slow   string // The last series that a group of five minutes records.
}

func methods() []method {
	return []method{{"adaptive", adaptive(), "lower_lt"}, {"robust", robust(), "lower_seasonality"}}
}

// named puts the prefix of a method before the names in angle brackets: <x> becomes bench:adaptive:x.
func named(method, expr string) string {
	return strings.NewReplacer("<", "bench:"+method+":", ">", "").Replace(expr)
}

// of is a recording rule of a method. Names of its own recorded series stand in angle brackets.
func of(method, record, expr string) rule {
	return rule{Record: "bench:" + method + ":" + record, Expr: named(method, expr)}
}

// marked gives a side of a band a label, so that the sides can be told apart until the widest is taken.
func marked(expr, label, value string) string {
	return fmt.Sprintf(`label_replace(%s, %q, %q, "", "")`, expr, label, value)
}

// times is a product with one of the recorded constants.
func times(expr, constant string) string { return expr + " * on() group_left <" + constant + ">" }

// alert is raised where the level leaves the band for five minutes.
func alert(method string) group {
	return group{method + "-alerts", "1m", []rule{{
		Alert: "Anomaly_" + method, For: "5m", Labels: map[string]string{"severity": "warning"},
		Expr: strings.NewReplacer("LEVEL", "last_over_time(bench:"+method+":level[2m])", "BAND", "bench:"+method+":").
			Replace("LEVEL < last_over_time(BANDlower[2m]) or LEVEL > last_over_time(BANDupper[2m])"),
	}}}
}

// adaptive is the mean of an hour, two smoothed deviations wide: of the hours whose deviation is over half of their mean,
// averaged over 26 h. At least half of the mean wide, and as wide as the same hour was a day and a week before.
func adaptive() []group {
	const m = "adaptive"
	side := func(sign string) string {
		return fmt.Sprintf("%s or %s",
			marked("last_over_time(<avg_1h>[2m]) "+sign+" "+times("last_over_time(<stddev_st>[2m])", "stddev_multiplier"), "prediction", "short"),
			marked("last_over_time(<avg_1h>[2m]) "+sign+" "+times("last_over_time(<avg_1h>[2m])", "margin_multiplier"), "prediction", "margin"))
	}
	before := func(sign string) string {
		var sides []string
		for _, at := range []string{"167h30m", "23h30m"} {
			sides = append(sides, marked("avg_over_time(<select>[1h] offset "+at+") "+sign+" "+times("stddev_over_time(<select>[1h] offset "+at+")", "stddev_multiplier"), "back", at))
		}
		return strings.Join(sides, " or ")
	}
	return []group{
		{m + "-short", "1m", []rule{
			of(m, "threshold_by_covar", "vector(0.5)"),
			of(m, "sparse_threshold", "vector(5/60)"),
			of(m, "stddev_multiplier", "vector(2)"),
			of(m, "margin_multiplier", "vector(0.5)"),
			{Record: "bench:adaptive:select", Expr: level + " > 0", Labels: map[string]string{"strategy": m}},
			of(m, "avg_1h", "avg_over_time(<select>[1h])"),
			{Record: "bench:adaptive:stddev_1h", Expr: "stddev_over_time(bench:adaptive:select[1h]) > bench:adaptive:avg_1h * on() group_left bench:adaptive:threshold_by_covar"},
			of(m, "stddev_st", "avg_over_time(<stddev_1h>[26h])"),
			of(m, "level", "<select>"),
			of(m, "lower", "clamp_min(min without (prediction) ("+side("-")+" or last_over_time(<lower_lt>[10m])), 0)"),
			of(m, "upper", "max without (prediction) ("+side("+")+" or last_over_time(<upper_lt>[10m]))"),
		}},
		{m + "-long", "5m", []rule{
			of(m, "upper_lt", "max without (back) ("+before("+")+")"),
			of(m, "lower_lt", "min without (back) ("+before("-")+")"),
		}},
		alert(m),
	}
}

// robust is the median of a day, two median absolute deviations wide, at least half of the median, and as wide as the same
// hour was a day and a week before. The deviations are kept as series of their own.
func robust() []group {
	const m = "robust"
	band := func(sign, margin string) string {
		return fmt.Sprintf("%s or %s",
			marked("last_over_time(<median_lt>[2m]) "+sign+" "+times("last_over_time(<mad_lt>[2m])", "mad_multiplier"), "prediction", "short"),
			marked("last_over_time(<median_lt>[2m]) "+sign+" last_over_time(<"+margin+">[2m])", "prediction", "margin"))
	}
	before := func(sign string) string {
		var sides []string
		for _, back := range []string{"1w", "1d"} {
			sides = append(sides, marked("<median_"+back+"> "+sign+" "+times("<mad_"+back+">", "mad_multiplier"), "back", back))
		}
		return strings.Join(sides, " or ")
	}
	seasonal := group{m + "-seasonal", "5m", nil}
	for _, p := range []struct{ back, at string }{{"1w", "167h45m"}, {"1d", "23h45m"}} {
		seasonal.Rules = append(seasonal.Rules,
			of(m, "median_"+p.back, "quantile_over_time(0.5, <select>[1h] offset "+p.at+")"),
			of(m, "abs_dev_"+p.back, "abs(<select> offset "+p.at+" - <median_"+p.back+">)"),
			of(m, "mad_"+p.back, "quantile_over_time(0.5, <abs_dev_"+p.back+">[1h])"))
	}
	seasonal.Rules = append(seasonal.Rules,
		of(m, "upper_seasonality", "max without (back) ("+before("+")+")"),
		of(m, "lower_seasonality", "min without (back) ("+before("-")+")"))
	return []group{
		{m + "-short", "1m", []rule{
			of(m, "mad_multiplier", "vector(2)"),
			of(m, "margin_multiplier", "vector(0.5)"),
			of(m, "sparse_threshold", "vector(5/60)"),
			{Record: "bench:robust:select", Expr: level + " > 0", Labels: map[string]string{"strategy": m}},
			of(m, "median_lt", "quantile_over_time(0.5, <select>[1d])"),
			of(m, "abs_dev_lt", "abs(<select> - <median_lt>)"),
			of(m, "mad_lt", "quantile_over_time(0.5, <abs_dev_lt>[1d])"),
			of(m, "lower_margin", times("<median_lt>", "margin_multiplier")),
			of(m, "upper_margin", times("<median_lt>", "margin_multiplier")),
			of(m, "level", "quantile_over_time(0.5, <select>[1h])"),
			of(m, "lower", "clamp_min(min without (prediction) ("+band("-", "lower_margin")+" or last_over_time(<lower_seasonality>[10m])), 0)"),
			of(m, "upper", "max without (prediction) ("+band("+", "upper_margin")+" or last_over_time(<upper_seasonality>[10m]))"),
		}},
		seasonal,
		alert(m),
	}
}
