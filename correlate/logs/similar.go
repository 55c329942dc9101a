package logs

import (
	"hash/maphash"
	"strings"
)

// token is one word of a masked line.
type token struct {
	text string
	kind tokenKind
	soft bool // Stands where values stand: after = or after a word that takes an object.
	free bool // Became a wildcard because words differed there.
}

type tokenKind uint8

const (
	literal  tokenKind = iota
	masked             // Contains a wildcard: a word around a value, or a value alone.
	wild               // A wildcard and punctuation alone.
	shout              // A literal in capitals: states and codes, which tell events apart.
	punct              // No letter at all.
	quoted             // In quotes.
	alphanum           // A literal with digits in it, as eth0.
)

// tokenize splits a masked line at spaces; quoted text stays together.
func tokenize(dst []token, form string) []token {
	for len(form) > 0 {
		i := strings.IndexByte(form, ' ')
		if q := strings.IndexByte(form, '"'); q >= 0 && (i < 0 || q < i) {
			if e := strings.IndexByte(form[q+1:], '"'); e >= 0 {
				e += q + 2
				if i = strings.IndexByte(form[e:], ' '); i >= 0 {
					i += e
				}
			}
		}
		if i < 0 {
			i = len(form)
		}
		if i > 0 {
			t := token{text: form[:i], kind: kindOf(form[:i])}
			if n := len(dst); n > 0 {
				t.soft = takesValue(dst[n-1].text)
			}
			dst = append(dst, t)
		}
		form = strings.TrimPrefix(form[i:], " ")
	}
	return dst
}

func kindOf(s string) tokenKind {
	if strings.Contains(s, Wildcard) {
		rest := strings.ReplaceAll(s, Wildcard, "")
		for i := range len(rest) {
			if classes[rest[i]] == letter {
				return masked
			}
		}
		return wild
	}
	letters, lower, digits := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; classes[c] {
		case letter:
			letters++
			if c >= 'a' && c <= 'z' || c >= 0x80 {
				lower++
			}
		case digit:
			digits++
		}
	}
	switch {
	case letters == 0:
		return punct
	case strings.HasPrefix(s, `"`) || strings.HasPrefix(s, `'`):
		return quoted
	case digits > 0:
		return alphanum
	case lower == 0 && letters > 1:
		return shout
	}
	return literal
}

// takesValue says whether what follows the word is often a value.
func takesValue(w string) bool {
	switch strings.ToLower(w) {
	case "user", "from", "for", "by", "to", "at", "host", "name", "file", "on", "of", "is", "=", ":", "node", "domain", "device", "id", "port", "class", "service", "pod", "job", "task", "broadcast", "pkg", "package", "server", "proxy":
		return true
	}
	return strings.HasSuffix(w, "=") || strings.HasSuffix(w, ":")
}

var seed = maphash.MakeSeed()

// keysOf are the two ways to find a template: by length and first literal word, by length and last
// literal word.
func keysOf(toks []token) [2]uint64 {
	first, last := "", ""
	for _, t := range toks {
		if t.kind == wild || t.kind == punct {
			continue
		}
		w := stem(t.text)
		if w == "" {
			continue
		}
		if first == "" {
			first = w
		}
		last = w
	}
	var h maphash.Hash
	h.SetSeed(seed)
	key := func(side byte, w string) uint64 {
		h.Reset()
		_ = h.WriteByte(side)
		_ = h.WriteByte(byte(len(toks)))
		_, _ = h.WriteString(w)
		return h.Sum64()
	}
	return [2]uint64{key('<', first), key('>', last)}
}

// stem is the part of a word that does not vary: up to its wildcard, key's end or quote.
func stem(w string) string {
	if i := strings.IndexAny(w, "=<\""); i >= 0 {
		w = w[:i]
	}
	return w
}

// similarity is 1 or more when the tokens are an instance of the template.
func similarity(t, toks []token) float64 {
	if len(t) != len(toks) {
		return 0
	}
	same, cost := 0.0, 0.0
	for i := range t {
		a, b := &t[i], &toks[i]
		if a.text == b.text {
			if a.kind == literal || a.kind == shout || a.kind == masked || a.kind == alphanum {
				same++
			}
			continue
		}
		if i == 0 && a.kind != wild && b.kind != wild && !sameKey(a.text, b.text) {
			return 0 // What begins differently is a different event.
		}
		cost += difference(a, b)
	}
	if same == 0 {
		return 0
	}
	if cost == 0 {
		return 2
	}
	return same / (mergeCost * cost)
}

// difference is the price of two differing words at one place.
func difference(a, b *token) float64 {
	switch {
	case a.free:
		return 0
	case a.kind == wild && b.kind == wild:
		return .25
	case a.kind == wild || b.kind == wild:
		return .5
	case a.kind == quoted && b.kind == quoted:
		return .1
	case sameKey(a.text, b.text):
		return .1
	case a.kind == shout && b.kind == shout:
		return 4
	case a.soft && b.soft:
		return 1
	case a.kind == alphanum && b.kind == alphanum:
		return 1
	}
	return 4
}

// mergeCost is how many equal words pay for one differing word in a place where values stand.
const mergeCost = 2.0

// sameKey says that both are key=value or key:value with the same key.
func sameKey(a, b string) bool {
	i := strings.IndexAny(a, "=:")
	return i > 0 && i < len(b) && a[:i+1] == b[:i+1]
}

// merge makes the differing words of a template wildcards.
func (t *Template) merge(toks []token) {
	for i := range t.tokens {
		a, b := &t.tokens[i], &toks[i]
		if a.text == b.text {
			continue
		}
		a.text = join(a.text, b.text)
		a.kind = kindOf(a.text)
		a.free = true
		t.text = ""
	}
}

// join keeps what two words have in common at both ends, if that is punctuation or a key.
func join(a, b string) string {
	p := 0
	for p < len(a) && p < len(b) && a[p] == b[p] {
		p++
	}
	for p > 0 && !boundary(a[p-1]) {
		p--
	}
	s := 0
	for s < len(a)-p && s < len(b)-p && a[len(a)-1-s] == b[len(b)-1-s] {
		s++
	}
	for s > 0 && !boundary(a[len(a)-s]) {
		s--
	}
	return a[:p] + Wildcard + a[len(a)-s:]
}

func boundary(c byte) bool { return classes[c] == delimiter || c == ':' }
