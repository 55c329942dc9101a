package logs

// Event returns the pattern of a line without its parameters: groups in brackets that hold a key
// and a value (`[route: 5]`, `{id=7}`), and everything in braces and parentheses, are one wildcard
// each. What is left names the event, however long the values are.
func Event(line string) string {
	out := make([]byte, 0, len(line))
	for i := 0; i < len(line); {
		end := 0
		switch line[i] {
		case '[', '{', '(':
			end = closing(line, i)
		}
		if end == 0 || (line[i] == '[' && !parameter(line[i+1:end])) {
			out = append(out, line[i])
			i++
			continue
		}
		out = append(out, Wildcard...)
		i = end + 1
	}
	return string(appendMasked(nil, string(out)))
}

// closing finds the bracket that ends the group at i; the end of the line ends it too.
func closing(line string, i int) int {
	depth := 0
	for j := i; j < len(line); j++ {
		switch line[j] {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			if depth--; depth == 0 {
				return j
			}
		}
	}
	return len(line)
}

// parameter says whether the inside of a bracket holds a key and its value.
func parameter(s string) bool {
	for i := range len(s) {
		if s[i] == ':' || s[i] == '=' {
			return true
		}
	}
	return false
}
