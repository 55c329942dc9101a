package logs

// Wildcard stands for a variable part of a template.
const Wildcard = "<*>"

// Pattern returns the line with its variable parts masked: numbers, hexadecimal strings, UUIDs,
// addresses, hosts, paths, times, booleans and identifiers. It depends on the line alone, so equal
// events of different places and times have equal patterns as far as masks can tell.
func Pattern(line string) string {
	return string(appendMasked(nil, line))
}

// class of a byte in a line.
type class uint8

const (
	space class = iota
	delimiter
	letter
	digit
	inner // Joins the parts of one word: . _ - / : @ \ % + # ~ * and so on.
)

var classes = func() (t [256]class) {
	for b := range t {
		switch c := byte(b); {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f':
			t[b] = space
		case c >= '0' && c <= '9':
			t[b] = digit
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
			t[b] = letter
		case c == '.' || c == '_' || c == '-' || c == '/' || c == ':' || c == '@' || c == '\\' || c == '%' || c == '+' || c == '~' || c == '$' || c == '&' || c == '?':
			t[b] = inner
		default:
			t[b] = delimiter // = , ; ( ) [ ] { } < > " ' | # ! * ^ `
		}
	}
	return t
}()

// appendMasked appends the masked line to dst; runs of white space become one space.
func appendMasked(dst []byte, line string) []byte {
	from := len(dst)
	i := 0
	for i < len(line) {
		c := line[i]
		switch classes[c] {
		case space:
			if len(dst) > from && dst[len(dst)-1] != ' ' {
				dst = append(dst, ' ')
			}
			i++
		case delimiter:
			switch j := restated(dst[from:], line[i:]); {
			case j > 0: // 1500 bytes (1.46 KB): the same again.
				i += j
			case c == '<' && i+1 < len(line) && classes[line[i+1]] == digit:
				n := compared(line[i:]) // <1 sec: a quantity with its comparison.
				dst = appendWildcard(dst, from)
				i += n
			default:
				dst = append(dst, c)
				i++
			}
		default:
			j := i + 1
			for j < len(line) && classes[line[j]] >= letter {
				j++
			}
			dst = appendWord(dst, from, line[i:j])
			i = j
		}
	}
	for len(dst) > from && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendWord appends one run of letters, digits and inner characters, masked.
func appendWord(dst []byte, from int, w string) []byte {
	// Sentence punctuation at the end does not belong to the word.
	end := len(w)
	for end > 0 && (w[end-1] == '.' || w[end-1] == ':' || w[end-1] == '?') {
		end--
	}
	tail := w[end:]
	switch body := w[:end]; {
	case body == "":
	case variable(body):
		dst = appendWildcard(dst, from)
	case weekday(body), month(body) && endsWithWildcard(trimSpace(dst), from):
		dst = appendWildcard(dst, from)
	case sizeUnit(body) && endsWithWildcard(trimSpace(dst), from):
		dst = trimSpace(dst) // 20 KB and 20480 bytes are the same quantity.
	default:
		dst = appendParts(dst, from, body)
	}
	return append(dst, tail...)
}

func trimSpace(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] == ' ' {
		return dst[:n-1]
	}
	return dst
}

// sizeUnit says whether a word is a unit of data size.
func sizeUnit(w string) bool {
	switch w {
	case "B", "byte", "bytes", "Bytes", "KB", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB":
		return true
	}
	return false
}

// compared is the length of <1 sec or <5: a bound in place of a value.
func compared(rest string) int {
	n := 1
	for n < len(rest) && (classes[rest[n]] == digit || rest[n] == '.') {
		n++
	}
	end := n
	if end < len(rest) && rest[end] == ' ' {
		end++
	}
	unit := end
	for end < len(rest) && classes[rest[end]] == letter {
		end++
	}
	switch rest[unit:end] {
	case "ms", "s", "sec", "secs", "second", "seconds", "min", "minute", "minutes":
		return end
	}
	return n
}

// restated is the length of a parenthesis that repeats the number before it in another unit, with
// the space after it; 0 when there is none.
func restated(before []byte, rest string) int {
	if rest[0] != '(' || !endsWithWildcard(trimSpace(before), 0) {
		return 0
	}
	end := 1
	for end < len(rest) && end < 24 && rest[end] != ')' {
		end++
	}
	if end >= len(rest) || rest[end] != ')' || end < 3 || classes[rest[1]] != digit {
		return 0
	}
	unit := end
	for unit > 1 && classes[rest[unit-1]] == letter {
		unit--
	}
	if !sizeUnit(rest[unit:end]) {
		return 0
	}
	if end++; end < len(rest) && rest[end] == ' ' {
		end++
	}
	return end
}

// appendWildcard appends a wildcard; runs of wildcards become one, so that lists of different
// length and dates of several words look alike.
func appendWildcard(dst []byte, from int) []byte {
	n := len(dst)
	if n > from && dst[n-1] == ' ' {
		if endsWithWildcard(dst[:n-1], from) {
			return dst[:n-1]
		}
		if n-from >= 4 && month(string(dst[n-4:n-1])) && (n-from == 4 || classes[dst[n-5]] <= delimiter) {
			return append(dst[:n-4], Wildcard...)
		}
	}
	if endsWithWildcard(dst, from) {
		return dst
	}
	return append(dst, Wildcard...)
}

func endsWithWildcard(dst []byte, from int) bool {
	n := len(dst)
	return n-from >= len(Wildcard) && string(dst[n-len(Wildcard):]) == Wildcard
}

