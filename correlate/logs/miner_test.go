package logs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate/logs"
)

func TestPattern(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"numbers and units":                   {"took 15 ms, 126MB at 80x25, -3.5%", "took <*> ms, <*> at <*>, <*>"},
		"addresses with and without port":     {"from /10.251.42.84 to 10.0.0.1:50010", "from <*> to <*>"},
		"a host with a port":                  {"proxy.example.com:5070 close", "<*> close"},
		"hexadecimal and UUID":                {"span dd84024eb1cbced4 of 015fd636-861e-4714-9347-2efbb1a98f37", "span <*> of <*>"},
		"paths":                               {"file /var/log/app.log and C:\\temp\\x.txt", "file <*> and <*>"},
		"identifiers with numbers":            {"blk_-7724713468912166542 node-129 CPU#0", "<*> node-<*> CPU#<*>"},
		"words that end in a digit stay":      {"port 22 ssh2", "port <*> ssh2"},
		"a date of several words is one":      {"at Fri Jun 17 07:07:00 2005 UTC", "at <*> UTC"},
		"key and value":                       {"uid=0 rhost=218.188.2.4 ok=true", "uid=<*> rhost=<*> ok=<*>"},
		"a size told twice":                   {"1500 bytes (1.46 KB) sent", "<*> sent"},
		"a bound in place of a value":         {"lifetime <1 sec", "lifetime <*>"},
		"white space is one space":            {"  a \t b  ", "a b"},
		"nothing":                             {"", ""},
		"letters of other scripts are words":  {"ошибка сервера 17", "ошибка сервера <*>"},
		"a line of numbers alone is one mask": {"1 2 3", "<*>"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, logs.Pattern(tc.in)) })
	}
}

// groups adds lines to a new miner and returns the lines of each template, in order of appearance.
func groups(lines ...string) [][]int {
	m := logs.New(logs.Options{})
	at := map[int]int{}
	var out [][]int
	for i, l := range lines {
		id, _, _ := m.Add(l)
		if _, ok := at[id]; !ok {
			at[id] = len(out)
			out = append(out, nil)
		}
		out[at[id]] = append(out[at[id]], i)
	}
	return out
}

func TestMinerGroups(t *testing.T) {
	for name, tc := range map[string]struct {
		lines []string
		want  [][]int
	}{
		"values of one event are one template": {
			[]string{"session opened for user ann by (uid=0)", "session opened for user bob by (uid=7)"}, [][]int{{0, 1}},
		},
		"different verbs are different events": {
			[]string{"session opened for user ann", "session closed for user ann"}, [][]int{{0}, {1}},
		},
		"states in capitals are different events": {
			[]string{"task_1 Transitioned from NEW to RUNNING", "task_2 Transitioned from RUNNING to DONE"}, [][]int{{0}, {1}},
		},
		"short lines are kept": {
			[]string{"normal", "warning", "", "normal"}, [][]int{{0, 3}, {1}, {2}},
		},
		"quoted text is a value": {
			[]string{`request failed reason="no route to host" id=1`, `request failed reason="timeout" id=2`}, [][]int{{0, 1}},
		},
		"lines of values alone do not swallow others": {
			[]string{"17", "jetty-6.1", "enabled"}, [][]int{{0}, {1}, {2}},
		},
		"JSON lines group by their message": {
			[]string{`{"level":"info","msg":"user logged in","id":7}`, `{"level":"info","msg":"user logged in","id":8}`, `{"level":"info","msg":"cache miss","id":9}`},
			[][]int{{0, 1}, {2}},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, groups(tc.lines...)) })
	}
}

func TestMinerTemplateGrowsWildcardsAndKeepsItsID(t *testing.T) {
	m := logs.New(logs.Options{})
	id, text, isNew := m.Add("session opened for user ann by cron")
	require.True(t, isNew)
	require.Equal(t, "session opened for user ann by cron", text)
	again, text, isNew := m.Add("session opened for user bob by cron")
	require.False(t, isNew)
	require.Equal(t, id, again)
	require.Equal(t, "session opened for user <*> by cron", text)
	require.Equal(t, 1, m.Len())
	m.Templates(func(tp *logs.Template) { require.EqualValues(t, 2, tp.Count) })
}

func TestMinerForgetsTheLeastRecentlySeen(t *testing.T) {
	m := logs.New(logs.Options{MaxTemplates: 2})
	a, _, _ := m.Add("alpha began")
	b, _, _ := m.Add("beta began")
	_, _, _ = m.Add("alpha began")
	c, _, isNew := m.Add("gamma began")
	require.True(t, isNew)
	require.Equal(t, 2, m.Len())
	kept, _, isNew := m.Add("alpha began")
	require.False(t, isNew)
	require.Equal(t, a, kept)
	fresh, _, isNew := m.Add("beta began")
	require.True(t, isNew, "beta was forgotten")
	require.NotContains(t, []int{a, b, c}, fresh, "an id is never given twice")
}

func TestMinerBoundsLineLength(t *testing.T) {
	m := logs.New(logs.Options{MaxLine: 16})
	_, text, _ := m.Add("word " + strings.Repeat("word ", 1000))
	require.LessOrEqual(t, len(text), 16)
}

func FuzzMiner(f *testing.F) {
	for _, s := range []string{"", "a=b", `{"a":"b","c":[1,2]}`, "x (1 KB", "<", "<1", "\xff\xfe", `"`, "12:30:45,1 Jan 7", "::", "-:-1", "a\"b c\"d e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := logs.New(logs.Options{MaxTemplates: 8})
		for _, line := range strings.Split(s, "\n") {
			id, text, _ := m.Add(line)
			again, textAgain, isNew := m.Add(line)
			require.Equal(t, id, again, "the same line belongs to the same template")
			require.Equal(t, text, textAgain)
			require.False(t, isNew)
		}
		require.LessOrEqual(t, m.Len(), 8)
	})
}

// sampleLines are 10 000 lines of 40 events with values.
func sampleLines() []string {
	r := uint64(1)
	next := func(n uint64) uint64 { r = r*6364136223846793005 + 1442695040888963407; return (r >> 33) % n }
	var out []string
	for range 10000 {
		switch e := next(40); e % 4 {
		case 0:
			out = append(out, fmt.Sprintf("Received block blk_%d of size %d from /10.0.%d.%d:50010 by worker%d", next(1e9), next(1e8), next(256), next(256), e))
		case 1:
			out = append(out, fmt.Sprintf("level=info ts=2026-01-02T03:04:%02dZ caller=main.go:%d msg=\"step %d done\" took=%dms id=%016x", next(60), e, e, next(900), next(1e15)))
		case 2:
			out = append(out, fmt.Sprintf("authentication failure; logname= uid=%d euid=0 tty=ssh%d rhost=host-%d.example.com user=user%d", e, e, next(500), next(90)))
		default:
			out = append(out, fmt.Sprintf("worker %d: Transitioned from STATE%d to RUNNING after %d.%d seconds in /var/lib/app/%d/data", next(1000), e, next(50), next(1000), next(99)))
		}
	}
	return out
}

// BenchmarkMiner reports lines per second on one core; the promise is 200 000.
func BenchmarkMiner(b *testing.B) {
	lines := sampleLines()
	m := logs.New(logs.Options{})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Match(lines[i%len(lines)])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkMinerUnseen never sees a masked form twice: the slow way for every line.
func BenchmarkMinerUnseen(b *testing.B) {
	lines := sampleLines()
	m := logs.New(logs.Options{MaxForms: 1})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Match(lines[i%len(lines)])
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
