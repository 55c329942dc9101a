package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds nested JSON. The webhook needs 3 levels.
const maxDepth = 32

// scanner reads JSON (RFC 8259) once, front to back, and copies only what its caller takes. The cost of
// encoding/json for a webhook of 10 000 alerts was the reason; BenchmarkDecodeWebhook shows the difference
// and a fuzz test holds the two to the same answers.
type scanner struct {
	b     []byte
	at    int
	depth int
	known map[string]string // strings already made: the alerts of a group repeat each other's

	pairs   []pair // of the last sets of labels, one after the other
	scratch []byte
}

func newScanner(b []byte) *scanner {
	return &scanner{b: b, known: make(map[string]string, min(len(b)/256, 4096))}
}

type syntaxError struct {
	at   int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.at) }

func (s *scanner) fail(format string, args ...any) error {
	if s.at >= len(s.b) {
		return &syntaxError{len(s.b), "the JSON ends early"}
	}
	return &syntaxError{s.at, fmt.Sprintf(format, args...)}
}

// peek skips white space and gives the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.fail("expected %q", c)
	}
	s.at++
	return nil
}

// object calls member for each key; member must read the value. The key is valid until then.
func (s *scanner) object(member func(key []byte) error) error {
	return s.list('{', '}', func() error {
		key, err := s.bytes()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return member(key)
	})
}

// array calls element for each element; element must read it.
func (s *scanner) array(element func() error) error { return s.list('[', ']', element) }

func (s *scanner) list(open, end byte, item func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return s.fail("more than %d levels of nesting", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.peek() == end {
		s.at++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case end:
			s.at++
			return nil
		default:
			return s.fail("expected ',' or %q", end)
		}
	}
}

// raw skips a string and gives it with its quotes; plain says that it holds no escapes.
func (s *scanner) raw() (quoted []byte, plain bool, err error) {
	if err := s.expect('"'); err != nil {
		return nil, false, err
	}
	start := s.at - 1
	plain = true
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			return s.b[start:s.at], plain, nil
		case c == '\\':
			plain = false
			s.at++ // whatever follows is checked when the string is decoded
		case c < ' ':
			return nil, false, s.fail("a control character in a string")
		}
	}
	return nil, false, s.fail("")
}

// bytes reads a string. The result is valid until the body changes; invalid UTF-8 is left as it is.
func (s *scanner) bytes() ([]byte, error) {
	start := s.at
	q, plain, err := s.raw() // the slice of the body, which is never changed
	if err != nil {
		return nil, err
	}
	if plain {
		return q[1 : len(q)-1], nil
	}
	out, ok := unescape(q[1 : len(q)-1])
	if !ok {
		s.at = start
		s.peek()
		return nil, s.fail("a string with a wrong escape")
	}
	return out, nil
}

// unescape undoes the escapes of a string. Half of a surrogate pair becomes U+FFFD, as encoding/json has it;
// bytes that are not UTF-8 stay.
func unescape(in []byte) (out []byte, ok bool) {
	out = make([]byte, 0, len(in))
	for len(in) > 0 {
		i := bytes.IndexByte(in, '\\')
		if i < 0 {
			return append(out, in...), true
		}
		out, in = append(out, in[:i]...), in[i+1:]
		if len(in) == 0 {
			return nil, false
		}
		c := in[0]
		in = in[1:]
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, n := unescapeRune(in)
			if n == 0 {
				return nil, false
			}
			out, in = utf8.AppendRune(out, r), in[n:]
		default:
			return nil, false
		}
	}
	return out, true
}

// unescapeRune reads the four digits after \u, and the second half of a surrogate pair; n is 0 when they are
// no digits.
func unescapeRune(in []byte) (r rune, n int) {
	r, ok := hex4(in)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		if len(in) >= 10 && in[4] == '\\' && in[5] == 'u' {
			if low, ok := hex4(in[6:]); ok {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					return pair, 10
				}
			}
		}
		return utf8.RuneError, 4
	}
	return r, 4
}

func hex4(in []byte) (r rune, ok bool) {
	if len(in) < 4 {
		return 0, false
	}
	for _, c := range in[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// text reads a string and shares it with equal ones read before.
func (s *scanner) text() (string, error) {
	b, err := s.bytes()
	if err != nil {
		return "", err
	}
	return s.intern(b), nil
}

func (s *scanner) intern(b []byte) string {
	if str, ok := s.known[string(b)]; ok {
		return str
	}
	str := string(b)
	if len(b) <= 128 && len(s.known) < 65536 {
		s.known[str] = str
	}
	return str
}

// value skips any value and gives its bytes.
func (s *scanner) value() ([]byte, error) {
	c := s.peek()
	start := s.at
	var err error
	switch c {
	case '{':
		err = s.object(func([]byte) error { _, err := s.value(); return err })
	case '[':
		err = s.array(func() error { _, err := s.value(); return err })
	case '"':
		_, err = s.bytes()
	default:
		err = s.literal()
	}
	if err != nil {
		return nil, err
	}
	return s.b[start:s.at], nil
}

// literal skips a number, true, false or null.
func (s *scanner) literal() error {
	start := s.at
	for s.at < len(s.b) {
		switch c := s.b[s.at]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '+', c == '-', c == '.':
			s.at++
			continue
		}
		break
	}
	if s.at == start || !json.Valid(s.b[start:s.at]) {
		s.at = start
		return s.fail("not a JSON value")
	}
	return nil
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.at < len(s.b) {
		return s.fail("more after the end of the JSON")
	}
	return nil
}
