package promread_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/promread"
)

// kinds notes the content type of each answer of a server.
type kinds struct {
	*server
	mu   sync.Mutex
	seen []string
}

func (k *kinds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.server.ServeHTTP(&noted{ResponseWriter: w, kinds: k}, r)
}

func (k *kinds) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.seen)
}

// noted is one answer.
type noted struct {
	http.ResponseWriter
	kinds *kinds
	begun bool
}

// Write implements http.ResponseWriter.
func (n *noted) Write(b []byte) (int, error) {
	if !n.begun {
		n.begun = true
		n.kinds.mu.Lock()
		n.kinds.seen = append(n.kinds.seen, n.Header().Get("Content-Type"))
		n.kinds.mu.Unlock()
	}
	return n.ResponseWriter.Write(b)
}

func TestAMomentOfFewSeriesIsReadAsPlainSamples(t *testing.T) {
	const plain, chunks = "application/x-protobuf", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
	var many []testSeries
	for i := range 400 {
		many = append(many, regular(labels.FromStrings("__name__", "temperature", "room", fmt.Sprint(i)), 3_000_000, 1000, noise(600)...))
	}
	for _, tc := range []struct {
		name, expr string
		from       time.Duration // Before the last step.
		ctx        func(context.Context) context.Context
		more       []testSeries
		want       []string
	}{
		{name: "a selector", expr: `temperature`, ctx: promread.Brief, want: []string{plain}},
		{name: "a rate", expr: `rate(requests_total[5m])`, ctx: promread.Brief, want: []string{plain}},
		{name: "what the engine evaluates", expr: `sum(rate(requests_total[5m]))`, ctx: promread.Brief, want: []string{plain}},
		{name: "a step that looks back far is streamed", expr: `rate(requests_total[1h])`, ctx: promread.Brief, want: []string{chunks}},
		{name: "many steps are streamed", expr: `temperature`, from: time.Hour, ctx: promread.Brief, want: []string{chunks}},
		{name: "many series are streamed", expr: `temperature`, ctx: func(ctx context.Context) context.Context { return ctx }, want: []string{chunks}},
		{
			name: "more series than can be held are streamed after all", expr: `temperature`, ctx: promread.Brief,
			more: many, want: []string{plain, chunks},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := &kinds{server: &server{series: append(history(11, 400), tc.more...)}}
			c, _ := client(t, k, func(c *promread.Config) { c.MaxBodyBytes = 1 << 20 })
			at := time.UnixMilli(3_600_000)
			read := func(ctx context.Context) result {
				out := result{}
				require.NoError(t, promread.Scrapes{Client: c}.Range(ctx, tc.expr, at.Add(-tc.from), at, time.Minute, func(ls labels.Labels, ts []int64, vs []float64) error {
					for i := range ts {
						out.add(ls.String(), ts[i], vs[i])
					}
					return nil
				}))
				return out
			}
			got := read(tc.ctx(t.Context()))
			require.Equal(t, tc.want, k.all())
			require.NotEmpty(t, got)
			require.Equal(t, read(t.Context()), got, "the values are the same either way")
		})
	}
}
