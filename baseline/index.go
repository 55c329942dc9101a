package baseline

import (
	"hash/maphash"

	"github.com/prometheus/prometheus/model/labels"
)

// watchName is the name of a watch, held once for its series.
type watchName struct {
	name string
	hash uint64
}

// seed makes the hashes of watch names; they live no longer than the process.
var seed = maphash.MakeSeed()

// index finds series by watch and labels. Those of one hash are a chain.
type index struct {
	first map[uint64]*Series
	n     int
}

func (w *watchName) key(ls labels.Labels) uint64 { return ls.Hash() ^ w.hash }

// find returns the series of a watch with these labels, filed under key, or nil.
func (x *index) find(key uint64, w *watchName, ls labels.Labels) *Series {
	for s := x.first[key]; s != nil; s = s.next {
		if s.name == w && s.engine.symbols.equal(s.packed, ls) {
			return s
		}
	}
	return nil
}

func (x *index) insert(key uint64, s *Series) {
	s.next = x.first[key]
	x.first[key] = s
	x.n++
}

// remove says whether the series was there.
func (x *index) remove(key uint64, s *Series) bool {
	for at, before := x.first[key], (*Series)(nil); at != nil; before, at = at, at.next {
		if at != s {
			continue
		}
		switch {
		case before != nil:
			before.next = s.next
		case s.next != nil:
			x.first[key] = s.next
		default:
			delete(x.first, key)
		}
		x.n--
		return true
	}
	return false
}

// each yields every series, in no order.
func (x *index) each(yield func(*Series) bool) {
	for _, s := range x.first {
		for ; s != nil; s = s.next {
			if !yield(s) {
				return
			}
		}
	}
}
