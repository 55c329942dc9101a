package receiver

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// otlpDepth bounds nested messages; attributes of attributes of … end there.
const otlpDepth = 64

// decodeTraces takes an ExportTraceServiceRequest, protobuf or JSON (OTLP 1.11, OTLP/HTTP). It is decoded
// as TracesData, which has the same fields with the same numbers; the collector package would bring gRPC.
func (r *Receiver) decodeTraces(c *Config, h http.Header, body []byte) (kept, error) {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	body, err := inflate(c, h.Get("Content-Encoding"), body)
	if err != nil {
		return kept{}, err
	}
	data := &tracepb.TracesData{}
	if kind == "application/json" {
		err = parseTracesJSON(body, data)
	} else {
		err = proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: otlpDepth}.Unmarshal(body, data)
	}
	if err != nil {
		// protobuf's messages hold a no-break space in some builds, to keep programs from comparing them.
		return kept{}, refuse(http.StatusBadRequest, "the body is not an OTLP ExportTraceServiceRequest: %s",
			strings.ReplaceAll(err.Error(), "\u00a0", " "))
	}
	taken, refused, why := siftSpans(&c.Traces, data)
	r.m.rejected.WithLabelValues("traces").Add(float64(refused))
	k := kept{answer: func(w http.ResponseWriter) { answerTraces(w, kind, refused, why) }}
	if taken == 0 {
		return k, nil
	}
	if k.payload, err = proto.Marshal(data); err != nil {
		return kept{}, refuse(http.StatusBadRequest, "the spans cannot be encoded again: %v", err)
	}
	k.deliver = r.deliverSpans(data, taken)
	return k, nil
}

func (r *Receiver) deliverSpans(data *tracepb.TracesData, n int) func(context.Context) {
	return func(ctx context.Context) {
		r.m.spans.Add(float64(n))
		if r.sinks.Spans != nil {
			r.sinks.Spans(ctx, data.ResourceSpans)
		}
	}
}

func (r *Receiver) replayTraces(payload []byte) (kept, error) {
	data := &tracepb.TracesData{}
	if err := (proto.UnmarshalOptions{RecursionLimit: otlpDepth}).Unmarshal(payload, data); err != nil {
		return kept{}, err
	}
	n, _, _ := siftSpans(&r.cfg.Load().Traces, data)
	return kept{deliver: r.deliverSpans(data, n)}, nil
}

// parseTracesJSON reads OTLP's JSON: protobuf's own mapping, but with identifiers in hex.
func parseTracesJSON(body []byte, data *tracepb.TracesData) error {
	s := newScanner(body)
	if _, err := s.value(); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	o := protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: otlpDepth}
	if err := o.Unmarshal(body, data); err != nil {
		return err
	}
	eachSpan(data, func(sp *tracepb.Span) {
		sp.TraceId, sp.SpanId, sp.ParentSpanId = fromHex(sp.TraceId), fromHex(sp.SpanId), fromHex(sp.ParentSpanId)
		for _, l := range sp.Links {
			l.TraceId, l.SpanId = fromHex(l.TraceId), fromHex(l.SpanId)
		}
	})
	return nil
}

// fromHex undoes protojson's reading of hex digits as base64: 16 and 32 of them are whole base64 groups, so
// encoding the bytes again gives the digits back. What is not hex is left, and refused for its length.
func fromHex(b []byte) []byte {
	id, err := hex.DecodeString(base64.StdEncoding.EncodeToString(b))
	if err != nil {
		return b
	}
	return id
}

func eachSpan(data *tracepb.TracesData, fn func(*tracepb.Span)) {
	for _, rs := range data.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, sp := range ss.GetSpans() {
				fn(sp)
			}
		}
	}
}

// siftSpans removes the spans over the limits and says how many and why the first.
func siftSpans(c *TracesConfig, data *tracepb.TracesData) (taken, refused int, why string) {
	say := func(n int, format string, args ...any) {
		if refused += n; why == "" {
			why = fmt.Sprintf(format, args...)
		}
	}
	for _, rs := range data.GetResourceSpans() {
		bad := checkAttributes(c, rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			if bad != "" {
				say(len(ss.Spans), "resource: %s", bad)
				ss.Spans = nil
				continue
			}
			good := ss.Spans[:0]
			for _, sp := range ss.Spans {
				if e := checkSpan(c, sp); e != "" {
					say(1, "%s", e)
				} else if taken >= c.MaxSpans {
					say(1, "more than %d spans in one message", c.MaxSpans)
				} else {
					taken++
					good = append(good, sp)
				}
			}
			ss.Spans = good
		}
	}
	return taken, refused, why
}

func checkSpan(c *TracesConfig, sp *tracepb.Span) string {
	switch {
	case len(sp.TraceId) != 16:
		return fmt.Sprintf("trace id has %d bytes, must have 16", len(sp.TraceId))
	case len(sp.SpanId) != 8:
		return fmt.Sprintf("span id has %d bytes, must have 8", len(sp.SpanId))
	case len(sp.ParentSpanId) != 8 && len(sp.ParentSpanId) != 0:
		return fmt.Sprintf("parent span id has %d bytes, must have 8 or none", len(sp.ParentSpanId))
	case len(sp.Name) > int(c.MaxValueBytes):
		return fmt.Sprintf("span name has %d bytes, at most %d are allowed", len(sp.Name), c.MaxValueBytes)
	}
	return checkAttributes(c, sp.Attributes)
}

func checkAttributes(c *TracesConfig, attrs []*commonpb.KeyValue) string {
	if len(attrs) > c.MaxAttributes {
		return fmt.Sprintf("%d attributes, at most %d are allowed", len(attrs), c.MaxAttributes)
	}
	for _, a := range attrs {
		if len(a.GetKey()) > 1024 {
			return fmt.Sprintf("an attribute name has %d bytes, at most 1024 are allowed", len(a.GetKey()))
		}
		if n := proto.Size(a.GetValue()); n > int(c.MaxValueBytes)+16 {
			return fmt.Sprintf("attribute %.100q has %d bytes, at most %d are allowed", a.GetKey(), n, c.MaxValueBytes)
		}
	}
	return ""
}

// answerTraces writes an ExportTraceServiceResponse: field 1 partial_success {1 rejected_spans, 2 error_message}.
func answerTraces(w http.ResponseWriter, kind string, refused int, why string) {
	if kind == "application/json" {
		w.Header().Set("Content-Type", kind)
		if refused == 0 {
			_, _ = w.Write([]byte("{}"))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"partialSuccess": map[string]any{
			"rejectedSpans": fmt.Sprint(refused), "errorMessage": why, // int64 is a string in protobuf's JSON
		}})
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	if refused > 0 {
		part := protowire.AppendTag(nil, 1, protowire.VarintType)
		part = protowire.AppendVarint(part, uint64(refused))
		part = protowire.AppendTag(part, 2, protowire.BytesType)
		part = protowire.AppendString(part, why)
		msg := protowire.AppendTag(nil, 1, protowire.BytesType)
		_, _ = w.Write(protowire.AppendBytes(msg, part))
	}
}

// failTraces writes an error as a google.rpc.Status {1 code, 2 message}, as OTLP/HTTP asks for.
func failTraces(w http.ResponseWriter, h http.Header, e *Error) {
	code := 3 // INVALID_ARGUMENT
	if e.Status >= 500 {
		code = 14 // UNAVAILABLE
	}
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if kind == "application/x-protobuf" {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(e.Status)
		b := protowire.AppendTag(nil, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(code))
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		_, _ = w.Write(protowire.AppendString(b, e.Text))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": e.Text})
}
