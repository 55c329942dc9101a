package export

import (
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

// WriteText writes the page in the text exposition format 0.0.4, family by family. The text streams; what is
// held are the values of the written series.
func (e *Exporter) WriteText(w io.Writer) error { return e.write(w, nil) }

func (e *Exporter) write(w io.Writer, asked []selector) error {
	p := e.take(asked)
	defer e.give(p)
	b := e.buffers.Get().(*pageBuffer)
	defer e.buffers.Put(b)
	b.w, b.b, b.err = w, b.b[:0], nil
	for i := range e.families {
		e.families[i].write(b, p)
	}
	if asked == nil {
		for i := range aggregates {
			aggregates[i].write(b, p)
		}
	}
	return b.flush()
}

// pageBuffer gathers lines for a writer.
type pageBuffer struct {
	w   io.Writer
	b   []byte
	err error
}

const bufferSize = 64 << 10

// spill writes what is gathered when it is much.
func (b *pageBuffer) spill() {
	if len(b.b) >= bufferSize {
		_ = b.flush()
	}
}

func (b *pageBuffer) flush() error {
	if b.err == nil && len(b.b) > 0 {
		_, b.err = b.w.Write(b.b)
	}
	b.b = b.b[:0]
	return b.err
}

func (b *pageBuffer) head(name, help string) {
	b.b = append(append(append(append(b.b, "# HELP "...), name...), ' '), help...)
	b.b = append(append(append(b.b, "\n# TYPE "...), name...), " gauge\n"...)
}

// write writes the samples of one family.
func (f *family) write(b *pageBuffer, p *page) {
	head := false
	for i := range p.rows {
		r := &p.rows[i]
		for n := range f.count(r) {
			v := f.value(p, r, n)
			if math.IsNaN(v) {
				continue
			}
			if !head {
				head = true
				b.head(f.name, f.help)
			}
			b.b = append(append(append(b.b, f.name...), '{'), r.block...)
			for _, x := range f.extra(p, r, n) {
				if x.name != "" {
					b.b = appendLabel(b.b, x.name, x.value)
				}
			}
			b.b = append(appendValue(append(b.b, "} "...), v), '\n')
			b.spill()
		}
	}
}

func (a *aggregate) write(b *pageBuffer, p *page) {
	for i := range p.watches {
		w := &p.watches[i]
		if i == 0 {
			b.head(a.name, a.help)
		}
		b.b = append(append(append(b.b, a.name...), `{watch="`...), w.name...) // names of watches need no escaping
		b.b = append(appendValue(append(b.b, `"} `...), a.value(w)), '\n')
		b.spill()
	}
}

func appendLabel(b []byte, name, value string) []byte {
	b = append(append(append(b, ','), name...), `="`...)
	if strings.ContainsAny(value, "\\\n\"") {
		value = escaper.Replace(value)
	}
	return append(append(b, value...), '"')
}

// appendValue appends v as the exposition format writes it. Ten digits are more than a band is worth, and half
// the time of seventeen; whole numbers are written whole.
func appendValue(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, "+Inf"...)
	case math.IsInf(v, -1):
		return append(b, "-Inf"...)
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', 10, 64)
}
