package promread_test

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/promread"
)

// answers is a transport-free way to a decoder: a client whose server gives the same answer always.
func answers(tb testing.TB, kind, encoding string) (read func(t *testing.T, body []byte) error) {
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		send(kind, encoding, body)(w, r)
	}))
	tb.Cleanup(srv.Close)
	c, _ := clientAt(tb, srv.URL, func(cfg *promread.Config) {
		cfg.MaxFrameBytes, cfg.MaxBodyBytes = 1<<20, 1<<20
		cfg.Retry.Attempts, cfg.Retry.OpenAfter, cfg.Retry.OpenFor = 1, 1000, cfg.Retry.MinBackoff
	})
	return func(t *testing.T, b []byte) error {
		body = b
		return c.Read(t.Context(), byName("up"), 0, 0, func(s promread.Series) error {
			if len(s.T) != len(s.V) {
				t.Errorf("%d times and %d values", len(s.T), len(s.V))
			}
			for i := range s.T {
				if s.T[i] != 0 || i > 0 {
					t.Errorf("the sample at %d is outside the range or comes twice", s.T[i])
				}
			}
			return nil
		})
	}
}

// checkFailure holds that garbage gives an error of ours, or none.
func checkFailure(t *testing.T, err error) {
	if err != nil && promread.ReasonOf(err) == "" {
		t.Errorf("an error without a reason: %v", err)
	}
}

func FuzzStreamedAnswer(f *testing.F) {
	good := chunkFrame(prompb.Chunk_XOR, chunkBytes(10))
	f.Add(good)
	f.Add(append(good, good...))
	f.Add(good[:20])
	f.Add(binary.AppendUvarint(nil, 1<<63))
	read := answers(f, streamed, "")
	f.Fuzz(func(t *testing.T, body []byte) { checkFailure(t, read(t, body)) })
}

// FuzzFrame has a right checksum always, so that the message is what is tried.
func FuzzFrame(f *testing.F) {
	for _, enc := range []chunkenc.Encoding{chunkenc.EncXOR, chunkenc.EncXOR2} {
		ts := regular(labels.FromStrings("__name__", "up", "job", "a"), 0, 1000, 1, 2, 3.5)
		b, err := chunkedMessages(ts, 0, 1e9, 1, enc)[0].Marshal()
		require.NoError(f, err)
		f.Add(b)
	}
	read := answers(f, streamed, "")
	f.Fuzz(func(t *testing.T, message []byte) { checkFailure(t, read(t, rawFrame(message))) })
}

// FuzzChunk has a right message around the bytes of a chunk.
func FuzzChunk(f *testing.F) {
	f.Add(uint8(chunkenc.EncXOR), chunkBytes(10))
	f.Add(uint8(chunkenc.EncXOR2), chunkBytes(10))
	f.Add(uint8(chunkenc.EncHistogram), chunkBytes(10))
	f.Add(uint8(chunkenc.EncFloatHistogram), []byte{0, 1, 0})
	read := answers(f, streamed, "")
	f.Fuzz(func(t *testing.T, encoding uint8, data []byte) {
		checkFailure(t, read(t, chunkFrame(prompb.Chunk_Encoding(encoding), data)))
	})
}

func FuzzSamplesAnswer(f *testing.F) {
	good := samplesBody([]testSeries{regular(labels.FromStrings("__name__", "up"), 0, 1000, 1, 2)}, 0, 1e9)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(bomb())
	read := answers(f, "application/x-protobuf", "snappy")
	f.Fuzz(func(t *testing.T, body []byte) { checkFailure(t, read(t, body)) })
}

func FuzzSamplesMessage(f *testing.F) {
	good, err := snappy.Decode(nil, samplesBody([]testSeries{regular(labels.FromStrings("__name__", "up"), 0, 1000, 1, 2)}, 0, 1e9))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte("hello"))
	read := answers(f, "application/x-protobuf", "snappy")
	f.Fuzz(func(t *testing.T, message []byte) { checkFailure(t, read(t, snappy.Encode(nil, message))) })
}
