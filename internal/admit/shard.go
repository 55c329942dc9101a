package admit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Shard is one of several processes that share the series of one source. The zero value is the only one.
type Shard struct{ Index, Count int }

// ParseShard reads the flags: the index is a number from 0, or auto for the ordinal at the end of the first name
// that has one, as the pods of a StatefulSet have (tidemark-2).
func ParseShard(index string, count int, names ...string) (Shard, error) {
	if count < 1 {
		return Shard{}, fmt.Errorf("--shard.count is %d: must be 1 or more", count)
	}
	i, err := strconv.Atoi(index)
	if index == "auto" {
		if i, err = ordinal(names); err != nil {
			return Shard{}, err
		}
	}
	switch {
	case err != nil:
		return Shard{}, fmt.Errorf("--shard.index is %q: must be a number from 0 to %d, or auto", index, count-1)
	case i < 0 || i >= count:
		return Shard{}, fmt.Errorf("--shard.index is %d: must be between 0 and %d, since --shard.count is %d", i, count-1, count)
	}
	return Shard{Index: i, Count: count}, nil
}

func ordinal(names []string) (int, error) {
	for _, name := range names {
		if at := strings.LastIndexByte(name, '-'); at >= 0 {
			if i, err := strconv.ParseUint(name[at+1:], 10, 16); err == nil {
				return int(i), nil
			}
		}
	}
	return 0, errors.New("--shard.index is auto, but neither POD_NAME nor the host's name ends in -NUMBER, as the pods of a StatefulSet do")
}

// First is the shard that alerts go to and that posts incidents: the one with the index 0.
func (s Shard) First() bool { return s.Index == 0 }

// Owns says whether a series belongs to this shard: by a hash of the watch and the series' labels. Series that are
// compared with each other, those of one group, are kept together: of them the shared labels alone count.
//
// The hash is FNV-1a with Lamping and Veach's jump consistent hash (2014), as in kube-state-metrics: with one
// shard more, only one series in Count+1 moves.
func (s Shard) Owns(watch string, groupBy []string, ls labels.Labels) bool {
	if s.Count <= 1 {
		return true
	}
	h := fnv(14695981039346656037, watch)
	if len(groupBy) > 0 {
		for _, name := range groupBy {
			h = fnv(h, ls.Get(name))
		}
	} else {
		ls.Range(func(l labels.Label) { h = fnv(fnv(h, l.Name), l.Value) })
	}
	return jump(h, s.Count) == s.Index
}

// fnv adds a string and a separator to a hash, FNV-1a 64 bit.
func fnv(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211
}

func jump(key uint64, buckets int) int {
	b, j := int64(-1), int64(0)
	for j < int64(buckets) {
		b = j
		key = key*2862933555777941757 + 1
		j = int64(float64(b+1) * (float64(int64(1)<<31) / float64((key>>33)+1)))
	}
	return int(b)
}
