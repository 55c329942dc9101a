package topology

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Hubble reads Cilium's flow metrics. They carry workloads only when configured:
// labelsContext=source_namespace,source_workload,destination_namespace,destination_workload, or
// sourceContext/destinationContext=workload ("namespace/workload").
//
// HTTP requests and SYN packets have a direction; forwarded flows hold answers as well, so they only
// say that two talk, at half the confidence and where nothing better is known.
type Hubble struct{}

// Name implements Source.
func (Hubble) Name() string { return "hubble" }

const hubbleBy = "source, destination, source_workload, source_namespace, source_app, destination_workload, destination_namespace, destination_app"

// Queries implements Source.
func (Hubble) Queries() []Query {
	return []Query{
		{"http", "sum by (" + hubbleBy + ") (increase(hubble_http_requests_total[1h]))"},
		{"syn", "sum by (" + hubbleBy + `) (increase(hubble_tcp_flags_total{flag="SYN"}[1h]))`},
		{"flows", "sum by (" + hubbleBy + `) (increase(hubble_flows_processed_total{verdict="FORWARDED"}[1h]))`},
	}
}

// Find implements Source.
func (s Hubble) Find(answers [][]Sample) Found {
	var f Found
	known := map[[2]Entity]bool{}
	for i, samples := range answers {
		directed := i < 2
		for _, x := range samples {
			from, to := hubbleEnd(x.Labels, "source"), hubbleEnd(x.Labels, "destination")
			if !(x.Value > 0) || from.Name == "" || to.Name == "" || from == to {
				continue
			}
			e := Edge{From: from, To: to, Kind: Call, Source: s.Name(), Confidence: 1}
			if !directed {
				if known[[2]Entity{from, to}] || known[[2]Entity{to, from}] {
					continue
				}
				e.Confidence = 0.5
			} else {
				known[[2]Entity{from, to}] = true
			}
			f.edge(e)
		}
	}
	return f
}

// hubbleEnd reads one side: the labels of labelsContext first, then "namespace/workload".
func hubbleEnd(ls labels.Labels, side string) Entity {
	e := Entity{Kind: KindService, Namespace: ls.Get(side + "_namespace"), Name: first(ls, side+"_workload", side+"_app")}
	if e.Name != "" {
		return e
	}
	v := ls.Get(side)
	if v == "" || strings.HasPrefix(v, "reserved:") || v == "world" || v == "host" {
		return Entity{}
	}
	if ns, name, ok := strings.Cut(v, "/"); ok {
		e.Namespace, e.Name = ns, name
		return e
	}
	e.Name = v
	return e
}
