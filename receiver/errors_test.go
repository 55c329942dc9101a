package receiver_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/receiver"
)

// labelled is an alert with the given labels as JSON.
func labelled(labels string) string {
	return `{"status":"firing","labels":` + labels + `,"annotations":{},"startsAt":"2026-11-22T10:00:00Z"}`
}

func manyLabels(n int) string {
	var b strings.Builder
	b.WriteString(`{"alertname":"A"`)
	for i := range n - 1 {
		fmt.Fprintf(&b, `,"l%d":"v"`, i)
	}
	return b.String() + "}"
}

func gzipped(t testing.TB, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.String()
}

// snappyBomb is 21 bytes that declare 4 GiB.
func snappyBomb() string {
	b := binary.AppendUvarint(nil, 1<<32-1)
	return string(append(b, make([]byte, 21-len(b))...))
}

const (
	jsonType  = "application/json"
	protoType = "application/x-protobuf"
)

// The exact words and codes for every kind of bad input. 4xx is final for Alertmanager, so it is used only
// for what can never be accepted.
func TestRefusals(t *testing.T) {
	const mib = 1 << 20
	bomb := gzipped(t, make([]byte, 20*mib))
	type tcase struct {
		name, path, contentType, encoding, body string
		code                                    int
		want                                    string
	}
	cases := []tcase{
		{
			"webhook: not version 4", receiver.WebhookPath, jsonType, "", `{"version":"3","alerts":[]}`, 400,
			`the webhook has version "3", must be "4": Alertmanager sends it unless webhook_configs has a payload of its own`,
		},
		{
			"webhook: other JSON", receiver.WebhookPath, jsonType, "", `{"text":"hello"}`, 400,
			`the body is not an Alertmanager webhook: it has neither "version" nor "alerts"`,
		},
		{
			"webhook: a Grafana webhook", receiver.WebhookPath, jsonType, "", `{"version":"1","alerts":[{"status":"firing","labels":{"alertname":"A"}}],"orgId":1}`, 400,
			`the webhook has version "1", must be "4": Alertmanager sends it unless webhook_configs has a payload of its own`,
		},
		{
			"webhook: an array", receiver.WebhookPath, jsonType, "", `[]`, 400,
			`the body is not an Alertmanager webhook: expected '{' at byte 0`,
		},
		{
			"webhook: nothing", receiver.WebhookPath, jsonType, "", ``, 400,
			`the body is not an Alertmanager webhook: the JSON ends early at byte 0`,
		},
		{
			"webhook: half a JSON", receiver.WebhookPath, jsonType, "", message(alert("A", "firing", start))[:200], 400,
			`the body is not an Alertmanager webhook: the JSON ends early at byte 200`,
		},
		{
			"webhook: more after the end", receiver.WebhookPath, jsonType, "", message() + "{}", 400,
			fmt.Sprintf(`the body is not an Alertmanager webhook: more after the end of the JSON at byte %d`, len(message())),
		},
		{
			"webhook: nested 100 000 deep", receiver.WebhookPath, jsonType, "", `{"x":` + strings.Repeat("[", 100_000), 400,
			`the body is not an Alertmanager webhook: more than 32 levels of nesting at byte 37`,
		},
		{"webhook: 33 MiB", receiver.WebhookPath, jsonType, "", strings.Repeat(" ", 33*mib), 413, `the body is larger than 32MiB`},
		{
			"webhook: wrong content type", receiver.WebhookPath, "text/plain", "", message(), 415,
			`Content-Type is text/plain, must be application/json`,
		},
		{"webhook: no content type", receiver.WebhookPath, "", "", message(), 415, `Content-Type is missing, must be application/json`},
		{
			"webhook: 10 000 labels", receiver.WebhookPath, jsonType, "", message(labelled(manyLabels(10_000))), 400,
			`none of the 1 alerts can be taken; alert 0: it has more than 64 labels`,
		},
		{
			"webhook: a value of 17 MB", receiver.WebhookPath, jsonType, "", message(labelled(`{"alertname":"` + strings.Repeat("a", 17_000_000) + `"}`)), 400,
			`none of the 1 alerts can be taken; alert 0: the value of label "alertname" has 17000000 bytes, at most 16384 are allowed`,
		},
		{
			"webhook: a name of 1 MB", receiver.WebhookPath, jsonType, "", message(labelled(`{"` + strings.Repeat("a", 1_000_000) + `":"v"}`)), 400,
			`none of the 1 alerts can be taken; alert 0: a label name has 1000000 bytes, at most 1024 are allowed`,
		},
		{
			"webhook: an empty name", receiver.WebhookPath, jsonType, "", message(labelled(`{"":"v"}`)), 400,
			`none of the 1 alerts can be taken; alert 0: a label name is empty`,
		},
		{
			"webhook: a value that is not UTF-8", receiver.WebhookPath, jsonType, "", message(labelled("{\"alertname\":\"\xff\xfe\"}")), 400,
			`none of the 1 alerts can be taken; alert 0: the value of label "alertname" is not UTF-8`,
		},
		{
			"webhook: a name that is not UTF-8", receiver.WebhookPath, jsonType, "", message(labelled("{\"a\xff\":\"v\"}")), 400,
			`none of the 1 alerts can be taken; alert 0: a label name is not UTF-8: "a\xff"`,
		},
		{
			"webhook: a value that is a number", receiver.WebhookPath, jsonType, "", message(labelled(`{"alertname":7}`)), 400,
			`none of the 1 alerts can be taken; alert 0: the value of label "alertname" is not a string`,
		},
		{
			"webhook: no labels", receiver.WebhookPath, jsonType, "", message(labelled(`{}`)), 400,
			`none of the 1 alerts can be taken; alert 0: it has no labels`,
		},
		{
			"webhook: a status of its own", receiver.WebhookPath, jsonType, "", message(`{"status":"pending","labels":{"a":"b"}}`), 400,
			`none of the 1 alerts can be taken; alert 0: status is "pending", must be "firing" or "resolved"`,
		},
		{
			"webhook: a time in other form", receiver.WebhookPath, jsonType, "", message(`{"status":"firing","labels":{"a":"b"},"startsAt":"yesterday"}`), 400,
			`none of the 1 alerts can be taken; alert 0: startsAt is "yesterday", must be a time such as 2026-11-22T10:00:00Z`,
		},
		{
			"webhook: gzip bomb", receiver.WebhookPath, jsonType, "gzip", bomb, 413,
			fmt.Sprintf(`the body of %d bytes gives more than %d bytes when decompressed`, len(bomb), max(len(bomb)*32, mib)),
		},
		{"webhook: gzip that ends early", receiver.WebhookPath, jsonType, "gzip", gzipped(t, []byte(message()))[:60], 400, `the gzip body ends early`},
		{"webhook: gzip that is none", receiver.WebhookPath, jsonType, "gzip", message(), 400, `the body is not gzip: gzip: invalid header`},
		{"webhook: an encoding of its own", receiver.WebhookPath, jsonType, "br", message(), 415, `Content-Encoding is br, must be gzip, snappy or none`},

		{
			"loki: snappy bomb", receiver.LokiPath, protoType, "", snappyBomb(), 413,
			`the snappy body of 21 bytes declares 4294967295 bytes, at most 672 are allowed`,
		},
		{"loki: not snappy", receiver.LokiPath, protoType, "", "\xff\xff\xff\xff\xff\xff\xff\xff", 400, `the body is not a snappy block`},
		{
			"loki: snappy of something else", receiver.LokiPath, protoType, "", string(snappy.Encode(nil, []byte("hello"))), 400,
			`the body is not a logproto.PushRequest: proto: PushRequest: wiretype end group for non-group`,
		},
		{"loki: other JSON", receiver.LokiPath, jsonType, "", `{}`, 400, `the body is not a Loki push: it has no "streams"`},
		{
			"loki: half an entry", receiver.LokiPath, jsonType, "", `{"streams":[{"stream":{"a":"b"},"values":[["1"]]}]}`, 400,
			`the body is not a Loki push: an entry must be ["nanoseconds", "line"] at byte 47`,
		},
		{
			"loki: a time in words", receiver.LokiPath, jsonType, "", `{"streams":[{"stream":{"a":"b"},"values":[["now","x"]]}]}`, 400,
			`the body is not a Loki push: timestamp "now" is not a number of nanoseconds`,
		},
		{
			"loki: no labels", receiver.LokiPath, jsonType, "", lokiJSON(`{}`, start, "x"), 400,
			`1 entries refused; the first: stream {} has 0 labels, must have 1 to 15`,
		},
		{
			"loki: 10 000 labels", receiver.LokiPath, jsonType, "", lokiJSON(manyLabels(10_000), start, "x"), 400,
			`1 entries refused; the first: the labels of a stream are longer than 64KiB`,
		},
		{
			"loki: a label name with a space", receiver.LokiPath, jsonType, "", lokiJSON(`{"a b":"c"}`, start, "x"), 400,
			`1 entries refused; the first: labels "{a b=\"c\"}": 1:4: parse error: unexpected identifier "b" in label set, expected "="`,
		},
		{
			"loki: a value of 5 MB", receiver.LokiPath, jsonType, "", lokiJSON(`{"a":"`+strings.Repeat("x", 5_000_000)+`"}`, start, "x"), 400,
			`1 entries refused; the first: the labels of a stream are longer than 64KiB`,
		},
		{
			"loki: a long line", receiver.LokiPath, jsonType, "", lokiJSON(`{"a":"b"}`, start, strings.Repeat("x", 256*1024+1)), 400,
			`1 entries refused; the first: stream {a="b"}: a line has 262145 bytes, at most 262144 are allowed`,
		},
		{
			"loki: an old line", receiver.LokiPath, jsonType, "", lokiJSON(`{"a":"b"}`, start.Add(-8*24*time.Hour), "x"), 400,
			`1 entries refused; the first: stream {a="b"}: a line of 2026-11-14T10:00:00Z is older than 1w`,
		},
		{
			"loki: a line from the future", receiver.LokiPath, jsonType, "", lokiJSON(`{"a":"b"}`, start.Add(time.Hour), "x"), 400,
			`1 entries refused; the first: stream {a="b"}: a line of 2026-11-22T11:00:00Z is more than 10m ahead`,
		},
		{
			"loki: faster than the rate", receiver.LokiPath, jsonType, "", lokiJSON(`{"a":"b"}`, start, strings.Repeat("x", 7*mib)), 429,
			`ingestion rate limit of 4MiB/s exceeded by a push of 7340104 bytes`,
		},
		{"loki: wrong content type", receiver.LokiPath, "text/plain", "", "", 415, `Content-Type is text/plain, must be application/x-protobuf or application/json`},

		{
			"traces: not protobuf", receiver.TracesPath, protoType, "", "hello", 400,
			"\b\x03\x12\x5fthe body is not an OTLP ExportTraceServiceRequest: proto: cannot parse invalid wire-format data",
		},
		{
			"traces: not JSON", receiver.TracesPath, jsonType, "", "hello", 400,
			`{"code":3,"message":"the body is not an OTLP ExportTraceServiceRequest: not a JSON value at byte 0"}`,
		},
		{
			"traces: nested 100 000 deep", receiver.TracesPath, jsonType, "", `{"resourceSpans":` + strings.Repeat("[", 100_000), 400,
			`{"code":3,"message":"the body is not an OTLP ExportTraceServiceRequest: more than 32 levels of nesting at byte 49"}`,
		},
		{"traces: 17 MiB", receiver.TracesPath, protoType, "", strings.Repeat(" ", 17*mib), 413, "\b\x03\x12\x1dthe body is larger than 16MiB"},

		{
			"changes: names nothing", receiver.ChangesPath, jsonType, "", `{"kind":"deploy"}`, 400,
			`change 0: it names neither an entity nor labels, so nobody can tell what changed`,
		},
		{
			"changes: a time in words", receiver.ChangesPath, jsonType, "", `{"entity":"api","time":"yesterday"}`, 400,
			`change 0: time is "yesterday", must be RFC 3339 or unix seconds or milliseconds`,
		},
		{
			"changes: long ago", receiver.ChangesPath, jsonType, "", `{"entity":"api","time":"2020-01-01T00:00:00Z"}`, 400,
			`change 0: its time 2020-01-01T00:00:00Z is older than 1w`,
		},
		{
			"changes: tomorrow", receiver.ChangesPath, jsonType, "", `{"entity":"api","time":"2026-11-23T10:00:00Z"}`, 400,
			`change 0: its time 2026-11-23T10:00:00Z is more than 10m ahead`,
		},
		{
			"changes: a script as link", receiver.ChangesPath, jsonType, "", `{"entity":"api","link":"javascript:alert(1)"}`, 400,
			`change 0: link "javascript:alert(1)" is not an http or https URL of at most 2048 bytes`,
		},
		{"changes: a number as entity", receiver.ChangesPath, jsonType, "", `{"entity":7}`, 400, `field "entity" cannot be a number`},
		{"changes: a number", receiver.ChangesPath, jsonType, "", `7`, 400, `a change must be an object, not a number`},
		{"changes: half a JSON", receiver.ChangesPath, jsonType, "", `{"entity":`, 400, `the body is not JSON: the JSON ends early at byte 10`},
		{
			"changes: an empty label name", receiver.ChangesPath, jsonType, "", `{"labels":{"":"x"}}`, 400,
			`change 0: label name "" is empty, not UTF-8 or longer than 1024 bytes`,
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			w := r.post(tc.path, tc.contentType, tc.body, "Content-Encoding", tc.encoding)
			got := strings.TrimSuffix(w.Body.String(), "\n")
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.code, w.Code)
			require.Empty(t, r.records, "nothing of it is kept")
		})
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	r := newRig(t)
	for path, h := range r.handlers {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
		require.Contains(t, w.Body.String(), path+" takes POST, not GET")
	}
}

