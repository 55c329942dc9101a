// Package logs mines templates from log lines: which lines are the same event with different
// values.
//
// The miner works on a stream with bounded memory. A line is masked (mask.go); a masked line that
// was seen before costs one lookup. A new one is compared with the templates that begin or end
// alike, and either joins one, whose differing words become wildcards, or starts a new template.
// The ideas are those of Drain (He et al., ICWS 2017) and Brain (Yu et al., TSC 2023).
package logs

import (
	"strings"
)

// Options bound a Miner; zero values are the defaults.
type Options struct {
	// MaxTemplates is how many templates are kept; the least recently seen one is forgotten.
	// Default 10 000.
	MaxTemplates int
	// MaxLine is how many bytes of a line are read. Default 4096.
	MaxLine int
	// MaxForms is how many masked forms are remembered for the fast way. Default 8 × MaxTemplates.
	MaxForms int
}

// Template is one event.
type Template struct {
	ID    int
	Count uint64 // Lines seen.

	tokens     []token
	text       string // Rendered tokens; empty: has to be rendered.
	prev, next *Template
	keys       [2]uint64
	forgotten  bool
}

// Text is the template with a Wildcard for each variable part.
func (t *Template) Text() string {
	if t.text == "" {
		var b strings.Builder
		for i, tok := range t.tokens {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(tok.text)
		}
		t.text = collapse(b.String())
	}
	return t.text
}

// collapse joins wildcards that only a space separates.
func collapse(s string) string {
	for strings.Contains(s, Wildcard+" "+Wildcard) {
		s = strings.ReplaceAll(s, Wildcard+" "+Wildcard, Wildcard)
	}
	return s
}

// Miner finds templates. It is not safe for concurrent use.
type Miner struct {
	opts   Options
	nextID int
	buf    []byte
	toks   []token
	forms  map[string]*Template
	index  map[uint64][]*Template
	size   int
	root   Template // Ring of templates, most recently seen first.
}

// New returns an empty Miner.
func New(opts Options) *Miner {
	if opts.MaxTemplates <= 0 {
		opts.MaxTemplates = 10000
	}
	if opts.MaxLine <= 0 {
		opts.MaxLine = 4096
	}
	if opts.MaxForms <= 0 {
		opts.MaxForms = 8 * opts.MaxTemplates
	}
	m := &Miner{opts: opts, forms: map[string]*Template{}, index: map[uint64][]*Template{}}
	m.root.prev, m.root.next = &m.root, &m.root
	return m
}

// Add reads one line. It returns the id of its template, which never changes, the template's text
// as it is now, and whether the template is new.
func (m *Miner) Add(line string) (id int, template string, isNew bool) {
	t, isNew := m.Match(line)
	return t.ID, t.Text(), isNew
}

// Match is Add for callers who do not need the text. The Template belongs to the miner.
func (m *Miner) Match(line string) (t *Template, isNew bool) {
	if len(line) > m.opts.MaxLine {
		line = line[:m.opts.MaxLine]
	}
	m.buf = appendMasked(m.buf[:0], line)
	t = m.forms[string(m.buf)]
	if t == nil || t.forgotten {
		t, isNew = m.search(string(m.buf))
	}
	t.Count++
	m.touch(t)
	return t, isNew
}

// Len is the number of templates kept.
func (m *Miner) Len() int { return m.size }

// Templates calls fn for each template, most recently seen first.
func (m *Miner) Templates(fn func(*Template)) {
	for t := m.root.next; t != &m.root; t = t.next {
		fn(t)
	}
}

// maxCompared bounds the templates that one unseen line is compared with.
const maxCompared = 128

// search finds the template of a masked line that was not seen before, or makes one.
func (m *Miner) search(form string) (*Template, bool) {
	m.toks = tokenize(m.toks[:0], form)
	keys := keysOf(m.toks)
	var best *Template
	bestScore := 0.0
	for _, k := range keys {
		list := m.index[k]
		for _, t := range list[max(0, len(list)-maxCompared):] {
			if s := similarity(t.tokens, m.toks); s > bestScore || (s == bestScore && best != nil && t.ID < best.ID) {
				best, bestScore = t, s
			}
		}
	}
	isNew := best == nil || bestScore < 1
	if isNew {
		best = m.add(keys)
	} else {
		best.merge(m.toks)
	}
	if len(m.forms) >= m.opts.MaxForms {
		clear(m.forms)
	}
	m.forms[form] = best
	return best, isNew
}

func (m *Miner) add(keys [2]uint64) *Template {
	if m.size >= m.opts.MaxTemplates {
		m.forget(m.root.prev)
	}
	m.nextID++
	t := &Template{ID: m.nextID, tokens: append([]token(nil), m.toks...), keys: keys}
	for _, k := range keys {
		m.index[k] = append(m.index[k], t)
	}
	m.size++
	return t
}

// forget drops a template and every form that leads to it.
func (m *Miner) forget(t *Template) {
	for _, k := range t.keys {
		list := m.index[k]
		for i, x := range list {
			if x == t {
				list = append(list[:i], list[i+1:]...)
				break
			}
		}
		if m.index[k] = list; len(list) == 0 {
			delete(m.index, k)
		}
	}
	t.forgotten = true // Forms that lead to it are no longer believed.
	t.unlink()
	m.size--
}

func (m *Miner) touch(t *Template) {
	if m.root.next == t {
		return
	}
	t.unlink()
	t.prev, t.next = &m.root, m.root.next
	t.prev.next, t.next.prev = t, t
}

func (t *Template) unlink() {
	if t.prev != nil {
		t.prev.next, t.next.prev = t.next, t.prev
		t.prev, t.next = nil, nil
	}
}
