package export

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// reserved are label names that our families set themselves; a watched series' own label of that
// name moves to exported_NAME, as Prometheus does on a clash of target labels.
var reserved = map[string]bool{"watch": true, "kind": true, "detector": true, "horizon": true, "limit": true, "for": true}

// SeriesLabels are the labels that every metric of a watched series carries: the series' own without
// its metric name, and the watch.
func SeriesLabels(ls labels.Labels, watch string) labels.Labels {
	b := labels.NewScratchBuilder(ls.Len() + 1)
	ls.Range(func(l labels.Label) {
		switch {
		case l.Name == model.MetricNameLabel || l.Value == "":
		case reserved[l.Name]:
			b.Add("exported_"+l.Name, l.Value)
		case !model.LegacyValidation.IsValidLabelName(l.Name):
			// The text format 0.0.4 has no other names; this is the escaping that Prometheus negotiates.
			b.Add(model.EscapeName(l.Name, model.ValueEncodingEscaping), l.Value)
		default:
			b.Add(l.Name, l.Value)
		}
	})
	b.Add("watch", watch)
	b.Sort()
	return b.Labels()
}

// Block is the text form of labels inside the braces of the exposition format
// (prometheus.io/docs/instrumenting/exposition_formats): backslash, quote and line feed escaped. The
// names must be legacy label names, as SeriesLabels makes them.
func Block(ls labels.Labels) string {
	var sb strings.Builder
	ls.Range(func(l labels.Label) {
		if sb.Len() > 0 {
			sb.WriteByte(',')
		}
		sb.WriteString(l.Name)
		sb.WriteString(`="`)
		escaper.WriteString(&sb, l.Value) //nolint:errcheck // A strings.Builder never fails.
		sb.WriteByte('"')
	})
	return sb.String()
}

var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// WriteText writes the page in the text exposition format 0.0.4, family by family, without holding
// it in memory.
func (e *Exporter) WriteText(w io.Writer) error {
	bw := bufio.NewWriterSize(w, 64<<10)
	num := make([]byte, 0, 32)
	for _, f := range e.families {
		head := false
		e.each(func(s *Series) {
			f.emit(s, func(v float64, extras ...extra) {
				if math.IsNaN(v) {
					return
				}
				if !head {
					head = true
					bw.WriteString("# HELP " + f.name + " " + f.help + "\n# TYPE " + f.name + " gauge\n")
				}
				bw.WriteString(f.name)
				bw.WriteByte('{')
				bw.WriteString(s.Block)
				for _, x := range extras {
					bw.WriteByte(',')
					bw.WriteString(x.name)
					bw.WriteString(`="`)
					escaper.WriteString(bw, x.value) //nolint:errcheck // The flush reports it.
					bw.WriteByte('"')
				}
				bw.WriteString("} ")
				num = appendValue(num[:0], v)
				bw.Write(num)
				bw.WriteByte('\n')
			})
		})
	}
	return bw.Flush()
}

// appendValue appends v as the exposition format writes it.
func appendValue(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, "+Inf"...)
	case math.IsInf(v, -1):
		return append(b, "-Inf"...)
	}
	return strconv.AppendFloat(b, v, 'g', 10, 64)
}
