package receiver

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// maxLabelText bounds a stream's labels as text, before they are parsed.
const maxLabelText = 64 << 10

// decodeLoki takes a push as Loki does: protobuf in a snappy block, or JSON, plain or gzip. Answers are
// Loki's: 204, 400 when entries were invalid (the others are kept), 413, 429 over the rate.
func (r *Receiver) decodeLoki(c *Config, h http.Header, body []byte) (kept, error) {
	req, size, err := parseLoki(c, h, body)
	if err != nil {
		return kept{}, err
	}
	now := r.clock()
	if !r.rate.take(int64(size), int64(c.Loki.RateBytes), int64(c.Loki.BurstBytes), now) {
		return kept{}, refuse(http.StatusTooManyRequests, "ingestion rate limit of %s/s exceeded by a push of %d bytes", c.Loki.RateBytes, size)
	}
	streams, problems := r.checkStreams(&c.Loki, req, now)
	k := kept{partial: problems.answer()}
	r.m.rejected.WithLabelValues("loki").Add(float64(problems.entries))
	if len(streams) == 0 {
		return k, nil
	}
	out := push.PushRequest{Streams: make([]push.Stream, len(streams))}
	for i, s := range streams {
		out.Streams[i] = push.Stream{Labels: s.labels.String(), Entries: s.entries}
	}
	if k.payload, err = out.Marshal(); err != nil {
		return kept{}, refuse(http.StatusBadRequest, "the push cannot be encoded again: %v", err)
	}
	k.deliver = r.deliverLines(streams)
	return k, nil
}

type stream struct {
	labels  labels.Labels
	entries []push.Entry
}

func (r *Receiver) deliverLines(streams []stream) func(context.Context) {
	return func(ctx context.Context) {
		for _, s := range streams {
			r.m.lines.Add(float64(len(s.entries)))
			if r.sinks.Lines != nil {
				r.sinks.Lines(ctx, s.labels, s.entries)
			}
		}
	}
}

func (r *Receiver) replayLoki(payload []byte) (kept, error) {
	var req push.PushRequest
	if err := req.Unmarshal(payload); err != nil {
		return kept{}, err
	}
	streams := make([]stream, 0, len(req.Streams))
	for _, s := range req.Streams {
		ls, err := parseStreamLabels(s.Labels)
		if err != nil {
			return kept{}, err
		}
		streams = append(streams, stream{ls, s.Entries})
	}
	return kept{deliver: r.deliverLines(streams)}, nil
}

// parseLoki decodes a push; size is its length when decompressed.
func parseLoki(c *Config, h http.Header, body []byte) (req *push.PushRequest, size int, err error) {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	encoding := h.Get("Content-Encoding")
	req = &push.PushRequest{}
	if kind == "application/json" {
		if body, err = inflate(c, encoding, body); err == nil {
			err = parseLokiJSON(body, req)
		}
		return req, len(body), err
	}
	if encoding != "" && encoding != "snappy" {
		return nil, 0, refuse(http.StatusUnsupportedMediaType, "Content-Encoding is %.100s, a protobuf push is a snappy block", encoding)
	}
	if body, err = unsnap(c, body); err != nil {
		return nil, 0, err
	}
	if err := req.Unmarshal(body); err != nil {
		return nil, 0, refuse(http.StatusBadRequest, "the body is not a logproto.PushRequest: %v", err)
	}
	return req, len(body), nil
}

// parseLokiJSON reads {"streams": [{"stream": {name: value}, "values": [["nanoseconds", "line", {…}]]}]}.
func parseLokiJSON(body []byte, req *push.PushRequest) error {
	s, found := newScanner(body), false
	err := s.object(func(key []byte) error {
		if string(key) != "streams" {
			_, err := s.value()
			return err
		}
		found = true
		return s.array(func() error {
			st, err := s.stream()
			req.Streams = append(req.Streams, st)
			return err
		})
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && !found {
		err = errors.New("it has no \"streams\"")
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the body is not a Loki push: %v", err)
	}
	return nil
}

func (s *scanner) stream() (push.Stream, error) {
	var st push.Stream
	err := s.object(func(key []byte) error {
		switch string(key) {
		case "stream":
			return s.streamLabels(&st)
		case "values":
			return s.array(func() error {
				e, err := s.entry()
				st.Entries = append(st.Entries, e)
				return err
			})
		}
		_, err := s.value()
		return err
	})
	return st, err
}

// streamLabels gives the labels the text form that a protobuf push has, so that both pass the same checks.
func (s *scanner) streamLabels(st *push.Stream) error {
	text := []byte{'{'}
	err := s.each(func(name, value string) {
		if len(text) > 1 {
			text = append(text, ',')
		}
		if len(text) <= maxLabelText {
			text = append(append(text, name...), '=')
			text = strconv.AppendQuote(text, value)
		}
	})
	st.Labels = string(append(text, '}'))
	return err
}

// each calls fn for each pair of an object of strings.
func (s *scanner) each(fn func(name, value string)) error {
	return s.object(func(key []byte) error {
		name := string(key)
		value, err := s.text()
		if err == nil {
			fn(name, value)
		}
		return err
	})
}

func (s *scanner) entry() (push.Entry, error) {
	var e push.Entry
	i := 0
	err := s.array(func() (err error) {
		switch i++; i {
		case 1:
			var ns []byte
			if ns, err = s.bytes(); err == nil {
				e.Timestamp, err = nanoseconds(ns)
			}
		case 2:
			var line []byte
			line, err = s.bytes()
			e.Line = string(line)
		case 3:
			err = s.each(func(name, value string) {
				e.StructuredMetadata = append(e.StructuredMetadata, push.LabelAdapter{Name: name, Value: value})
			})
		default:
			_, err = s.value()
		}
		return err
	})
	if err == nil && i < 2 {
		err = s.fail("an entry must be [\"nanoseconds\", \"line\"]")
	}
	return e, err
}

func nanoseconds(b []byte) (time.Time, error) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp %.40q is not a number of nanoseconds", b)
	}
	return time.Unix(0, n), nil
}

