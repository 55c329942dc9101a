package main

// level is the metric that is watched, by the rules and by Tidemark.
const level = "bench_load"

// kept are the recorded series that the rules look back on for 26 hours and a week: they are part of the history, as they
// would be after the first week.
var kept = []string{"bench:adaptive:mean_1h", "bench:adaptive:dev_1h", "bench:adaptive:dev_filtered", "bench:robust:median_1h", "bench:robust:distance", "bench:robust:mad_24h"}

// rule is a recording rule.
type rule struct {
	Record string `yaml:"record"`
	Expr   string `yaml:"expr"`
}

// group is a group of rules.
type group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []rule `yaml:"rules"`
}

// adaptive and robust are the two methods of grafana/promql-anomaly-detection (Apache-2.0), written anew from what they
// compute: the level's mean (median) of an hour, its spread over a day, a band of two spreads and at least half the
// middle, widened by what was seen a day and a week before. The parts that look back for a day or a week are evaluated
// each five minutes, the others each minute, as there. Simpler than the originals, so rather too cheap.
var adaptive = []group{
	{"adaptive-short", "1m", []rule{
		{"bench:adaptive:mean_1h", `avg_over_time(bench_load[1h])`},
		{"bench:adaptive:dev_1h", `stddev_over_time(bench_load[1h])`},
		{"bench:adaptive:dev_filtered", `bench:adaptive:dev_1h > 0.01 * bench:adaptive:mean_1h`},
		{"bench:adaptive:dev_26h", `avg_over_time(bench:adaptive:dev_filtered[26h])`},
		{"bench:adaptive:upper_short", `bench:adaptive:mean_1h + 2 * bench:adaptive:dev_26h`},
		{"bench:adaptive:lower_short", `bench:adaptive:mean_1h - 2 * bench:adaptive:dev_26h`},
		{"bench:adaptive:upper", `max without (term) (label_replace(bench:adaptive:upper_short, "term", "short", "", "") or label_replace(bench:adaptive:upper_long, "term", "long", "", "") or label_replace(1.5 * bench:adaptive:mean_1h, "term", "margin", "", ""))`},
		{"bench:adaptive:lower", `min without (term) (label_replace(bench:adaptive:lower_short, "term", "short", "", "") or label_replace(bench:adaptive:lower_long, "term", "long", "", "") or label_replace(0.5 * bench:adaptive:mean_1h, "term", "margin", "", ""))`},
	}},
	{"adaptive-long", "5m", []rule{
		{"bench:adaptive:upper_long", `max without (back) (label_replace((bench:adaptive:mean_1h offset 23h30m) + 2 * (bench:adaptive:dev_1h offset 23h30m), "back", "day", "", "") or label_replace((bench:adaptive:mean_1h offset 167h30m) + 2 * (bench:adaptive:dev_1h offset 167h30m), "back", "week", "", ""))`},
		{"bench:adaptive:lower_long", `min without (back) (label_replace((bench:adaptive:mean_1h offset 23h30m) - 2 * (bench:adaptive:dev_1h offset 23h30m), "back", "day", "", "") or label_replace((bench:adaptive:mean_1h offset 167h30m) - 2 * (bench:adaptive:dev_1h offset 167h30m), "back", "week", "", ""))`},
	}},
}

var robust = []group{
	{"robust-short", "1m", []rule{
		{"bench:robust:median_1h", `quantile_over_time(0.5, bench_load[1h])`},
		{"bench:robust:median_24h", `quantile_over_time(0.5, bench_load[24h])`},
		{"bench:robust:distance", `abs(bench_load - bench:robust:median_24h)`},
		{"bench:robust:mad_24h", `quantile_over_time(0.5, bench:robust:distance[24h])`},
		{"bench:robust:upper_short", `bench:robust:median_24h + 2 * bench:robust:mad_24h`},
		{"bench:robust:lower_short", `bench:robust:median_24h - 2 * bench:robust:mad_24h`},
		{"bench:robust:upper", `max without (term) (label_replace(bench:robust:upper_short, "term", "short", "", "") or label_replace(bench:robust:upper_long, "term", "long", "", "") or label_replace(1.5 * bench:robust:median_24h, "term", "margin", "", ""))`},
		{"bench:robust:lower", `min without (term) (label_replace(bench:robust:lower_short, "term", "short", "", "") or label_replace(bench:robust:lower_long, "term", "long", "", "") or label_replace(0.5 * bench:robust:median_24h, "term", "margin", "", ""))`},
	}},
	{"robust-long", "5m", []rule{
		{"bench:robust:upper_long", `max without (back) (label_replace((bench:robust:median_1h offset 23h45m) + 2 * (bench:robust:mad_24h offset 23h45m), "back", "day", "", "") or label_replace((bench:robust:median_1h offset 167h45m) + 2 * (bench:robust:mad_24h offset 167h45m), "back", "week", "", ""))`},
		{"bench:robust:lower_long", `min without (back) (label_replace((bench:robust:median_1h offset 23h45m) - 2 * (bench:robust:mad_24h offset 23h45m), "back", "day", "", "") or label_replace((bench:robust:median_1h offset 167h45m) - 2 * (bench:robust:mad_24h offset 167h45m), "back", "week", "", ""))`},
	}},
}
