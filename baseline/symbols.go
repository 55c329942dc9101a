package baseline

import (
	"encoding/binary"
	"iter"
	"strings"
	"sync"
	"unsafe"

	"github.com/prometheus/prometheus/model/labels"
)

// symbols holds every label name and value once. The series of a fleet share most of them: eight labels
// take about fifty bytes this way, and 250 as labels.Labels.
type symbols struct {
	mu   sync.RWMutex
	ids  map[string]uint32
	text []string
	uses []uint32
	free []uint32
}

// packed are labels as the numbers of their names and values in turn, as uvarints; or behind a zero, which
// is no number of a symbol, as names and values in turn, each behind its length.
type packed string

// folded is a packed behind its length as a uvarint, in one pointer: half of a string.
type folded struct{ at *byte }

func fold(p packed) folded {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(p)))
	b := make([]byte, n+len(p)) // No byte more: there are a million of them.
	copy(b[copy(b, head[:n]):], p)
	return folded{unsafe.SliceData(b)}
}

func (f folded) unfold() packed {
	at, n, shift := unsafe.Pointer(f.at), 0, 0
	for ; *(*byte)(at) >= 0x80; at = unsafe.Add(at, 1) {
		n |= int(*(*byte)(at)&0x7f) << shift
		shift += 7
	}
	n |= int(*(*byte)(at)) << shift
	if n == 0 {
		return ""
	}
	return packed(unsafe.String((*byte)(unsafe.Add(at, 1)), n)) // What is folded is not changed.
}

// packed are the labels; the lock of the series or of the engine is held.
func (s *Series) packed() packed { return s.folded.unfold() }

// textual are labels that no longer depend on the symbols.
func textual(ls labels.Labels) packed {
	b := []byte{0}
	ls.Range(func(l labels.Label) {
		b = append(binary.AppendUvarint(b, uint64(len(l.Name))), l.Name...)
		b = append(binary.AppendUvarint(b, uint64(len(l.Value))), l.Value...)
	})
	return packed(b)
}

// pack takes labels in; release gives them back.
func (t *symbols) pack(ls labels.Labels) packed {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := make([]byte, 0, 64)
	ls.Range(func(l labels.Label) {
		b = binary.AppendUvarint(b, uint64(t.use(l.Name)))
		b = binary.AppendUvarint(b, uint64(t.use(l.Value)))
	})
	return packed(b)
}

func (t *symbols) use(s string) uint32 {
	id, ok := t.ids[s]
	if ok {
		t.uses[id]++
		return id
	}
	s = strings.Clone(s) // Not the string of all labels that it is part of.
	if n := len(t.free); n > 0 {
		id, t.free = t.free[n-1], t.free[:n-1]
		t.text[id], t.uses[id] = s, 1
	} else {
		if t.ids == nil {
			t.ids, t.text, t.uses = map[string]uint32{}, []string{""}, []uint32{0}
		}
		id = uint32(len(t.text))
		t.text, t.uses = append(t.text, s), append(t.uses, 1)
	}
	t.ids[s] = id
	return id
}

func (t *symbols) release(p packed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range p.each {
		if t.uses[id]--; t.uses[id] == 0 {
			delete(t.ids, t.text[id])
			t.text[id] = ""
			t.free = append(t.free, id)
		}
	}
}

// each yields the numbers of names and values in turn.
func (p packed) each(yield func(uint32) bool) {
	for len(p) > 0 {
		id, rest := p.first()
		if p = rest; !yield(id) {
			return
		}
	}
}

// first is the first number, and the rest.
func (p packed) first() (uint32, packed) {
	id, shift, i := uint32(0), 0, 0
	for ; p[i] >= 0x80; i++ {
		id |= uint32(p[i]&0x7f) << shift
		shift += 7
	}
	return id | uint32(p[i])<<shift, p[i+1:]
}