// appendParts masks the numbers of a word that is constant as a whole: node-129 is node-<*>, and in
// a word with colons every part is read for itself.
func appendParts(dst []byte, _ int, w string) []byte {
	start := 0
	for i := 0; i <= len(w); i++ {
		if i < len(w) && w[i] != ':' && w[i] != '-' && w[i] != '/' {
			continue
		}
		part := w[start:i]
		switch {
		case part == "":
		case start > 0 && variable(part), i < len(w) && w[i] == ':' && variable(part), allDigits(part):
			dst = append(dst, Wildcard...)
		default:
			dst = append(dst, part...)
		}
		if i < len(w) && (w[i] != '-' || i == 0 || i+1 == len(w) || w[i-1] != ':' || classes[w[i+1]] != digit) {
			dst = append(dst, w[i]) // The sign of a number goes with it.
		}
		start = i + 1
	}
	return dst
}

// variable says whether a whole word is a value and not part of the event's text.
func variable(w string) bool {
	digits, letters, upper, hex, dots, slashes, colons, marks := 0, 0, 0, 0, 0, 0, 0, 0
	for i := range len(w) {
		switch c := w[i]; classes[c] {
		case digit:
			digits++
		case letter:
			letters++
			if c >= 'A' && c <= 'Z' {
				upper++
			}
			if (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') {
				hex++
			}
		default:
			switch c {
			case '.':
				dots++
			case '/', '\\':
				slashes++
			case ':':
				colons++
			case '@':
				if i > 0 && i+1 < len(w) {
					return true // An address or an object's identity.
				}
			case '_':
				marks++
			}
		}
	}
	switch {
	case letters == 0:
		return digits > 0
	case slashes > 0 && (w[0] == '/' || w[0] == '\\' || w[0] == '~' || slashes > 1 || dots > 0 || driveOrURL(w)):
		return letters > 0
	case digits == 0:
		return word(w) || (hex == letters && letters >= 8 && upper == 0 && dots+slashes+colons+marks == 0 && letters == len(w)) || host(w, dots, upper)
	case hex == letters && dots == 0 && slashes == 0 && digits+letters >= 4 && (digits+letters >= 6 || w[0] == '0'):
		return true // Hexadecimal, a MAC or IPv6 address, a UUID.
	case len(w) > 2 && w[0] == '0' && (w[1] == 'x' || w[1] == 'X'):
		return true
	case digits > 0 && colons > 0 && dots+colons > 0 && portAtEnd(w):
		return true
	}
	return identifier(w, digits, letters, dots, slashes, marks)
}

// identifier decides words of letters and digits.
func identifier(w string, digits, letters, dots, slashes, marks int) bool {
	first := w[0]
	if first == '-' || first == '+' || first == '$' {
		first = w[min(1, len(w)-1)]
	}
	switch {
	case classes[first] == digit && letters <= 4:
		return true // 126MB, 80x25, 2.6.5-1.358, 12ms.
	case classes[first] == digit && digits >= 2:
		return true
	case namedVersion(w):
		return false // jetty-6.1.26: the name stays, its number is masked as a part.
	case dots > 0 && slashes == 0 && numberPart(w, '.'):
		return true // Versions and addresses: v1.2.3, host-1.example.2.
	case digits >= 4:
		return true
	case marks > 0 && numberPart(w, '_'):
		return true // task_12_3.
	case digits >= 3 && digits >= letters:
		return true
	}
	return false
}

// word says whether a word without digits is a value in any text.
func word(w string) bool {
	switch w {
	case "true", "false", "null", "nil", "True", "False", "None", "NaN", "TRUE", "FALSE", "NULL":
		return true
	}
	return false
}

func weekday(w string) bool {
	switch w {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

func month(w string) bool {
	switch w {
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec":
		return true
	}
	return false
}

// driveOrURL recognises c:\… and scheme://….
func driveOrURL(w string) bool {
	for i := 0; i+1 < len(w); i++ {
		if w[i] == ':' {
			return w[i+1] == '/' || w[i+1] == '\\'
		}
	}
	return false
}

// portAtEnd recognises host:80 and 12:30:45.
func portAtEnd(w string) bool {
	i := len(w)
	for i > 0 && classes[w[i-1]] == digit {
		i--
	}
	return i < len(w) && i > 1 && w[i-1] == ':'
}

// namedVersion recognises letters, a dash and a number with dots.
func namedVersion(w string) bool {
	i := 0
	for i < len(w) && classes[w[i]] == letter {
		i++
	}
	return i > 1 && i+1 < len(w) && w[i] == '-' && onlyNumber(w[i+1:])
}

func onlyNumber(w string) bool {
	for i := range len(w) {
		if classes[w[i]] != digit && w[i] != '.' {
			return false
		}
	}
	return true
}

// numberPart finds a part of digits alone behind the separator.
func numberPart(w string, sep byte) bool {
	for i := range len(w) {
		if w[i] != sep {
			continue
		}
		j := i + 1
		if j < len(w) && w[j] == '-' {
			j++
		}
		k := j
		for k < len(w) && classes[w[k]] == digit {
			k++
		}
		if k > j && (k == len(w) || classes[w[k]] == inner) {
			return true
		}
	}
	return false
}

// host recognises names under common top-level domains, in lower case and with two dots or more.
func host(w string, dots, upper int) bool {
	if dots < 2 || upper > 0 {
		return false
	}
	i := len(w)
	for i > 0 && w[i-1] != '.' {
		i--
	}
	switch tld := w[i:]; tld {
	case "com", "net", "org", "edu", "gov", "io", "info", "biz", "local", "internal", "svc", "cluster", "arpa":
		return true
	default:
		return len(tld) == 2
	}
}

func allDigits(w string) bool {
	for i := range len(w) {
		if classes[w[i]] != digit {
			return false
		}
	}
	return w != ""
}
