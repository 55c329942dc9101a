package topology

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Options of a Graph; zero values are the defaults.
type Options struct {
	// TTL is how long an edge stands after it was last seen: 1 h by default. Service graph counters
	// of rare calls rest for a while, and an incident silences the very calls that explain it.
	TTL time.Duration
	// Retention is how long an edge is kept for explaining the past: 30 days by default.
	Retention time.Duration
	// MaxEdges bounds the memory: 200 000 by default. Above it new edges are refused and counted.
	MaxEdges int
}

func (o Options) withDefaults() Options {
	if o.TTL <= 0 {
		o.TTL = time.Hour
	}
	if o.Retention <= 0 {
		o.Retention = 30 * 24 * time.Hour
	}
	if o.MaxEdges <= 0 {
		o.MaxEdges = 200_000
	}
	return o
}

// maxSpans bounds the history of one edge: the oldest two spans are joined above it.
const maxSpans = 16

type edgeKey struct {
	from, to Entity
	kind     EdgeKind
	source   string
}

type span struct{ from, to time.Time }

type edgeRecord struct {
	confidence float64
	spans      []span // in order of time, not overlapping
}

// Graph keeps edges and attributes with their history. Safe for concurrent use.
type Graph struct {
	opts Options

	mu      sync.Mutex
	edges   map[edgeKey]*edgeRecord
	attrs   map[Entity]Attributes
	version uint64
	refused uint64
	views   map[viewKey]*View
}

type viewKey struct {
	version uint64
	at      int64
}

// NewGraph returns an empty graph.
func NewGraph(opts Options) *Graph {
	return &Graph{
		opts:  opts.withDefaults(),
		edges: map[edgeKey]*edgeRecord{},
		attrs: map[Entity]Attributes{},
		views: map[viewKey]*View{},
	}
}

// Add notes that the edges were seen at time t. FirstSeen and LastSeen of the argument are not
// read; a confidence outside (0, 1] counts as 1.
func (g *Graph) Add(t time.Time, edges ...Edge) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range edges {
		if e.From.Name == "" || e.To.Name == "" || e.From == e.To {
			continue
		}
		if e.Confidence <= 0 || e.Confidence > 1 {
			e.Confidence = 1
		}
		g.add(t, e)
	}
}

func (g *Graph) add(t time.Time, e Edge) {
	k := edgeKey{e.From, e.To, e.Kind, e.Source}
	r := g.edges[k]
	if r == nil {
		if len(g.edges) >= g.opts.MaxEdges {
			g.refused++
			return
		}
		r = &edgeRecord{}
		g.edges[k] = r
	}
	if r.confidence != e.Confidence {
		r.confidence = e.Confidence
		g.version++
	}
	if r.see(t, g.opts.TTL) {
		g.version++
	}
}

// see extends the span that t continues or opens a new one; true when the shape of history changed.
func (r *edgeRecord) see(t time.Time, ttl time.Duration) bool {
	for i := len(r.spans) - 1; i >= 0; i-- {
		s := &r.spans[i]
		switch {
		case t.After(s.to.Add(ttl)):
			r.spans = slices.Insert(r.spans, i+1, span{t, t})
			if len(r.spans) > maxSpans {
				r.spans[1].from = r.spans[0].from
				r.spans = slices.Delete(r.spans, 0, 1)
			}
			return true
		case t.After(s.to):
			s.to = t
			return false
		case !t.Before(s.from):
			return false
		case !t.Before(s.from.Add(-ttl)):
			s.from = t
			return true
		}
	}
	r.spans = slices.Insert(r.spans, 0, span{t, t})
	return true
}

// Describe sets attributes of an entity; existing names are overwritten.
func (g *Graph) Describe(e Entity, attrs Attributes) {
	g.mu.Lock()
	defer g.mu.Unlock()
	have := g.attrs[e]
	if have == nil {
		have = Attributes{}
		g.attrs[e] = have
	}
	for k, v := range attrs {
		if v != "" && have[k] != v {
			have[k] = v
			g.version++
		}
	}
}

// Apply adds what a source found at time t.
func (g *Graph) Apply(t time.Time, f Found) {
	g.Add(t, f.Edges...)
	for e, a := range f.Attributes {
		g.Describe(e, a)
	}
}

// Edges returns the edges that stand at time t, or all of history when t is zero, in order.
func (g *Graph) Edges(t time.Time) []Edge {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.edgesAt(t)
}

func (g *Graph) edgesAt(t time.Time) []Edge {
	var out []Edge
	for k, r := range g.edges {
		first, last := r.spans[0].from, r.spans[len(r.spans)-1].to
		if !t.IsZero() && !r.standsAt(t, g.opts.TTL) {
			continue
		}
		out = append(out, Edge{
			From: k.from, To: k.to, Kind: k.kind, Source: k.source,
			Confidence: r.confidence, FirstSeen: first, LastSeen: last,
		})
	}
	SortEdges(out)
	return out
}

// standsAt allows the TTL on both sides: an edge seen a little after t was there at t, too, since
// sources are asked every few minutes.
func (r *edgeRecord) standsAt(t time.Time, ttl time.Duration) bool {
	for _, s := range r.spans {
		if !t.Before(s.from.Add(-ttl)) && !t.After(s.to.Add(ttl)) {
			return true
		}
	}
	return false
}

// Expire forgets edges not seen within the retention before now and returns how many.
func (g *Graph) Expire(now time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.edges)
	limit := now.Add(-g.opts.Retention)
	maps.DeleteFunc(g.edges, func(_ edgeKey, r *edgeRecord) bool {
		return r.spans[len(r.spans)-1].to.Before(limit)
	})
	if n != len(g.edges) {
		g.version++
	}
	return n - len(g.edges)
}

// Refused is the number of new edges not kept because of MaxEdges.
func (g *Graph) Refused() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

// viewGrain is how finely views of the graph are told apart by time; an edge's life is hours.
const viewGrain = 5 * time.Minute

// At returns the graph of time t. Views are cached per five minutes and shared: they do not change.
func (g *Graph) At(t time.Time) *View {
	g.mu.Lock()
	defer g.mu.Unlock()
	t = t.Truncate(viewGrain)
	k := viewKey{g.version, t.Unix()}
	if v := g.views[k]; v != nil {
		return v
	}
	if len(g.views) >= 8 {
		clear(g.views)
	}
	attrs := make(map[Entity]Attributes, len(g.attrs))
	for e, a := range g.attrs {
		attrs[e] = maps.Clone(a)
	}
	v := NewView(g.edgesAt(t), attrs)
	g.views[k] = v
	return v
}