// problems counts what was refused and keeps the first reason.
type problems struct {
	entries int
	first   *Error
}

func (p *problems) add(n int, e *Error) {
	p.entries += n
	if p.first == nil {
		p.first = e
	}
}

func (p *problems) answer() *Error {
	if p.first == nil {
		return nil
	}
	return refuse(p.first.Status, "%d entries refused; the first: %s", p.entries, p.first.Text)
}

// checkStreams keeps what is within the limits.
func (r *Receiver) checkStreams(c *LokiConfig, req *push.PushRequest, now time.Time) ([]stream, *problems) {
	p := &problems{}
	var good []stream
	for _, s := range req.Streams {
		ls, e := checkStreamLabels(c, s.Labels)
		if e == nil && !r.streams.add(ls.Hash(), c.MaxStreams, time.Hour, now) {
			e = refuse(http.StatusTooManyRequests, "more than %d streams are active; stream %.200s", c.MaxStreams, ls.String())
		}
		if e != nil {
			p.add(len(s.Entries), e)
			continue
		}
		if entries := checkEntries(c, ls, s.Entries, p, now); len(entries) > 0 {
			good = append(good, stream{ls, entries})
		}
	}
	return good, p
}

func checkStreamLabels(c *LokiConfig, text string) (labels.Labels, *Error) {
	if len(text) > maxLabelText {
		return labels.EmptyLabels(), refuse(http.StatusBadRequest, "the labels of a stream are longer than %s", ByteSize(maxLabelText))
	}
	ls, err := parseStreamLabels(text)
	if err != nil {
		return labels.EmptyLabels(), refuse(http.StatusBadRequest, "labels %.200q: %v", text, err)
	}
	if n := ls.Len(); n == 0 || n > c.MaxLabels {
		return labels.EmptyLabels(), refuse(http.StatusBadRequest, "stream %.200s has %d labels, must have 1 to %d", text, n, c.MaxLabels)
	}
	var e *Error
	ls.Range(func(l labels.Label) {
		switch {
		case e != nil:
		case len(l.Name) > int(c.MaxNameBytes):
			e = refuse(http.StatusBadRequest, "label name %.100q has %d bytes, at most %d are allowed", l.Name, len(l.Name), c.MaxNameBytes)
		case len(l.Value) > int(c.MaxValueBytes):
			e = refuse(http.StatusBadRequest, "the value of label %.100q has %d bytes, at most %d are allowed", l.Name, len(l.Value), c.MaxValueBytes)
		case !utf8.ValidString(l.Value):
			e = refuse(http.StatusBadRequest, "the value of label %.100q is not UTF-8", l.Name)
		}
	})
	return ls, e
}

// parseStreamLabels reads {name="value", …}.
func parseStreamLabels(text string) (labels.Labels, error) {
	if len(text) == 0 || text[0] != '{' {
		return labels.EmptyLabels(), errors.New("must have the form {name=\"value\"}")
	}
	return parser.NewParser(parser.Options{}).ParseMetric(text)
}

func checkEntries(c *LokiConfig, ls labels.Labels, entries []push.Entry, p *problems, now time.Time) []push.Entry {
	good := entries[:0]
	for _, e := range entries {
		if bad := checkEntry(c, &e, now); bad != nil {
			p.add(1, refuse(bad.Status, "stream %.200s: %s", ls.String(), bad.Text))
			continue
		}
		good = append(good, e)
	}
	return good
}

func checkEntry(c *LokiConfig, e *push.Entry, now time.Time) *Error {
	metadata := 0
	for _, m := range e.StructuredMetadata {
		metadata += len(m.Name) + len(m.Value)
	}
	switch age := now.Sub(e.Timestamp); {
	case len(e.Line) > int(c.MaxLineBytes):
		return refuse(http.StatusBadRequest, "a line has %d bytes, at most %d are allowed", len(e.Line), c.MaxLineBytes)
	case age > time.Duration(c.RejectOlder):
		return refuse(http.StatusBadRequest, "a line of %s is older than %s", e.Timestamp.UTC().Format(time.RFC3339), c.RejectOlder)
	case age < -time.Duration(c.RejectNewer):
		return refuse(http.StatusBadRequest, "a line of %s is more than %s ahead", e.Timestamp.UTC().Format(time.RFC3339), c.RejectNewer)
	case len(e.StructuredMetadata) > c.MaxMetadataEntries || metadata > int(c.MaxMetadataBytes):
		return refuse(http.StatusBadRequest, "a line has structured metadata of %d entries and %d bytes, at most %d and %d are allowed",
			len(e.StructuredMetadata), metadata, c.MaxMetadataEntries, c.MaxMetadataBytes)
	}
	return nil
}
