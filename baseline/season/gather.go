package season

// profile is each candidate's value at a slot of a day of the given weekday and class.
func (m *Model) profile(slot, weekday int, class Class) (v [kinds]float32, ok [kinds]bool) {
	var own, rest, same list // days of the class, of the other one, of the weekday
	m.gather(slot, weekday, class, &own, &rest, &same)
	ok[None] = true
	if own.n+rest.n == 0 {
		return v, ok
	}
	v[Daily], ok[Daily] = medianOfTwo(&own, &rest), true
	v[ByClass], v[Other] = v[Daily], v[Daily]
	ok[ByClass], ok[Other] = true, true
	if own.n > 0 {
		v[ByClass] = own.median()
	}
	if rest.n > 0 {
		v[Other] = rest.median()
	}
	v[Weekly], ok[Weekly] = v[ByClass], true
	if same.n > 0 {
		w := same.median()
		if same.n < 3 {
			w = v[ByClass] + trust(&same, w-v[ByClass])*(w-v[ByClass])
		}
		v[Weekly] = w
	}
	return v, ok
}

// gather puts the values of a slot in order: those of days of the class, of the other, and of the weekday among the
// first. A list that is nil is left out.
func (m *Model) gather(slot, weekday int, class Class, own, rest, same *list) {
	filled := int(m.Filled)
	row, base, unit, days, classes := m.codes[slot*m.days:][:filled], m.base[:filled], m.unit[:filled], m.number[:filled], m.class[:filled]
	for d, code := range row {
		if code == 0 {
			continue
		}
		x := base[d] + float32(code-1)*unit[d]
		if Class(classes[d]) != class {
			if rest != nil {
				rest.add(x)
			}
			continue
		}
		if own != nil {
			own.add(x)
		}
		if same != nil && Weekday(int64(days[d])) == weekday {
			same.add(x)
		}
	}
	for _, l := range [...]*list{own, rest, same} {
		if l != nil {
			l.sort()
		}
	}
}

// profileOf is profile for one candidate.
func (m *Model) profileOf(k Kind, slot, weekday int, class Class) (float32, bool) {
	var l list
	switch k {
	case None:
		return 0, true
	case Weekly:
		if m.gather(slot, weekday, class, nil, nil, &l); l.n >= 3 {
			return l.median(), true
		}
	case ByClass:
		if m.gather(slot, weekday, class, &l, nil, nil); l.n > 0 {
			return l.median(), true
		}
	}
	v, ok := m.profile(slot, weekday, class)
	return v[k], ok[k]
}

// trust is the share of its distance to the other days of its class that a weekday with fewer than three
// weeks behind it keeps: k/(k+1) of k weeks, more where two weeks agree with each other better than with
// the class (shrinkage towards the class in the manner of James and Stein, 1961).
func trust(l *list, d float32) float32 {
	share := float32(l.n) / float32(l.n+1)
	if l.n == 2 && d != 0 {
		apart := (l.at(1) - l.at(0)) / 2 / d
		share = max(share, 1-apart*apart)
	}
	return share
}
