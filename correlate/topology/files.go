package topology

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// SourceFile is Edge.Source of edges read from a graph file.
const SourceFile = "file"

// ReadGraph reads edges from CSV with the header source,target,kind or caller,callee,kind, in any
// order of columns; kind is call, owns, instance (as owns) or host. Names become services, pods and
// nodes by their place in the edges.
func ReadGraph(r io.Reader) ([]Edge, error) {
	rows, err := readCSV(r, [][]string{{"source", "caller", "from"}, {"target", "callee", "to"}, {"kind"}})
	if err != nil {
		return nil, fmt.Errorf("read graph: %w", err)
	}
	edges := make([]Edge, 0, len(rows))
	for i, row := range rows {
		e, err := fileEdge(row[0], row[1], row[2])
		if err != nil {
			return nil, fmt.Errorf("read graph: row %d: %w", i+2, err)
		}
		edges = append(edges, e)
	}
	return edges, nil
}

func fileEdge(from, to, kind string) (Edge, error) {
	e := Edge{From: Entity{Name: from}, To: Entity{Name: to}, Source: SourceFile, Confidence: 1}
	if from == "" || to == "" {
		return e, errors.New("an end of the edge has no name")
	}
	switch kind {
	case "call":
		e.Kind, e.From.Kind, e.To.Kind = Call, KindService, KindService
	case "owns", "instance":
		e.Kind, e.From.Kind, e.To.Kind = Owns, KindService, KindPod
	case "host":
		e.Kind, e.From.Kind, e.To.Kind = Host, KindPod, KindNode
	case "uses":
		e.Kind, e.From.Kind, e.To.Kind = Uses, KindPod, KindVolume
	case "in":
		e.Kind, e.From.Kind, e.To.Kind = In, KindNode, KindZone
	default:
		return e, fmt.Errorf("kind %q is not one of call, owns, instance, host, uses, in", kind)
	}
	return e, nil
}

// ReadNodes reads node,internal_ip,zone: the addresses and zones of nodes. A zone "a" becomes the
// entity "zone-a", which is how an incident names it.
func ReadNodes(r io.Reader) (Found, error) {
	rows, err := readCSV(r, [][]string{{"node", "name"}, {"internal_ip", "ip", "address"}, {"zone"}})
	if err != nil {
		return Found{}, fmt.Errorf("read nodes: %w", err)
	}
	var f Found
	for _, row := range rows {
		addNode(&f, SourceFile, Entity{Kind: KindNode, Name: row[0]}, row[1], row[2])
	}
	return f, nil
}

// addNode describes a node and puts it into its zone.
func addNode(f *Found, source string, node Entity, ip, zone string) {
	if node.Name == "" {
		return
	}
	f.describe(node, "name", node.Name)
	f.describe(node, AttrIP, ip)
	addZone(f, source, node, zone)
}

func addZone(f *Found, source string, node Entity, zone string) {
	if zone == "" {
		return
	}
	f.describe(node, AttrZone, zone)
	f.edge(Edge{
		From: node, To: Entity{Kind: KindZone, Cluster: node.Cluster, Name: ZoneName(zone)},
		Kind: In, Source: source, Confidence: 1,
	})
}

// ZoneName is how a zone is called in incidents: "zone-a" for the label value "a"; longer names as
// eu-west-1a stay as they are.
func ZoneName(zone string) string {
	if len(zone) <= 2 {
		return "zone-" + zone
	}
	return zone
}

// readCSV returns the wanted columns (each with its accepted headers) of every row. Missing columns
// but the first two are empty.
func readCSV(r io.Reader, columns [][]string) ([][]string, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: want a header line")
	}
	if err != nil {
		return nil, err
	}
	at := make([]int, len(columns))
	for i, names := range columns {
		at[i] = slices.IndexFunc(header, func(h string) bool {
			return slices.Contains(names, strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))))
		})
		if at[i] < 0 && i < 2 {
			return nil, fmt.Errorf("the header %q has no column %s", strings.Join(header, ","), strings.Join(names, " or "))
		}
	}
	var out [][]string
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, j := range at {
			if j >= 0 && j < len(rec) {
				row[i] = strings.TrimSpace(rec[j])
			}
		}
		out = append(out, row)
	}
}
