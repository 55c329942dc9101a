package promread_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/promread"
)

const streamed = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"

// send answers with a content type, an encoding and a body.
func send(kind, encoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		_, _ = w.Write(body)
	}
}

func status(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// hijack takes the connection over.
func hijack(do func(write func(string), shut func())) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		do(func(s string) { _, _ = conn.Write([]byte(s)) }, func() { _ = conn.Close() })
	}
}

// chunkFrame is a frame with one chunk.
func chunkFrame(encoding prompb.Chunk_Encoding, data []byte) []byte {
	return frame(&prompb.ChunkedReadResponse{ChunkedSeries: []*prompb.ChunkedSeries{{
		Labels: prompb.FromLabels(labels.FromStrings("__name__", "up"), nil),
		Chunks: []prompb.Chunk{{Type: encoding, Data: data}},
	}}})
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// bomb is snappy of 21 bytes or so that declares 4 GiB less one byte.
func bomb() []byte { return append(binary.AppendUvarint(nil, 1<<32-1), make([]byte, 16)...) }

func TestFailuresSayWhatWhereAndWhatWouldBeRight(t *testing.T) {
	good := chunkFrame(prompb.Chunk_XOR, chunkBytes(10))
	const noRead = "; this server has no remote read there: check prometheus.url and prometheus.read_path (Prometheus: /api/v1/read, Mimir: /prometheus/api/v1/read)"
	const page = "; set prometheus.url to Prometheus itself, not to a page in front of it (a login, Grafana, another port)"
	const auth = "; set prometheus.http_config (basic_auth, authorization or tls_config) to what the server asks for"
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		reason promread.Reason
		want   string // After "remote read URL/api/v1/read: ".
		calls  int
	}{
		{"an HTML page", send("text/html; charset=utf-8", "", []byte("<html><head><title>Grafana\n login</title></head>")), promread.NotPrometheus, `the answer is an HTML page with the title "Grafana login"` + page, 1},
		{"an HTML page without a title", send("text/html", "", []byte("<p>hello")), promread.NotPrometheus, `the answer is an HTML page` + page, 1},
		{"401", status(401, "Unauthorized\n"), promread.Unauthorized, `the answer is 401 Unauthorized ("Unauthorized")` + auth, 1},
		{"403", status(403, ""), promread.Unauthorized, `the answer is 403 Forbidden` + auth, 1},
		{"404", status(404, "404 page not found\n"), promread.NotFound, `the answer is 404 Not Found ("404 page not found")` + noRead, 1},
		{"405", status(405, ""), promread.NotFound, `the answer is 405 Method Not Allowed` + noRead, 1},
		{"400", status(400, "<b>bad</b> \"matcher\"\x1b[31m"), promread.Refused, `the answer is 400 Bad Request ("bad matcher[31m")`, 1},
		{"429", status(429, "slow down"), promread.Overloaded, `the answer is 429 Too Many Requests ("slow down")`, 4},
		{"500", status(500, strings.Repeat("x", 5000)), promread.Overloaded, `the answer is 500 Internal Server Error ("` + strings.Repeat("x", 200) + `…")`, 4},
		{"503", status(503, "starting"), promread.Overloaded, `the answer is 503 Service Unavailable ("starting")`, 4},
		{"another content type", send("application/json", "", []byte("{}")), promread.NotPrometheus, `the answer has the content type "application/json", it should be application/x-streamed-protobuf or application/x-protobuf; set prometheus.url to a server with remote read`, 1},
		{"gzip instead of nothing", send(streamed, "gzip", gzipped(good)), promread.NotPrometheus, `the streamed answer has the content encoding "gzip", it should have none; set prometheus.url to a server with remote read`, 1},
		{"gzip instead of snappy", send("application/x-protobuf", "gzip", gzipped(good)), promread.NotPrometheus, `the answer has the content encoding "gzip", it should be snappy; set prometheus.url to a server with remote read`, 1},
		{"a wrong checksum", send(streamed, "", flipped(good, 2)), promread.Corrupt, `a frame of 56 bytes has the checksum 1ffeb84a, its header says 1fffb84a`, 4},
		{"cut in the length", send(streamed, "", []byte{0x80}), promread.Truncated, `the answer ended in the length of a frame`, 4},
		{"cut in the checksum", send(streamed, "", good[:3]), promread.Truncated, `the answer ended in the checksum of a frame`, 4},
		{"cut inside a frame", send(streamed, "", good[:20]), promread.Truncated, `the answer ended inside a frame`, 4},
		{"a frame that claims 4 GiB", send(streamed, "", binary.AppendUvarint(nil, 1<<32)), promread.TooLarge, `a frame of 4294967296 bytes is over the limit of 50000000; raise prometheus.max_frame_bytes, or lower --storage.remote.read-max-bytes-in-frame in Prometheus`, 1},
		{"a frame that is no message", send(streamed, "", rawFrame([]byte("<html>"))), promread.Corrupt, `the answer is not a remote read message of Prometheus`, 4},
		{"a chunk of an unknown encoding", send(streamed, "", chunkFrame(99, chunkBytes(10))), promread.Corrupt, `a chunk has the unknown encoding 99`, 4},
		{"an empty chunk", send(streamed, "", chunkFrame(prompb.Chunk_XOR, nil)), promread.Corrupt, `a chunk has 0 bytes`, 4},
		{"a chunk that is cut", send(streamed, "", chunkFrame(prompb.Chunk_XOR, chunkBytes(10)[:12])), promread.Corrupt, `a chunk can't be decoded: it is cut, or its bits make no sense`, 4},
		{"no snappy", send("application/x-protobuf", "snappy", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), promread.Corrupt, `the answer is not snappy: s2: corrupt input`, 4},
		{"a snappy bomb", send("application/x-protobuf", "snappy", bomb()), promread.TooLarge, `the answer unpacks to 4294967295 bytes, over the limit of 67108864; raise prometheus.max_body_bytes, or let the server stream its answers (STREAMED_XOR_CHUNKS)`, 1},
		{"a small snappy bomb", send("application/x-protobuf", "snappy", append(binary.AppendUvarint(nil, 1<<20), make([]byte, 16)...)), promread.Corrupt, `the answer of 19 bytes declares 1048576 bytes unpacked, more than snappy can hold`, 4},
		{"snappy that is cut", send("application/x-protobuf", "snappy", snappy.Encode(nil, noiseBytes(4000))[:2000]), promread.Truncated, `the answer can't be unpacked: s2: corrupt input`, 4},
		{"snappy of something else", send("application/x-protobuf", "snappy", snappy.Encode(nil, []byte("hello"))), promread.Corrupt, `the answer is not a remote read message of Prometheus`, 4},
		{"a connection that is shut", hijack(func(_ func(string), shut func()) { shut() }), promread.Unreachable, `no answer: EOF`, 4},
		{"an answer that is reset inside a frame", hijack(func(write func(string), shut func()) {
			write("HTTP/1.1 200 OK\r\nContent-Type: " + streamed + "\r\nContent-Length: 100\r\n\r\n")
			write(string(good[:20]))
			shut()
		}), promread.Truncated, `the answer ended inside a frame`, 4},
		{"not HTTP", hijack(func(write func(string), shut func()) { write("SSH-2.0-OpenSSH_9.2\r\n"); shut() }), promread.Unreachable, `no answer: net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.2"`, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				tc.answer(w, r)
			}))
			t.Cleanup(srv.Close)
			c, reg := clientAt(t, strings.Replace(srv.URL, "http://", "http://user:canary@", 1))
			// The shortest range, so that what is too large is not asked for in halves.
			err := c.Read(t.Context(), byName("up"), 0, 0, func(promread.Series) error { return nil })
			require.EqualError(t, err, strings.Replace("remote read URL/api/v1/read: ", "URL", strings.Replace(srv.URL, "http://", "http://user:xxxxx@", 1), 1)+tc.want)
			require.Equal(t, tc.reason, promread.ReasonOf(err))
			require.Equal(t, int64(tc.calls), calls.Load(), "calls made")
			require.Equal(t, tc.calls, metricValue(t, reg, "tidemark_prometheus_call_failures_total"))
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestSlowAnswersEndAtTheTimeout(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"hangs before the headers": func(_ http.ResponseWriter, r *http.Request) { drain(r); <-r.Context().Done() },
		"hangs after the headers": func(w http.ResponseWriter, r *http.Request) {
			drain(r)
			w.Header().Set("Content-Type", streamed)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"a byte at a time": func(w http.ResponseWriter, r *http.Request) {
			drain(r)
			w.Header().Set("Content-Type", streamed)
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for _, b := range chunkFrame(prompb.Chunk_XOR, noiseBytes(50_000)) {
				_, _ = w.Write([]byte{b})
				w.(http.Flusher).Flush()
				select {
				case <-tick.C:
				case <-r.Context().Done():
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := client(t, answer, func(cfg *promread.Config) {
				cfg.Timeout, cfg.Retry.Attempts = model.Duration(time.Second), 1
			})
			err := c.Read(t.Context(), byName("up"), 0, 0, func(promread.Series) error { return nil })
			require.Equal(t, promread.Unreachable, promread.ReasonOf(err))
			require.ErrorContains(t, err, "no whole answer within 1s; see prometheus.timeout")
		})
	}
}

func TestAServerThatKeepsFailingIsLeftAlone(t *testing.T) {
	var calls atomic.Int64
	healthy := atomic.Bool{}
	good := &server{series: []testSeries{regular(labels.FromStrings("__name__", "up"), 0, 1000, 1)}}
	c, _ := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if healthy.Load() {
			good.ServeHTTP(w, r)
			return
		}
		http.Error(w, "down", http.StatusServiceUnavailable)
	}), func(cfg *promread.Config) { cfg.Retry.OpenFor = model.Duration(200 * time.Millisecond) })
	read := func() error {
		return c.Read(t.Context(), byName("up"), 0, 1e6, func(promread.Series) error { return nil })
	}
	require.Equal(t, promread.Overloaded, promread.ReasonOf(read()))
	for range 50 {
		err := read()
		require.Error(t, err)
	}
	require.LessOrEqual(t, calls.Load(), int64(6), "fifty watches, and next to no call")
	err := read()
	require.Equal(t, promread.Paused, promread.ReasonOf(err))
	require.ErrorContains(t, err, "not asked: the last 5 calls failed, the next try is in ")

	_, err = c.BuildInfo(t.Context())
	require.Equal(t, promread.Overloaded, promread.ReasonOf(err), "reads that fail do not stop the API, nor it them")

	healthy.Store(true)
	require.Eventually(t, func() bool { return read() == nil }, 5*time.Second, 20*time.Millisecond)
}

func TestRetryAfterIsHeeded(t *testing.T) {
	var calls atomic.Int64
	good := &server{series: []testSeries{regular(labels.FromStrings("__name__", "up"), 0, 1000, 1)}}
	c, _ := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Retry-After", "3600") // No longer than our own longest pause.
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		good.ServeHTTP(w, r)
	}))
	require.Len(t, readAll(t, c, byName("up"), 0, 1e6), 1)
	require.Equal(t, int64(2), calls.Load())
}

func drain(r *http.Request) {
	var b [512]byte
	for {
		if _, err := r.Body.Read(b[:]); err != nil {
			return
		}
	}
}

// chunkBytes is an XOR chunk of n samples.
func chunkBytes(n int) []byte {
	ck := chunkenc.NewXORChunk()
	app, err := ck.Appender()
	if err != nil {
		panic(err)
	}
	for i := range n {
		app.Append(0, int64(i)*1000, float64(i))
	}
	return ck.Bytes()
}

func noiseBytes(n int) []byte {
	b := make([]byte, 0, n)
	for _, v := range noise(n / 8) {
		b = binary.BigEndian.AppendUint64(b, uint64(v*1e18))
	}
	return b
}
