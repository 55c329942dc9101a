package promread

import (
	"fmt"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// maxChunkBytes is far over what Prometheus cuts (1 KiB for floats).
const maxChunkBytes = 1 << 20

// floatDecoder turns chunks into samples. It is the one place where chunk bytes are read, so that
// a faster decoder has one place to go. It is not safe for concurrent use.
type floatDecoder struct {
	it chunkenc.Iterator
}

// decode appends the float samples of c within [from, to] to t and v, in order of time. It returns how
// many samples were native histograms, which are passed over. Chunks arrive whole, so most ranges
// cut the first and the last.
func (d *floatDecoder) decode(c chunk, from, to int64, t []int64, v []float64) ([]int64, []float64, int, error) {
	ck, err := openChunk(c)
	if err != nil {
		return t, v, 0, err
	}
	switch ck.Encoding() {
	case chunkenc.EncXOR, chunkenc.EncXOR2:
	default:
		return t, v, ck.NumSamples(), nil
	}
	it := ck.Iterator(d.it)
	d.it = it
	for it.Next() == chunkenc.ValFloat {
		at, value := it.At()
		if at < from {
			continue
		}
		if at > to {
			return t, v, 0, nil
		}
		t, v = append(t, at), append(v, value)
	}
	if err := it.Err(); err != nil {
		return t, v, 0, &fault{reason: Corrupt, msg: "a chunk can't be decoded", err: err}
	}
	return t, v, 0, nil
}

// openChunk checks what the iterators of chunkenc take for granted: a chunk has its header, and a
// count of samples that its bytes can hold.
func openChunk(c chunk) (chunkenc.Chunk, error) {
	if c.encoding > 255 || !chunkenc.IsValidEncoding(chunkenc.Encoding(c.encoding)) {
		return nil, faultf(Corrupt, "a chunk has the unknown encoding %d", c.encoding)
	}
	if len(c.data) < 3 || len(c.data) > maxChunkBytes {
		return nil, faultf(Corrupt, "a chunk has %d bytes", len(c.data))
	}
	ck, err := chunkenc.FromData(chunkenc.Encoding(c.encoding), c.data)
	if err != nil {
		return nil, fmt.Errorf("open chunk: %w", err)
	}
	return ck, nil
}