// One bad alert must not cost the rest of its group: Alertmanager does not retry 4xx.
func TestBadAlertCostsOnlyItself(t *testing.T) {
	r := newRig(t)
	w := r.webhook(labelled(manyLabels(10_000)), alert("Good", "firing", start))
	require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
	require.Equal(t, []string{"Good firing"}, names(r.alerts))
	require.Equal(t, 1, r.counter("tidemark_receiver_rejected_total"))
	require.NotContains(t, string(r.records[0].payload), "l9000")
}

// Bombs must cost little: memory stays under twice the body limit.
func TestBombsCostLittleMemory(t *testing.T) {
	gz := gzipped(t, make([]byte, 20<<20))
	for _, tc := range []struct{ name, path, contentType, encoding, body string }{
		{"snappy", receiver.LokiPath, protoType, "", snappyBomb()},
		{"gzip", receiver.WebhookPath, jsonType, "gzip", gz},
		{"nested JSON", receiver.WebhookPath, jsonType, "", strings.Repeat(`{"a":`, 100_000)},
		{"an object of 100 000 keys", receiver.WebhookPath, jsonType, "", message(labelled(manyLabels(100_000)))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w := r.post(tc.path, tc.contentType, tc.body, "Content-Encoding", tc.encoding)
			runtime.ReadMemStats(&after)
			require.GreaterOrEqual(t, w.Code, 400)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(12<<20))
		})
	}
}

