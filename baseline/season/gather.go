package season

// profile is each candidate's value at a slot of a day of the given weekday and class.
func (m *Model) profile(slot, weekday int, class Class) (v [kinds]float32, ok [kinds]bool) {
	var buf [3][64]float32
	var n [3]int // all of own class, of the other class, of the weekday
	m.gather(slot, weekday, class, everyDay, &buf, &n)
	ok[None] = true
	if n[0]+n[1] == 0 {
		return v, ok
	}
	v[Daily], ok[Daily] = medianOfTwo(&buf[0], n[0], &buf[1], n[1]), true
	v[ByClass], v[Other] = v[Daily], v[Daily]
	ok[ByClass], ok[Other] = true, true
	if n[0] > 0 {
		v[ByClass] = median(&buf[0], n[0])
	}
	if n[1] > 0 {
		v[Other] = median(&buf[1], n[1])
	}
	v[Weekly], ok[Weekly] = v[ByClass], true
	if n[2] > 0 {
		w := median(&buf[2], n[2])
		if n[2] < 3 {
			w = v[ByClass] + trust(&buf[2], n[2], w-v[ByClass])*(w-v[ByClass])
		}
		v[Weekly] = w
	}
	return v, ok
}

// groups of days, see gather.
const (
	own = 1 << iota // of the class asked for
	other
	weekdays // of the weekday, of the class
	everyDay = own | other | weekdays
)

// gather sorts the values of a slot into those of days of the class, of the other, and of the weekday.
func (m *Model) gather(slot, weekday int, class Class, which int, buf *[3][64]float32, n *[3]int) {
	filled := int(m.Filled)
	row, base, unit, days, classes := m.codes[slot*m.days:][:filled], m.base[:filled], m.unit[:filled], m.number[:filled], m.class[:filled]
	for d, code := range row {
		if code == 0 {
			continue
		}
		x := base[d] + float32(code-1)*unit[d]
		if Class(classes[d]) != class {
			if which&other != 0 {
				n[1] = insert(&buf[1], n[1], x)
			}
			continue
		}
		if which&own != 0 {
			n[0] = insert(&buf[0], n[0], x)
		}
		if which&weekdays != 0 && Weekday(int64(days[d])) == weekday {
			n[2] = insert(&buf[2], n[2], x)
		}
	}
}

// profileOf is profile for one candidate.
func (m *Model) profileOf(k Kind, slot, weekday int, class Class) (float32, bool) {
	var buf [3][64]float32
	var n [3]int
	switch k {
	case None:
		return 0, true
	case Weekly:
		if m.gather(slot, weekday, class, weekdays, &buf, &n); n[2] >= 3 {
			return median(&buf[2], n[2]), true
		}
	case ByClass:
		if m.gather(slot, weekday, class, own, &buf, &n); n[0] > 0 {
			return median(&buf[0], n[0]), true
		}
	}
	v, ok := m.profile(slot, weekday, class)
	return v[k], ok[k]
}

// trust is the share of its distance to the other days of its class that a weekday with fewer than three
// weeks behind it keeps: k/(k+1) of k weeks, more where two weeks agree with each other better than with
// the class (shrinkage towards the class in the manner of James and Stein, 1961).
func trust(b *[64]float32, n int, d float32) float32 {
	share := float32(n) / float32(n+1)
	if n == 2 && d != 0 {
		apart := (b[1] - b[0]) / 2 / d
		share = max(share, 1-apart*apart)
	}
	return share
}

// insert keeps b[:n] sorted.
func insert(b *[64]float32, n int, x float32) int {
	i := n
	for i > 0 && b[i-1] > x {
		b[i] = b[i-1]
		i--
	}
	b[i] = x
	return n + 1
}

func median(b *[64]float32, n int) float32 {
	if n%2 == 1 {
		return b[n/2]
	}
	return (b[n/2-1] + b[n/2]) / 2
}

// medianOfTwo is the median of two sorted lists together.
func medianOfTwo(a *[64]float32, na int, b *[64]float32, nb int) float32 {
	var x, y float32
	i, j := 0, 0
	for range (na+nb)/2 + 1 {
		x = y
		if j >= nb || i < na && a[i] <= b[j] {
			y = a[i]
			i++
		} else {
			y = b[j]
			j++
		}
	}
	if (na+nb)%2 == 1 {
		return y
	}
	return (x + y) / 2
}