// unpack makes labels of p.
func (t *symbols) unpack(p packed) labels.Labels {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b := labels.NewScratchBuilder(8)
	if p.literal() {
		text := func() string {
			n, rest := p.first()
			p = rest[n:]
			return string(rest[:n])
		}
		for p = p[1:]; len(p) > 0; {
			name := text()
			b.Add(name, text())
		}
		return b.Labels()
	}
	name, isName := "", true
	for id := range p.each {
		if isName {
			name = t.text[id]
		} else {
			b.Add(name, t.text[id])
		}
		isName = !isName
	}
	return b.Labels()
}

// equal compares without making labels.
func (t *symbols) equal(p packed, ls labels.Labels) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	same := true
	symbol := func(want string) {
		if same = same && len(p) > 0; same {
			var id uint32
			id, p = p.first()
			same = t.text[id] == want
		}
	}
	ls.Range(func(l labels.Label) {
		symbol(l.Name)
		symbol(l.Value)
	})
	return same && len(p) == 0
}

// Without returns a test for series that have exactly these labels once one label is left out of theirs. It makes no
// labels of the series that it looks at, so that a million are looked through in a tenth of a second.
func (e *Engine) Without(label string, ls labels.Labels) func(*Series) bool {
	t := &e.symbols
	t.mu.RLock()
	defer t.mu.RUnlock()
	out, hasOut := t.ids[label]
	var want []uint32
	known := true
	ls.Range(func(l labels.Label) {
		if l.Name == label {
			return
		}
		name, okName := t.ids[l.Name]
		value, okValue := t.ids[l.Value]
		known = known && okName && okValue
		want = append(want, name, value)
	})
	return func(s *Series) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return known && s.packed().same(want, out, hasOut)
	}
}

// pairs yields the numbers of each label's name and value but those of the name skip; nothing once the series was
// removed.
func (p packed) pairs(skip uint32, skips bool) iter.Seq2[uint32, uint32] {
	return func(yield func(name, value uint32) bool) {
		for !p.literal() && len(p) > 0 {
			name, rest := p.first()
			value, rest := rest.first()
			if p = rest; (!skips || name != skip) && !yield(name, value) {
				return
			}
		}
	}
}

// literal says that the labels are held as text, since the series was removed.
func (p packed) literal() bool { return len(p) > 0 && p[0] == 0 }

// same says whether p is these numbers, without the label of the name skip.
func (p packed) same(want []uint32, skip uint32, skips bool) bool {
	for name, value := range p.pairs(skip, skips) {
		if len(want) < 2 || want[0] != name || want[1] != value {
			return false
		}
		want = want[2:]
	}
	return len(want) == 0 && !p.literal()
}

// Holding returns a test for series that hold each of the words, in lower case, in a label's name or value; the label
// except does not count. A word is looked for once in each text that labels are made of, not in those of every series.
func (e *Engine) Holding(words []string, except string) func(*Series) bool {
	t := &e.symbols
	t.mu.RLock()
	defer t.mu.RUnlock()
	skip, skips := t.ids[except]
	has := make([][]bool, len(words))
	for i, w := range words {
		has[i] = make([]bool, len(t.text))
		for id, text := range t.text {
			has[i][id] = id > 0 && strings.Contains(strings.ToLower(text), w)
		}
	}
	return func(s *Series) bool {
		s.mu.Lock()
		p := s.packed()
		s.mu.Unlock()
		for _, holds := range has {
			if !p.holds(holds, skip, skips) {
				return false
			}
		}
		return true
	}
}

// Bearing returns a test for series one of whose labels' names or values passes a test. Each text is tested once, not that of
// every series.
func (e *Engine) Bearing(passes func(text string) bool) func(*Series) bool {
	t := &e.symbols
	t.mu.RLock()
	defer t.mu.RUnlock()
	has := make([]bool, len(t.text))
	for id, text := range t.text {
		has[id] = id > 0 && passes(text)
	}
	return func(s *Series) bool {
		s.mu.Lock()
		p := s.packed()
		s.mu.Unlock()
		return p.holds(has, 0, false)
	}
}

// holds says whether one of the numbers is among those; the label of the name skip does not count.
func (p packed) holds(among []bool, skip uint32, skips bool) bool {
	for name, value := range p.pairs(skip, skips) {
		if int(name) < len(among) && among[name] || int(value) < len(among) && among[value] {
			return true
		}
	}
	return false
}
