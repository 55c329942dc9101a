package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tidemark/tidemark/correlate/topology"
)

// topologyCommand adds `tidetool topology`: the graph of a running tidemark, or of files.
func topologyCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("topology", "The graph of what calls, owns and hosts what, of a running tidemark or of a file.")
	t := topologyCmd{client: clientFlags(cmd)}
	cmd.Flag("graph", "Read the graph from this CSV (source,target,kind) instead; nodes.csv beside it is read, too.").ExistingFileVar(&t.graph)
	cmd.Flag("dot", "Write the language of Graphviz, as in: tidetool topology --dot | dot -Tsvg > topology.svg").BoolVar(&t.dot)
	return map[string]runFunc{"topology": t.run}
}

type topologyCmd struct {
	*client
	graph string
	dot   bool
}

// servedEdge is an edge as GET /api/v1/topology has it.
type servedEdge struct {
	From       string    `json:"from"`
	To         string    `json:"to"`
	Kind       string    `json:"kind"`
	Source     string    `json:"source"`
	Confidence float64   `json:"confidence"`
	FirstSeen  time.Time `json:"first_seen,omitzero"`
	LastSeen   time.Time `json:"last_seen,omitzero"`
}

func (t *topologyCmd) run(ctx context.Context, s streams) error {
	var answer struct {
		Edges []servedEdge `json:"edges"`
	}
	if t.graph == "" {
		if !t.dot {
			return t.get(ctx, s, "/api/v1/topology", &answer, func(w io.Writer) { printEdges(w, answer.Edges) })
		}
		if err := t.call(ctx, "GET", "/api/v1/topology", nil, &answer); err != nil {
			return err
		}
		edges := make([]topology.Edge, 0, len(answer.Edges))
		for _, e := range answer.Edges {
			edges = append(edges, e.edge())
		}
		return topology.WriteDOT(s.out, edges)
	}
	g, err := readGraphFiles(t.graph)
	if err != nil {
		return err
	}
	edges := g.Edges(time.Time{})
	if t.dot {
		return topology.WriteDOT(s.out, edges)
	}
	answer.Edges = make([]servedEdge, 0, len(edges))
	for _, e := range edges {
		answer.Edges = append(answer.Edges, servedEdge{From: e.From.Name, To: e.To.Name, Kind: string(e.Kind), Source: e.Source, Confidence: e.Confidence})
	}
	if t.output == "json" {
		return printJSON(s.out, answer)
	}
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	printEdges(w, answer.Edges)
	return w.Flush()
}

// edge of a served one: what the ends are is seen from the kind of the edge.
func (e servedEdge) edge() topology.Edge {
	kinds := topology.EndKinds(topology.EdgeKind(e.Kind))
	return topology.Edge{
		From: topology.Entity{Kind: kinds[0], Name: e.From}, To: topology.Entity{Kind: kinds[1], Name: e.To},
		Kind: topology.EdgeKind(e.Kind), Source: e.Source, Confidence: e.Confidence,
	}
}

func printEdges(w io.Writer, edges []servedEdge) {
	fmt.Fprintln(w, "FROM\tKIND\tTO\tSOURCE\tCONFIDENCE\tLAST SEEN")
	for _, e := range edges {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%s\n", clean(e.From), clean(e.Kind), clean(e.To), clean(e.Source), e.Confidence, stamp(e.LastSeen))
	}
}

// forever is the life of edges that come from a file.
const forever = 100 * 365 * 24 * time.Hour

// readGraphFiles reads a graph as CSV and the nodes.csv beside it; path "" is an empty graph.
func readGraphFiles(path string) (*topology.Graph, error) {
	g := topology.NewGraph(topology.Options{TTL: forever, Retention: forever})
	if path == "" {
		return g, nil
	}
	at := time.Unix(0, 0).UTC()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	edges, err := topology.ReadGraph(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g.Add(at, edges...)
	nodes := nodesBeside(path)
	n, err := os.Open(nodes)
	if errors.Is(err, os.ErrNotExist) {
		return g, nil
	}
	if err != nil {
		return nil, err
	}
	defer n.Close()
	found, err := topology.ReadNodes(n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nodes, err)
	}
	g.Apply(at, found)
	return g, nil
}
