package promread

import (
	"context"

	"github.com/prometheus/prometheus/prompb"
)

type briefKey struct{}

// Brief marks the reads of ctx as reads of so few series that the answer for a moment may be held as a whole. Then a
// range of some minutes is asked for as plain samples (SAMPLES): a streamed answer costs the server and us a
// system call for each series, and re-encoded chunks.
func Brief(ctx context.Context) context.Context { return context.WithValue(ctx, briefKey{}, true) }

func isBrief(ctx context.Context) bool { return ctx.Value(briefKey{}) != nil }

// briefRange is the longest range in milliseconds that is read as plain samples: those cost Prometheus 0.25 us each, a
// series of a streamed answer 7 us, so that forty samples cost the same either way.
const briefRange = 10 * 60 * 1000

var (
	streamedTypes = []prompb.ReadRequest_ResponseType{prompb.ReadRequest_STREAMED_XOR_CHUNKS, prompb.ReadRequest_SAMPLES}
	plainTypes    = []prompb.ReadRequest_ResponseType{prompb.ReadRequest_SAMPLES}
)
