package correlate

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math"

	"github.com/prometheus/common/model"
)

// itemKey names one firing of an alert across explanations.
type itemKey struct {
	id    model.Fingerprint
	start int64
}

// keys of an item: one per firing in it, so that it is found again when it was joined with another.
func (it *item) keys() []itemKey {
	out := make([]itemKey, len(it.at.Starts))
	for i, t := range it.at.Starts {
		out[i] = itemKey{it.rec.ID, t.UnixNano()}
	}
	return out
}

func compareItems(a, b *item) int {
	switch { // Step by step: a storm compares a million times.
	case a.onset < b.onset:
		return -1
	case a.onset > b.onset:
		return 1
	}
	return compareStarts(a, b)
}

// compareStarts orders by first firing: the order in which an incident's first member is chosen.
func compareStarts(a, b *item) int {
	if c := a.start.Compare(b.start); c != 0 {
		return c
	}
	return cmp.Compare(a.rec.ID, b.rec.ID)
}

func compareChanges(a, b Change) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Entity.Name, b.Entity.Name), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Text, b.Text), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Labels.Fingerprint(), b.Labels.Fingerprint()))
}

// compareForBound puts first what is forgotten first: ended ones by their end, then firing ones by
// their start.
func compareForBound(a, b *record) int {
	x, y := a.ended(), b.ended()
	switch {
	case x.IsZero() != y.IsZero():
		if y.IsZero() {
			return -1
		}
		return 1
	case !x.IsZero():
		return cmp.Or(x.Compare(y), cmp.Compare(a.ID, b.ID))
	}
	return cmp.Or(a.Spans[0].Start.Compare(b.Spans[0].Start), cmp.Compare(a.ID, b.ID))
}

// signature of a stretch: all that its explanation depends on but graph and changes.
func signature(items []*item) uint64 {
	buf := make([]byte, 0, 40*len(items))
	put := func(x uint64) { buf = binary.LittleEndian.AppendUint64(buf, x) }
	for _, it := range items {
		put(uint64(it.rec.ID))
		put(math.Float64bits(it.onset))
		put(math.Float64bits(it.bias))
		put(uint64(it.start.UnixNano()))
		if it.end.IsZero() {
			put(0)
		} else {
			put(uint64(it.end.UnixNano()))
		}
	}
	h := fnv.New64a()
	_, _ = h.Write(buf)
	return h.Sum64()
}
