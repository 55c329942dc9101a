package detect_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/tuning"
)

// What each test says, from numbers that are known: every claim in a sentence is one of them.
func TestEveryTestSaysWhatItSaw(t *testing.T) {
	season := detect.Seen{Value: 465, Expected: 150}
	silent := map[string]bool{"absent": true, "peer_outlier": true, "joint": true}
	for _, d := range detect.All() {
		silent[d.Name] = true
	}
	for name, c := range map[string]struct {
		seen   detect.Seen
		when   string
		group  string
		shares []detect.Share
		want   string
	}{
		"season_up":                             {seen: season, when: "Tuesday 14:00", want: "465, 3.1x its usual Tuesday 14:00 of 150"},
		"season_up without a season":            {seen: season, want: "465, 3.1x its usual level of 150"},
		"season_up by little":                   {seen: detect.Seen{Value: 99.9, Expected: 98}, when: "Sunday 03:20", want: "99.9, 1.9 above its usual Sunday 03:20 of 98"},
		"season_down":                           {seen: detect.Seen{Value: 30, Expected: 150}, when: "Tuesday 14:00", want: "30, 0.2x its usual Tuesday 14:00 of 150"},
		"season_down to nothing":                {seen: detect.Seen{Value: 0, Expected: 150}, when: "Tuesday 14:00", want: "0, 150 below its usual Tuesday 14:00 of 150"},
		"season_down under zero":                {seen: detect.Seen{Value: -5, Expected: 10}, want: "-5, 15 below its usual level of 10"},
		"local_up":                              {seen: detect.Seen{Value: 90, Expected: 70, Forecast: 60}, want: "90 where its last samples led to 60, a jump of 30"},
		"local_down":                            {seen: detect.Seen{Value: 40, Expected: 70, Forecast: 60}, want: "40 where its last samples led to 60, a drop of 20"},
		"global_up":                             {seen: detect.Seen{Value: 90, Mean: 20}, want: "90, 70 above its mean of the last days of 20"},
		"global_down":                           {seen: detect.Seen{Value: 5, Mean: 20}, want: "5, 15 below its mean of the last days of 20"},
		"record_up":                             {seen: detect.Seen{Value: 465, Expected: 150, Before: 190}, when: "Tuesday 14:00", want: "465, 3.1x its usual Tuesday 14:00 of 150, and well above 190, the highest it remembers"},
		"record_down":                           {seen: detect.Seen{Value: 1, Expected: 150, Before: -40}, want: "1, 0.0067x its usual level of 150, and well below 40, the lowest it remembers"},
		"slow_up":                               {seen: detect.Seen{Value: 12, Expected: 9, Scale: 4, Mem: [3]float32{2}}, when: "Friday 10:00", want: "12; over the last hours on average about 8 above what is usual for the time of day"},
		"slow_up with a sample that is clipped": {seen: detect.Seen{Value: 120, Expected: 9, Scale: 4, Mem: [3]float32{2}}, when: "Friday 10:00", want: "120; over the last hours on average at least 8 above what is usual for the time of day"},
		"slow_down":                             {seen: detect.Seen{Value: 12, Expected: 18, Scale: 4, Mem: [3]float32{-1.5}}, want: "12; over the last hours on average about 6 below its usual level"},
		"cusum_short_up":                        {seen: detect.Seen{Value: 12, Bulk: 1.5, Mem: [3]float32{19}}, when: "Friday 10:00", want: "12; over about the last 120 min on average at least 3 above what is usual for the time of day, time and again"},
		"cusum_short_down":                      {seen: detect.Seen{Value: 12, Bulk: 1.5, Mem: [3]float32{19}}, want: "12; over about the last 120 min on average at least 3 below its usual level, time and again"},
		"cusum_long_up":                         {seen: detect.Seen{Value: 12, Expected: 9, Bulk: 2, Mem: [3]float32{99}}, want: "12; its level has left its usual level of 9: over about the last 720 min on average at least 3 above it"},
		"cusum_long_down":                       {seen: detect.Seen{Value: 7, Expected: 9, Bulk: 2, Mem: [3]float32{99}}, when: "Friday 10:00", want: "7; its level has left its usual Friday 10:00 of 9: over about the last 720 min on average at least 3 below it"},
		"ramp_up":                               {seen: detect.Seen{Value: 12, Bulk: 2, Mem: [3]float32{3, 1}}, when: "Friday 10:00", want: "12, drifting up against what is usual for the time of day by about 6 an hour over the last hours"},
		"ramp_down":                             {seen: detect.Seen{Value: 12, Bulk: 2, Mem: [3]float32{1, 3}}, want: "12, drifting down against its usual level by about 6 an hour over the last hours"},
		"variance_up":                           {seen: detect.Seen{Value: 12, Mem: [3]float32{9, 2, 50}}, want: "12, restless: it moves by 9 from sample to sample, 4.5x the 2 that are usual"},
		"likelihood":                            {seen: detect.Seen{Value: 12, Mem: [3]float32{1.5, 0.5, 0.2}}, want: "12; its last samples are unusual one after the other: 3.48 spreads off what is expected, 0.649 are usual"},
		"stuck":                                 {seen: detect.Seen{Value: 37, Mem: [3]float32{41, 0.12, 900}}, want: "Stuck at 37 for 42 samples (41 min), where 12 % of its samples repeat the one before"},
		"zero":                                  {seen: detect.Seen{Mem: [3]float32{30, 0.001, 900}}, want: "Zero for 30 samples (30 min), where under 1 % of its samples are zero"},
		"absent":                                {seen: detect.Seen{Missing: 25, Present: 8, Days: 9}, want: "No sample for 25 min, 25 missing, where 8 of 9 days have one at this time"},
		"absent on the first day":               {seen: detect.Seen{Missing: 25}, want: "No sample for 25 min, 25 missing"},
		"peer_outlier":                          {seen: detect.Seen{Value: 90, Led: 24, Siblings: 5}, group: `{job="api"}`, want: `90, unlike its 5 siblings of {job="api"}, which lead to expect 24`},
		"peer_outlier without labels":           {seen: detect.Seen{Value: 90, Led: 24, Siblings: 5}, group: `{}`, want: "90, unlike its 5 siblings, which lead to expect 24"},
		"joint": {
			seen: detect.Seen{Value: 90, Siblings: 5}, group: `{job="api"}`, shares: []detect.Share{{Part: 0.62}, {Name: `{instance="b"}`, Part: 0.35}, {Name: `{instance="c"}`, Part: 0.03}},
			want: `90; with its 5 siblings of {job="api"} it does not move as they usually do together: this one 62 %, {instance="b"} 35 % of it`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			row := detect.ByName(first(name))
			delete(silent, row.Name)
			require.NotEmpty(t, row.Kind, "a row of this name")
			require.Equal(t, c.want, row.Clause(&detect.Facts{
				Seen: c.seen, When: c.when, Step: time.Minute, Rates: &tuning.Rates{Params: tuning.Params{CusumHours: [2]float64{2, 12}, CusumSlack: [2]float64{1, 0.5}}, Cusum: [2]float64{0.05, 0.01}, Ramp: 0.05}, Group: c.group, Shares: c.shares,
				Num: func(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) },
				Dur: func(d time.Duration) string { return strconv.Itoa(int(d.Minutes())) + " min" },
			}))
		})
	}
	require.Empty(t, silent, "tests without a case here")
}

func first(words string) string {
	for i := range words {
		if words[i] == ' ' {
			return words[:i]
		}
	}
	return words
}
