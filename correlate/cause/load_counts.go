package cause

import (
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark/tidemark/correlate/logs"
)

// maxPattern bounds the text of a log pattern.
const maxPattern = 200

// loadCounts reads the log and span counts that case.json names.
func loadCounts(c *Case, f caseFile, at func(string) string) error {
	for _, x := range []struct {
		name string
		into *[]LogCount
	}{{f.Logs, &c.Logs}, {f.LogsBaseline, &c.LogsBaseline}} {
		if x.name == "" {
			continue
		}
		if err := required(at(x.name), func(r io.Reader) (err error) { *x.into, err = readLogs(r, x.name); return err }); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		name string
		into *[]SpanCount
	}{{f.Spans, &c.Spans}, {f.SpansBaseline, &c.SpansBaseline}} {
		if x.name == "" {
			continue
		}
		if err := required(at(x.name), func(r io.Reader) (err error) { *x.into, err = readSpans(r); return err }); err != nil {
			return err
		}
	}
	return nil
}

// readLogs counts the events of `timestamp_ms,service,message`; the file is one window.
func readLogs(r io.Reader, name string) ([]LogCount, error) {
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		defer func() { _ = z.Close() }()
		r = z
	}
	cr := newCSV(r)
	at, err := header(cr, "timestamp_ms", "service", "message")
	if err != nil {
		return nil, err
	}
	type key struct{ entity, pattern string }
	counts := map[key]float64{}
	first := int64(math.MaxInt64)
	err = rows(cr, func(row []string) error {
		t, err := strconv.ParseInt(row[at[0]], 10, 64)
		if err != nil {
			return fmt.Errorf("time stamp %q is no number of milliseconds", row[at[0]])
		}
		first = min(first, t)
		p := logs.Event(row[at[2]])
		if len(p) > maxPattern {
			p = strings.ToValidUTF8(p[:maxPattern], "")
		}
		counts[key{row[at[1]], p}]++
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]LogCount, 0, len(counts))
	for k, n := range counts {
		out = append(out, LogCount{Window: first, Entity: k.entity, Pattern: k.pattern, Count: n, Query: name + ": " + k.pattern})
	}
	slices.SortFunc(out, func(a, b LogCount) int {
		return cmp.Or(cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Pattern, b.Pattern))
	})
	return out, nil
}

// readSpans reads `minute,caller,service,operation,count,mean_ms,p50_ms`; the file is one window.
func readSpans(r io.Reader) ([]SpanCount, error) {
	cr := newCSV(r)
	at, err := header(cr, "minute", "caller", "service", "operation", "count", "mean_ms", "p50_ms")
	if err != nil {
		return nil, err
	}
	var out []SpanCount
	first := int64(math.MaxInt64)
	err = rows(cr, func(row []string) error {
		var n [4]float64
		for i, j := range []int{at[0], at[4], at[5], at[6]} {
			x, err := strconv.ParseFloat(row[j], 64)
			if err != nil || !finite(x) {
				return fmt.Errorf("%q is no number", row[j])
			}
			n[i] = x
		}
		t := int64(n[0] * 1000)
		first = min(first, t)
		s := SpanCount{Time: t, Caller: row[at[1]], Entity: row[at[2]], Operation: row[at[3]], Count: n[1], MeanMs: n[2], P50Ms: n[3]}
		s.Client = s.Caller == s.Entity && outgoing(s.Operation)
		out = append(out, s)
		return nil
	})
	for i := range out {
		out[i].Window = first
	}
	return out, err
}

// outgoing says whether an operation inside a service is a call to another, after the span names
// of HTTP and RPC clients in the OpenTelemetry conventions.
func outgoing(op string) bool {
	op = strings.TrimPrefix(op, "HTTP ")
	switch op {
	case "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS":
		return true
	}
	return strings.HasPrefix(op, "grpc.") || strings.HasPrefix(op, "rpc ")
}
