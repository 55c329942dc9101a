package promread

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
)

// Stream takes STREAMED_XOR_CHUNKS answers apart: what Read does behind its HTTP call. It is for
// answers that come by another way, such as the benchmarks'. It is not safe for concurrent use.
type Stream struct {
	h     *floatHandler
	limit int
}

// NewStream makes a Stream that hands the samples within [from, to] (Unix milliseconds) to fn, series by series, as
// Client.Read does. Frames of more than maxFrame bytes are refused.
func NewStream(from, to int64, maxFrame int, fn func(Series) error) *Stream {
	return &Stream{h: &floatHandler{m: newMetrics(prometheus.NewRegistry()), from: from, to: to, fn: fn}, limit: maxFrame}
}

// Read takes one answer apart.
func (s *Stream) Read(r io.Reader) error {
	return readFrames(r, s.limit, &onceHandler{inner: s.h})
}
