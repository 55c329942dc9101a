package receiver

import (
	"errors"
	"hash/maphash"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/snappy"
)

// WritePath is the endpoint of Prometheus remote write, the same as in Prometheus.
const WritePath = "/api/v1/write"

// Messages of remote write, as the parameter proto of the content type names them.
const (
	writeProtoV1 = "prometheus.WriteRequest"
	writeProtoV2 = "io.prometheus.write.v2.Request"
)

// maxAhead is how far ahead of our clock a sample may be, as in Prometheus: a wrong clock would end a series.
const maxAhead = 10 * time.Minute

var (
	errWriteOrder   = errors.New("samples are out of order, or came twice with different values")
	errWriteNew     = errors.New("samples are more than 10m ahead of the clock here")
	errWriteInvalid = errors.New("a series has labels that were refused")
	errWriteFull    = errors.New("there are more series than receiver.remote_write.max_series")
)

// remoteWrite is the endpoint that takes samples. They are not kept in the log: after a restart, what is
// missing is read from Prometheus again.
type remoteWrite struct {
	r       *Receiver
	sink    func() SampleSink
	index   writeIndex
	seed    maphash.Seed
	batches sync.Pool // of *writeBuffers
}

// writeBuffers is the memory of one message.
type writeBuffers struct {
	plain []byte
	batch writeBatch
}

func newRemoteWrite(r *Receiver, sink func() SampleSink) *remoteWrite {
	w := &remoteWrite{r: r, sink: sink, seed: maphash.MakeSeed()}
	w.batches.New = func() any { return &writeBuffers{batch: writeBatch{seed: w.seed}} }
	return w
}

// handler speaks remote write 1.0 and 2.0 (prometheus.io/docs/specs/prw): another content type or encoding
// gets 415, what cannot be used 400 and is not to be sent again, an overload 503; answers to 2.0 say how many
// samples were taken.
func (w *remoteWrite) handler() http.Handler {
	h := w.r.handler(endpoint{
		name: "remote_write", types: []string{"application/x-protobuf"}, decode: w.decode,
		maxBody: func(c *Config) ByteSize { return c.RemoteWrite.MaxBody },
	})
	return http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Content-Type") == "" { // as Prometheus: senders of 1.0 may leave it out
			req.Header.Set("Content-Type", "application/x-protobuf")
		}
		h.ServeHTTP(out, req)
	})
}

// decode takes one message. Unlike other endpoints it delivers at once: there is nothing to keep first.
func (w *remoteWrite) decode(c *Config, h http.Header, body []byte) (kept, error) {
	decode, v2, err := writeVersion(h)
	if err != nil {
		return kept{}, err
	}
	sink := w.sink()
	if sink == nil {
		return kept{}, refuse(http.StatusServiceUnavailable, "the configuration is being loaded, try again in %d s", retryAfter)
	}
	buf := w.batches.Get().(*writeBuffers)
	defer w.batches.Put(buf)
	if err := buf.unsnap(c, body); err != nil {
		return kept{}, err
	}
	if err := decode(&buf.batch, buf.plain); err != nil {
		return kept{}, refuse(http.StatusBadRequest, "%v", err)
	}
	o := w.index.apply(&c.RemoteWrite, &buf.batch, sink, w.r.clock())
	w.r.m.count(o, &buf.batch)
	return w.answer(o, &buf.batch, v2), nil
}

// writeVersion picks the decoder by the content type and checks the encoding.
func writeVersion(h http.Header) (decode func(*writeBatch, []byte) error, v2 bool, err error) {
	if enc := h.Get("Content-Encoding"); enc != "" && enc != "snappy" {
		return nil, false, refuse(http.StatusUnsupportedMediaType, "Content-Encoding is %.100s, must be snappy", enc)
	}
	_, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return nil, false, refuse(http.StatusUnsupportedMediaType, "Content-Type is not readable: %v", err)
	}
	switch proto, named := params["proto"]; {
	case !named, proto == writeProtoV1:
		return (*writeBatch).decodeV1, false, nil
	case proto == writeProtoV2:
		return (*writeBatch).decodeV2, true, nil
	default:
		return nil, false, refuse(http.StatusUnsupportedMediaType, "the message is %.100s, must be %s or %s", proto, writeProtoV1, writeProtoV2)
	}
}

// answer says what became of a message. A native histogram and an exemplar count as taken, as a sample does
// that nobody watches: they are left out on purpose, and a sender would take a zero for a failure.
func (w *remoteWrite) answer(o outcome, b *writeBatch, v2 bool) kept {
	var k kept
	if v2 {
		samples, histograms, exemplars := o.written, b.histograms, b.exemplars
		k.header = func(h http.Header) {
			h.Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(samples))
			h.Set("X-Prometheus-Remote-Write-Histograms-Written", strconv.Itoa(histograms))
			h.Set("X-Prometheus-Remote-Write-Exemplars-Written", strconv.Itoa(exemplars))
		}
	}
	if n := o.refused(); n > 0 {
		k.partial = refuse(http.StatusBadRequest, "%d of %d samples refused; the first: %v", n, n+o.written, o.first)
	}
	return k
}

// unsnap is the package's unsnap into memory that is used again.
func (buf *writeBuffers) unsnap(c *Config, body []byte) error {
	n, err := checkSnappy(c, body)
	if err != nil {
		return err
	}
	if cap(buf.plain) < n {
		buf.plain = make([]byte, n)
	}
	if buf.plain, err = snappy.Decode(buf.plain[:cap(buf.plain)], body); err != nil {
		return refuse(http.StatusBadRequest, "the body is not a snappy block")
	}
	return nil
}

// disabledWrite answers when remote write is not enabled.
func disabledWrite(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, req.URL.Path+" takes POST, not "+req.Method, http.StatusMethodNotAllowed)
		return
	}
	http.Error(w, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver", http.StatusNotFound)
}