// A body over the limit is refused by its declared length: nothing of it is read.
func TestDeclaredLengthIsEnough(t *testing.T) {
	r := newRig(t)
	body := &countingReader{}
	req := httptest.NewRequest(http.MethodPost, receiver.WebhookPath, body)
	req.ContentLength = 32<<20 + 1
	req.Header.Set("Content-Type", jsonType)
	w := httptest.NewRecorder()
	r.handlers[receiver.WebhookPath].ServeHTTP(w, req)
	require.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
	require.Equal(t, "close", w.Header().Get("Connection"))
	require.Zero(t, body.n)
}

type countingReader struct{ n int }

func (c *countingReader) Read(b []byte) (int, error) { c.n += len(b); return len(b), nil }

func TestTooManyMessagesAtOnce(t *testing.T) {
	r := newRig(t, func(c *receiver.Config) { c.MaxInflight = 1 })
	inside, leave := make(chan struct{}), make(chan struct{})
	r.onAlerts = func() { close(inside); <-leave }
	done := make(chan int)
	go func() { done <- r.webhook(alert("A", "firing", start)).Code }()
	<-inside
	w := r.webhook(alert("B", "firing", start))
	require.Equal(t, http.StatusServiceUnavailable, w.Code, "never 429: Alertmanager does not retry it")
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Equal(t, "too many messages at once, try again in 5 s\n", w.Body.String())
	close(leave)
	require.Equal(t, http.StatusNoContent, <-done)
	r.onAlerts = nil
	require.Equal(t, http.StatusNoContent, r.webhook(alert("B", "firing", start)).Code)
}

