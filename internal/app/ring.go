package app

import (
	"slices"

	"github.com/tidemark/tidemark/internal/web"
)

// ring keeps the last samples of a series with their scores.
type ring struct {
	buf      []web.Point
	next     int
	recalled bool // It is kept because somebody looked at the series.
}

// ringSize is how many samples of a series are kept for charts and rankings.
const ringSize = 240

// add appends a point, or replaces the last one when it is of the same time: the whole of a tick may
// change what a sample scored.
func (r *ring) add(p web.Point) {
	if n := len(r.buf); n > 0 {
		if last := &r.buf[(r.next+n-1)%n]; last.Time == p.Time {
			*last = p
			return
		}
	}
	if len(r.buf) < ringSize {
		r.buf = append(r.buf, p)
		return
	}
	r.buf[r.next] = p
	r.next = (r.next + 1) % ringSize
}

// points are the kept samples, oldest first.
func (r *ring) points() []web.Point {
	return slices.Concat(r.buf[r.next:], r.buf[:r.next])
}
