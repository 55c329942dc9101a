package receiver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/tidemark/tidemark/receiver"
)

// reference reads a webhook with encoding/json.
func reference(body string) (alerts []*model.Alert, err error) {
	var msg map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &msg); err != nil {
		return nil, err
	}
	var raws []map[string]json.RawMessage
	if err := json.Unmarshal(msg["alerts"], &raws); err != nil {
		return nil, err
	}
	for _, raw := range raws {
		a := &model.Alert{}
		_ = json.Unmarshal(raw["labels"], &a.Labels)
		_ = json.Unmarshal(raw["annotations"], &a.Annotations)
		for _, set := range []model.LabelSet{a.Labels, a.Annotations} {
			for k, v := range set {
				if v == "" {
					delete(set, k)
				}
			}
		}
		alerts = append(alerts, a)
	}
	return alerts, nil
}

// The scanner and encoding/json must agree: what is not JSON is refused, and every alert that is delivered
// is one that encoding/json sees too.
func FuzzWebhook(f *testing.F) {
	f.Add(message(alert("A", "firing", start), alert("B", "resolved", start)))
	f.Add(message(labelled(`{"alertname":"\ud83d\ude00\u0000\ud800","x":""}`)))
	f.Add(message(labelled("{\"alertname\":\"\xff\"}")))
	f.Add(`{"version":"4","alerts":[{"status":"firing","labels":{"a":"b"},"labels":{"c":"d"}}],"alerts":null}`)
	f.Add(`{"version":"4","x":[1e5,-0.1,true,null,{}],"alerts":[]}`)
	f.Add(`{"version":"4","x":01,"alerts":[]}`)
	f.Add(strings.Repeat(`{"a":`, 40))
	f.Fuzz(func(t *testing.T, body string) {
		r := newRig(t)
		w := r.post(receiver.WebhookPath, jsonType, body)
		require.Contains(t, []int{http.StatusNoContent, http.StatusBadRequest}, w.Code)
		require.Zero(t, r.counter("tidemark_receiver_panics_total"), "a decoder panicked")
		if !json.Valid([]byte(body)) {
			require.Equal(t, http.StatusBadRequest, w.Code, "not JSON")
		}
		want, err := reference(body)
		for _, a := range r.alerts {
			require.NoError(t, err)
			found := false
			for _, w := range want {
				found = found || w.Labels.Equal(a.Labels) && w.Annotations.Equal(a.Annotations)
			}
			require.True(t, found, "delivered %v, which encoding/json does not see", a)
		}
		again := newRig(t)
		for _, rec := range r.records {
			require.NoError(t, again.Decode(context.Background(), rec.kind, rec.payload), "what was kept can be read again")
		}
		require.Len(t, again.alerts, len(r.alerts))
	})
}

func FuzzLokiJSON(f *testing.F) {
	f.Add(lokiJSON(`{"app":"a"}`, start, "x", "y\n\"z"))
	f.Add(`{"streams":[{"stream":{"a":"b"},"values":[["1","l",{"k":"v"}]]}]}`)
	f.Add(`{"streams":[{"stream":{"__name__":"b"},"values":[]}]}`)
	f.Fuzz(func(t *testing.T, body string) { roundTripLines(t, jsonType, body) })
}

func FuzzLokiProtobuf(f *testing.F) {
	f.Add([]byte(lokiProto(f)))
	if b, err := snappy.Decode(nil, []byte(lokiProto(f))); err == nil {
		f.Add(b)
	}
	f.Add([]byte("\n\x10\n\x07{a=\"b\"}\x12\x05\n\x00\x12\x01x"))
	f.Fuzz(func(t *testing.T, body []byte) {
		roundTripLines(t, protoType, string(snappy.Encode(nil, body)))
		roundTripLines(t, protoType, string(body))
	})
}

func roundTripLines(t *testing.T, contentType, body string) {
	r := newRig(t)
	r.post(receiver.LokiPath, contentType, body)
	require.Zero(t, r.counter("tidemark_receiver_panics_total"), "a decoder panicked")
	again := newRig(t)
	for _, rec := range r.records {
		require.NoError(t, again.Decode(context.Background(), rec.kind, rec.payload), "what was kept can be read again")
	}
	require.Equal(t, r.lines, again.lines)
}

func FuzzTraces(f *testing.F) {
	b, err := proto.Marshal(spans(2, nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, true)
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174"}]}]}]}`), false)
	f.Add([]byte("\n\xff\xff\xff\xff\x0f"), true)
	f.Fuzz(func(t *testing.T, body []byte, protobuf bool) {
		r, kind := newRig(t), jsonType
		if protobuf {
			kind = protoType
		}
		r.post(receiver.TracesPath, kind, string(body))
		require.Zero(t, r.counter("tidemark_receiver_panics_total"), "a decoder panicked")
		again := newRig(t)
		for _, rec := range r.records {
			require.NoError(t, again.Decode(context.Background(), rec.kind, rec.payload), "what was kept can be read again")
		}
		require.Len(t, again.spans, len(r.spans))
	})
}

func FuzzChanges(f *testing.F) {
	f.Add(`{"entity":"api","kind":"deploy","time":1795341600}`)
	f.Add(`[{"tags":["a:b","deploy"],"text":"x"}]`)
	f.Add(`{"entity":"a","time":1e400}`)
	f.Fuzz(func(t *testing.T, body string) {
		r := newRig(t)
		r.post(receiver.ChangesPath, jsonType, body)
		require.Zero(t, r.counter("tidemark_receiver_panics_total"), "a decoder panicked")
		again := newRig(t)
		for _, rec := range r.records {
			require.NoError(t, again.Decode(context.Background(), rec.kind, rec.payload), "what was kept can be read again")
		}
		require.Equal(t, asJSON(t, r.changes), asJSON(t, again.changes))
	})
}

// Keys of known alerts come from a file.
func FuzzRestore(f *testing.F) {
	r := newRig(f)
	r.webhook(alert("A", "firing", start))
	f.Add(r.Snapshot())
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newRig(t)
		if r.Restore(b) == nil && len(b) > 0 {
			require.LessOrEqual(t, len(r.Snapshot()), len(b), "a key twice is one key")
		}
	})
}
