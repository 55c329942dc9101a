package promread

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// maxChunkBytes is far over what Prometheus cuts (1 KiB for floats).
const maxChunkBytes = 1 << 20

// floatDecoder turns chunks into samples. It is not safe for concurrent use.
type floatDecoder struct {
	xor xorDecoder
	it  chunkenc.Iterator
}

// decode appends the float samples of c within [from, to] to t and v, in order of time. It returns how
// many samples were native histograms, which are passed over. Chunks arrive whole, so most ranges
// cut the first and the last.
func (d *floatDecoder) decode(c chunk, from, to int64, t []int64, v []float64) ([]int64, []float64, int, error) {
	ck, err := openChunk(c)
	if err != nil {
		return t, v, 0, err
	}
	before := len(t)
	switch ck.Encoding() {
	case chunkenc.EncXOR:
		t, v, err = d.xor.decode(c.data, t, v)
	case chunkenc.EncXOR2:
		t, v, err = d.iterate(ck, t, v)
	default:
		return t, v, ck.NumSamples(), nil
	}
	if err != nil {
		return t[:before], v[:before], 0, err
	}
	t, v = clip(before, from, to, t, v)
	return t, v, 0, nil
}

// iterate decodes by the iterator of chunkenc: slower, and right for every encoding.
func (d *floatDecoder) iterate(ck chunkenc.Chunk, t []int64, v []float64) ([]int64, []float64, error) {
	it := ck.Iterator(d.it)
	d.it = it
	for it.Next() == chunkenc.ValFloat {
		at, value := it.At()
		t, v = append(t, at), append(v, value)
	}
	if err := it.Err(); err != nil {
		return t, v, &fault{reason: Corrupt, msg: "a chunk can't be decoded", err: err}
	}
	return t, v, nil
}

// clip keeps what is before index first, and of the rest what is within [from, to].
func clip(first int, from, to int64, t []int64, v []float64) ([]int64, []float64) {
	if n := len(t); n == first || t[first] >= from && t[n-1] <= to && slices.IsSorted(t[first:]) {
		return t, v
	}
	kept := first
	for i := first; i < len(t); i++ {
		if t[i] >= from && t[i] <= to {
			t[kept], v[kept] = t[i], v[i]
			kept++
		}
	}
	return t[:kept], v[:kept]
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
