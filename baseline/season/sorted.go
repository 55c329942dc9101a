package season

import "math"

// room is one more than a list can hold, a power of two.
const room = 64

// list is some values in order, as keys that compare as the values do: whole numbers are put in order without branches, which
// for values that are noise costs a third.
type list struct {
	key [room]int32
	n   int
}

// keyOf turns the bits of a number so that keys are in the order of the numbers; valueOf turns them back.
func keyOf(x float32) int32 { return turned(int32(math.Float32bits(x))) }

func valueOf(k int32) float32 { return math.Float32frombits(uint32(turned(k))) }

func turned(b int32) int32 { return b ^ (b >> 31 & math.MaxInt32) }

// add puts a value behind the others; sort puts them in order.
func (l *list) add(x float32) {
	l.key[l.n&(room-1)] = keyOf(x)
	l.n++
}

func (l *list) at(i int) float32 { return valueOf(l.key[i]) }

func (l *list) sort() {
	for _, c := range networks[l.n] {
		a, b := &l.key[c[0]&(room-1)], &l.key[c[1]&(room-1)]
		*a, *b = min(*a, *b), max(*a, *b)
	}
}

// networks are the comparisons that sort so many values (merge exchange: Batcher 1968, Knuth 5.2.2 M).
var networks = func() (all [room][][2]uint8) {
	for n := range all {
		for p := 1; p < n; p *= 2 {
			for k := p; k >= 1; k /= 2 {
				for j := k % p; j < n-k; j += 2 * k {
					for i := range min(k, n-j-k) {
						if (i+j)/(2*p) == (i+j+k)/(2*p) {
							all[n] = append(all[n], [2]uint8{uint8(i + j), uint8(i + j + k)})
						}
					}
				}
			}
		}
	}
	return all
}()

func (l *list) median() float32 {
	if l.n%2 == 1 {
		return l.at(l.n / 2)
	}
	return (l.at(l.n/2-1) + l.at(l.n/2)) / 2
}

// medianOfTwo is the median of two lists together.
func medianOfTwo(a, b *list) float32 {
	a.key[a.n&(room-1)], b.key[b.n&(room-1)] = math.MaxInt32, math.MaxInt32 // behind all
	var x, y int32
	i, j := 0, 0
	for range (a.n+b.n)/2 + 1 {
		p, q := a.key[i&(room-1)], b.key[j&(room-1)]
		x, y = y, min(p, q)
		first := 0
		if p <= q {
			first = 1
		}
		i += first
		j += 1 - first
	}
	if (a.n+b.n)%2 == 1 {
		return valueOf(y)
	}
	return (valueOf(x) + valueOf(y)) / 2
}
