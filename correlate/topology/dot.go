package topology

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

// dotStyle is how kinds of edges are drawn.
var dotStyle = map[EdgeKind]string{
	Call: "", Owns: "style=dashed", Host: "style=dotted", Uses: "style=dotted,arrowhead=odot", In: "style=dotted,arrowhead=none", Same: "dir=none,style=bold",
}

// dotShape is how kinds of entities are drawn.
var dotShape = map[Kind]string{
	KindPod: "ellipse", KindInstance: "ellipse", KindNode: "box3d", KindZone: "folder", KindVolume: "cylinder", KindDatabase: "cylinder", KindQueue: "cds", KindExternal: "octagon",
}

// WriteDOT writes edges in the language of Graphviz, in order.
func WriteDOT(w io.Writer, edges []Edge) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "digraph topology {\n  rankdir=LR;\n  node [shape=box];")
	var nodes []Entity
	for _, e := range edges {
		nodes = append(nodes, e.From, e.To)
	}
	slices.SortFunc(nodes, Compare)
	for _, n := range slices.Compact(nodes) {
		shape := dotShape[n.Kind]
		if shape == "" {
			shape = "box"
		}
		fmt.Fprintf(b, "  %q [label=%q,shape=%s];\n", n.String(), n.Name, shape)
	}
	for _, e := range edges {
		attrs := dotStyle[e.Kind]
		if attrs != "" {
			attrs += ","
		}
		fmt.Fprintf(b, "  %q -> %q [%stooltip=%q];\n", e.From.String(), e.To.String(), attrs, fmt.Sprintf("%s, %s, %.2f", e.Kind, e.Source, e.Confidence))
	}
	fmt.Fprintln(b, "}")
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write DOT: %w", err)
	}
	return nil
}