// A sender that stops in the middle of its body gives its place back.
func TestSenderThatTrickles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		here, there := net.Pipe()
		l := &oneConn{conn: there, closed: make(chan struct{})}
		srv := &http.Server{Handler: r.handlers[receiver.WebhookPath]}
		done := make(chan struct{})
		go func() { _ = srv.Serve(l); close(done) }()
		go func() {
			fmt.Fprintf(here, "POST %s HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", receiver.WebhookPath)
		}()
		begin := time.Now()
		res, err := http.ReadResponse(bufio.NewReader(here), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "the body did not arrive within 30s\n", string(body))
		require.Equal(t, 30*time.Second, time.Since(begin))
		_ = here.Close()
		_ = srv.Close()
		<-done
	})
}

type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func TestBytesInFlightAreBounded(t *testing.T) {
	r := newRig(t, func(c *receiver.Config) { c.MaxInflightBytes, c.Webhook.MaxBody = receiver.MiB, receiver.MiB })
	inside, leave := make(chan struct{}), make(chan struct{})
	r.onAlerts = func() { close(inside); <-leave }
	done := make(chan int)
	go func() { done <- r.webhook(alert("A", "firing", start)).Code }()
	<-inside
	req := httptest.NewRequest(http.MethodPost, receiver.WebhookPath, strings.NewReader(message()))
	req.ContentLength = -1 // chunked: counts as the limit
	req.Header.Set("Content-Type", jsonType)
	w := httptest.NewRecorder()
	r.handlers[receiver.WebhookPath].ServeHTTP(w, req)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	close(leave)
	require.Equal(t, http.StatusNoContent, <-done)
}

func TestBarrierWaitsForDeliveries(t *testing.T) {
	r := newRig(t)
	delivered := 0
	inside, leave, passed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r.onAlerts = func() { close(inside); <-leave }
	done := make(chan int)
	go func() { done <- r.webhook(alert("A", "firing", start)).Code }()
	<-inside
	go func() {
		_ = r.Barrier(func() error {
			r.mu.Lock()
			defer r.mu.Unlock()
			delivered = len(r.alerts)
			return nil
		})
		close(passed)
	}()
	close(leave)
	<-passed
	require.Equal(t, 1, delivered, "what is durable has reached its sink")
	require.Equal(t, http.StatusNoContent, <-done)
}
