package detect_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/baseline/detect"
	"github.com/tidemark/tidemark/baseline/tuning"
)

func input(r *tuning.Rates, z float64) *detect.Input {
	return &detect.Input{Value: 10 + z, Last: 10, Season: z, Local: z, Global: z, Far: z, Bulk: z, Scale: 1, GlobalScale: 1, Steps: 1000, Rates: r, N: 1, Move: math.Abs(z), Off: float64(detect.Surprise(float32(z), float32(z), 0))}
}

// Every row keeps the contract: a name of its own, a statistic that is a number at or above its
// floor whatever the sample, and silence on calm.
func TestEveryRow(t *testing.T) {
	rates := tuning.NewRates(tuning.Default(), 60)
	names := map[string]bool{}
	for i, d := range detect.All() {
		t.Run(d.Name, func(t *testing.T) {
			require.False(t, names[d.Name], "name twice")
			names[d.Name] = true
			require.Equal(t, d.Name, detect.ByName(d.Name).Name)
			require.NotNil(t, d.Say, "a row says what it saw")
			var c detect.Cells
			for _, z := range []float64{0, 1, -1, 1e300, -1e300, 5e-324, 0, 0} {
				c.SumAll(input(rates, z))
				y := d.Stat(c.Window(i), input(rates, z))
				require.False(t, math.IsNaN(y), "z %g", z)
				require.GreaterOrEqual(t, y, d.Floor)
			}
		})
	}
}

// What each test is for raises its score above all that calm noise reached.
func TestEveryRowSeesWhatItIsFor(t *testing.T) {
	p := tuning.Default()
	rates := tuning.NewRates(p, 60)
	shapes := map[string]func(i int) float64{
		"spike": func(i int) float64 { return 12 },
		"shift": func(i int) float64 { return 2 },
		"ramp":  func(i int) float64 { return float64(i) / 100 },
		"jumpy": func(i int) float64 { return 8 * float64(i%2) },
		"stuck": func(i int) float64 { return 0 },
	}
	for name, shape := range map[string]string{
		"season_up": "spike", "local_up": "spike", "global_up": "spike", "record_up": "spike", "slow_up": "shift",
		"cusum_short_up": "shift", "cusum_long_up": "shift", "ramp_up": "ramp", "variance_up": "jumpy", "stuck": "stuck", "likelihood": "jumpy",
	} {
		t.Run(name, func(t *testing.T) {
			row := slices.IndexFunc(detect.All(), func(d detect.Detector) bool { return d.Name == name })
			d := detect.All()[row]
			var c detect.Law
			var cells detect.Cells
			mem := cells.Window(row)
			c.Reset(&d, &p)
			r := rand.New(rand.NewPCG(1, 1))
			last, calm := 10.0, 0.0
			feed := func(z float64) float64 {
				in := input(rates, z)
				in.Last = last
				last = in.Value
				in.Move, in.Same = math.Abs(in.Value-in.Last), 0
				if in.Value == in.Last {
					in.Same = 1
				}
				cells.SumAll(in)
				y := d.Stat(mem, in)
				if d.Turn != nil {
					d.Turn(mem, in)
				}
				c.Max = max(c.Max, float32(y))
				return c.Score(y)
			}
			for i := range 5 * 1440 {
				u := feed(r.NormFloat64())
				if i > 1440 {
					calm = max(calm, u)
				}
				if i%60 == 59 {
					c.Close(&d, &p)
				}
			}
			seen := 0.0
			for i := range 400 {
				seen = max(seen, feed(shapes[shape](i)))
			}
			require.Greater(t, seen, calm+1)
		})
	}
}

func TestPoolIsTheInverseOfItself(t *testing.T) {
	p := tuning.Default()
	var q detect.Pool
	q.Reset(&p)
	for _, u := range []float64{1, 3, 5, 10} {
		require.InDelta(t, u, q.At(q.LogP(u, &p), &p), 1e-6)
	}
}

