package baseline

import (
	"math/bits"

	"github.com/prometheus/prometheus/model/labels"
)

// index finds series by watch and labels. It is a hash table with open addressing (linear probing, deletion by
// moving back what follows: Knuth 6.4, algorithm R): twelve bytes a place, and no pointer chased for a series that
// is not meant. It grows by halves, so that a million series take about twenty bytes each.
type index struct {
	tags []uint32  // A part of the key, by which the place is chosen; 0 is an empty place.
	at   []*Series // By the same place.
	n    int
}

const (
	leastPlaces = 16
	fullest     = 0.85 // Of the places.
)

func (w *watchName) key(ls labels.Labels) uint64 { return ls.Hash() ^ w.hash }

// tagOf is what the index keeps of a key.
func tagOf(key uint64) uint32 { return max(1, uint32(key>>32)^uint32(key)) }

// home is the place where a tag belongs: the tags spread over the places in their order.
func (x *index) home(tag uint32) int {
	high, _ := bits.Mul64(uint64(tag)*0x9e3779b97f4a7c15, uint64(len(x.tags)))
	return int(high)
}

func (x *index) next(i int) int {
	if i++; i == len(x.tags) {
		return 0
	}
	return i
}

// find returns the series of a watch with these labels, filed under key, or nil.
func (x *index) find(key uint64, w *watchName, ls labels.Labels) *Series {
	if x.n == 0 {
		return nil
	}
	tag := tagOf(key)
	for i := x.home(tag); x.tags[i] != 0; i = x.next(i) {
		if s := x.at[i]; x.tags[i] == tag && s.name == w && s.name.engine.symbols.equal(s.packed(), ls) {
			return s
		}
	}
	return nil
}

func (x *index) insert(key uint64, s *Series) {
	if float64(x.n+1) > fullest*float64(len(x.tags)) {
		x.grow()
	}
	x.put(tagOf(key), s)
	x.n++
}

func (x *index) put(tag uint32, s *Series) {
	i := x.home(tag)
	for x.tags[i] != 0 {
		i = x.next(i)
	}
	x.tags[i], x.at[i] = tag, s
}

func (x *index) grow() {
	tags, at := x.tags, x.at
	n := max(leastPlaces, len(tags)+len(tags)/2)
	x.tags, x.at = make([]uint32, n), make([]*Series, n)
	for i, tag := range tags {
		if tag != 0 {
			x.put(tag, at[i])
		}
	}
}

// remove says whether the series was there.
func (x *index) remove(key uint64, s *Series) bool {
	if x.n == 0 {
		return false
	}
	tag := tagOf(key)
	hole := x.home(tag)
	for ; x.at[hole] != s; hole = x.next(hole) {
		if x.tags[hole] == 0 {
			return false
		}
	}
	for i := x.next(hole); x.tags[i] != 0; i = x.next(i) {
		// What belongs to a place after the hole stays: it is found without passing it.
		if home := x.home(x.tags[i]); (i-home+len(x.tags))%len(x.tags) >= (i-hole+len(x.tags))%len(x.tags) {
			x.tags[hole], x.at[hole] = x.tags[i], x.at[i]
			hole = i
		}
	}
	x.tags[hole], x.at[hole] = 0, nil
	x.n--
	return true
}

// each yields every series, in no order.
func (x *index) each(yield func(*Series) bool) {
	for _, s := range x.at {
		if s != nil && !yield(s) {
			return
		}
	}
}
