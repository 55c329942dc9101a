package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidemark/tidemark/internal/benchmarks/fleet"
)

// moment is when something ends with a sample: every so many minutes, so many after midnight.
type moment struct {
	name      string
	every, at int64
}

// moments are those, the dearest first.
var moments = []moment{
	{"the day's first", 1440, 0},
	{"a block's first (three hours)", 180, 0},
	{"an hour's first", 60, 0},
	{"a slot's first", 20, 0},
	{"a beat's last", 5, 4},
	{"any other", 1, 0},
}

// split measures what a sample costs at each moment: a thousand series hot, of four weeks, one and five minutes between
// samples. All
// series of a fleet reach a moment together, so that a slice holds samples of one sort: calm ones and those that matter to
// a test as they come.
func (b *bench) split() error {
	for _, step := range []int64{minute, 5 * minute} {
		f, err := newHerd(1000, int(days*1440*minute/step), step, fleet.Labels)
		if err != nil {
			return err
		}
		b.moments(f)
	}
	return nil
}

// moments runs a fleet through two days and files what each moment costs, in the median, and the
// mean of a day's samples by those.
func (b *bench) moments(f *herd) {
	took := make([][]float64, len(moments))
	for range 2 * 1440 * minute / f.step {
		f.at += f.step
		start := cpu()
		f.tick(0, len(f.series))
		ns := perUnit(cpu()-start, len(f.series))
		m := f.at / minute
		i := slices.IndexFunc(moments, func(k moment) bool { return m%k.every == k.at })
		if f.step > minute && m%20 != 0 {
			i = len(moments) - 1
		}
		took[i] = append(took[i], ns)
	}
	every := fmt.Sprintf("%.0f min apart", (time.Duration(f.step) * time.Millisecond).Minutes())
	sum, n := 0.0, 0
	for i, k := range moments {
		if len(took[i]) == 0 {
			continue
		}
		slices.Sort(took[i])
		x := took[i][len(took[i])/2]
		sum, n = sum+x*float64(len(took[i])), n+len(took[i])
		b.note(fmt.Sprintf("a sample, %s: %s", every, k.name), x, "ns")
	}
	b.note(fmt.Sprintf("a sample, %s: mean of a day", every), sum/float64(n), "ns")
}