// A score of 4 in series whose largest scores of a block are usually about mean.
func TestTheLawOfScoresLiesBetweenTheSeriesOwnAndThatOfSeriesInGeneral(t *testing.T) {
	p := tuning.Default()
	logp := func(mean float64, p *tuning.Params) float64 {
		q := detect.Pool{PoolState: detect.PoolState{Mean: float32(mean), Var: 1, N: 500}}
		return q.LogP(4, p)
	}
	own := p
	own.Common2 = 0
	for _, c := range []struct {
		name string
		mean float64
		as   float64 // the score is as rare as by a law of its own around this mean
	}{
		{"a series like most is taken as it is", p.PriorMean2, p.PriorMean2},
		{"in one that hardly stirs the score is less rare than by its own law", p.PriorMean2 - 1, p.PriorMean2 - 1 + p.Common2},
		{"in one that stirs more it is rarer", p.PriorMean2 + 1, p.PriorMean2 + 1 - p.Common2},
		{"one that is far from all others is moved by some deviations at most", p.PriorMean2 + 3, p.PriorMean2 + 3 - p.CommonMost2},
	} {
		t.Run(c.name, func(t *testing.T) { require.InDelta(t, logp(c.as, &own), logp(c.mean, &p), 1e-5) })
	}
	q := detect.Pool{PoolState: detect.PoolState{Mean: 1, Var: 1, N: 500}}
	require.InDelta(t, q.LogP(4, &own), q.LogPAlone(4, &p), 1e-9, "what is no matter of the series' own tests goes by its own law")
}

func TestJointSeesOneThatParts(t *testing.T) {
	rates := tuning.NewRates(tuning.Default(), 300)
	r := rand.New(rand.NewPCG(2, 2))
	p := tuning.Default()
	j := detect.NewJoint(&p)
	z := make([]float64, 6)
	for k := range z {
		j.Insert(k)
	}
	calm, n := 0.0, 5*288
	for i := range n {
		common := r.NormFloat64()
		for k := range z {
			z[k] = common + 0.1*r.NormFloat64()
		}
		y, _ := j.Observe(z, int64(i/12), rates)
		calm = max(calm, j.Score(y))
	}
	for k := range z {
		z[k] = 1.5
	}
	z[3] = -1.5 // as far from its own usual as the others, and against them
	y, share := j.Observe(z, int64(n/12), rates)
	require.Greater(t, j.Score(y), calm+1)
	require.Equal(t, 3, argmax(share))
}

func argmax(v []float64) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// What is skipped says nothing: a row that is not asked would have returned its floor.
func TestRowsThatAreNotAskedHaveNothingToSay(t *testing.T) {
	rates := tuning.NewRates(tuning.Default(), 60)
	r := rand.New(rand.NewPCG(4, 4))
	var asked, all detect.Cells
	last := 0.0
	for n := range 20_000 {
		z := r.NormFloat64() * []float64{0.1, 1, 3}[n/7%3]
		if n%5 < 3 {
			z = float64(int(z))
		}
		in := input(rates, z)
		in.Value, in.Last, in.Gap, last = z, last, n%50 == 0, z
		points := asked.Evident(in)
		asked.SumAll(in)
		all.SumAll(in)
		sums := asked.Lasting(&rates.Sum)
		for i, d := range detect.All() {
			if !d.Each {
				continue
			}
			rows := points
			if d.Sums {
				rows = sums
			}
			want, got := d.Stat(all.Window(i), in), d.Floor
			if rows&(1<<i) != 0 {
				got = d.Stat(asked.Window(i), in)
			}
			require.Equal(t, want, got, "%s of sample %d", d.Name, n)
			if d.Turn != nil {
				d.Turn(all.Window(i), in)
				d.Turn(asked.Window(i), in)
			}
		}
		require.Equal(t, all, asked, "sample %d", n)
	}
}
