package season

// Level is the level above the profile of the season in force.
func (m *Model) Level() float64 { return m.Cand[m.active()].Level }

// Ahead is the profile of the season in force at any time t (unix milliseconds), past or to come.
func (m *Model) Ahead(t int64, step float64) float64 {
	local := m.cal.Local(t)
	day := floorDiv(local, dayMs)
	in := local - day*dayMs
	slot := in / m.slotMs
	frac := float64(in-slot*m.slotMs) / float64(m.slotMs)
	if m.Filled == 0 || m.active() == None {
		return 0
	}
	c := candidate{Cur: m.valueAt(slot, day)}
	switch flat := m.flat(step); {
	case flat:
	case frac < 0.5:
		c.Prev = m.valueAt(slot-1, day)
	default:
		c.Next = m.valueAt(slot+1, day)
	}
	return c.interpolate(frac, m.flat(step))
}

// ProfileOfToday is the profile of a slot of the current day.
func (m *Model) ProfileOfToday(slot int) float64 {
	return float64(m.valueAt(int64(slot), int64(m.Day)))
}

// valueAt is the profile of the season in force in a slot that may lie a day before or after. A
// slot that was always empty takes the value of the nearest one before it.
func (m *Model) valueAt(slot, day int64) float32 {
	if m.Filled == 0 {
		return 0
	}
	k := m.active()
	if off := slot - int64(m.Slot); day == int64(m.Day) && off >= -1 && off <= 1 && m.N > 0 {
		return *m.Cand[k].at(int(off) + 1) // Looked up when the slot began.
	}
	if k == Other && day != int64(m.Day) {
		k = m.Chosen // only today is known to be unlike its class
	}
	for range m.slots {
		s, d := slot, day
		if s < 0 {
			s, d = s+int64(m.slots), d-1
		} else if s >= int64(m.slots) {
			s, d = s-int64(m.slots), d+1
		}
		if v, ok := m.profileOf(k, int(s), Weekday(d), m.cal.Class(d)); ok {
			return v
		}
		if slot--; slot < -int64(m.slots)+1 {
			break
		}
	}
	return 0
}

// Presence is the share of remembered days that had a sample in this slot of the day, and the
// number of days.
func (m *Model) Presence(t int64) (share float64, days int) {
	local := m.cal.Local(t)
	slot := int((local - floorDiv(local, dayMs)*dayMs) / m.slotMs)
	n := 0
	for _, c := range m.codes[slot*m.days : slot*m.days+int(m.Filled)] {
		if c != 0 {
			n++
		}
	}
	if m.Filled == 0 {
		return 1, 0
	}
	return float64(n) / float64(m.Filled), int(m.Filled)
}

// LastDays are, in the slot of t, the median of the last five days and the last day, counted from back
// days before that of t and whatever their class; false while there is none.
func (m *Model) LastDays(t, back int64) (mid, last float64, ok bool) {
	local := m.cal.Local(t)
	day := floorDiv(local, dayMs)
	slot := int((local - day*dayMs) / m.slotMs)
	var l list
	take := func(x float32) {
		if l.n == 0 {
			last = float64(x)
		}
		l.add(x)
	}
	newest := day - back
	if int64(m.Day) <= newest {
		x := m.today[slot]
		if slot == int(m.Slot) && m.Count > 0 {
			x = float32(m.Sum / float64(m.Count))
		}
		if x == x {
			take(x)
		}
	}
	for k := 1; k <= int(m.Filled) && l.n < 5; k++ {
		d := (int(m.Head) - k + m.days) % m.days
		if int64(m.number[d]) > newest {
			continue
		}
		if code := m.codes[slot*m.days+d]; code != 0 {
			take(m.base[d] + float32(code-1)*m.unit[d])
		}
	}
	if l.n == 0 {
		return 0, 0, false
	}
	l.sort()
	return float64(l.median()), last, true
}
