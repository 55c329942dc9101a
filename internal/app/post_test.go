package app

import (
	"testing"

	"github.com/prometheus/alertmanager/template"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/correlate"
	"github.com/tidemark/tidemark/correlate/cause"
)

// detail is a sentence as a pager gets it: rendered and copied by Alertmanager's own code.
func detail(t require.TestingT, text string) any {
	out, err := template.DeepCopyWithTemplate("{{ . }}", func(string) (string, error) { return text, nil })
	require.NoError(t, err)
	return out
}

func TestSentencesReachThePagerAsSentences(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a plain sentence stays":                 {"12 web servers, 3 APIs", "12 web servers, 3 APIs"},
		"a colon would make it an object":        {"Check the disk: it is full", "Check the disk – it is full"},
		"a dash would make it a list":            {"- cache is ruled out", "· - cache is ruled out"},
		"several lines with colons":              {"a: b\nc: d", "a – b\nc – d"},
		"a colon at the end":                     {"db-primary:", "db-primary"},
		"braces are a structure too":             {"{a, b}", "· {a, b}"},
		"what is no YAML at all stays":           {"@web: 5xx", "@web: 5xx"},
		"an address with a port is no structure": {"http://db:5432/x", "http://db:5432/x"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, asText(c.text))
			require.Equal(t, any(c.want), detail(t, asText(c.text)))
		})
	}
}

func TestEvidenceReachesThePagerInOrder(t *testing.T) {
	text := evidenceText(&correlate.Incident{Causes: []correlate.Cause{{Evidence: []cause.Evidence{
		{For: true, Text: "queue of db-primary: 15.6, 39x its usual 0.4"},
		{For: true, Text: "latency of db-primary: 0.37"},
		{Text: "its own alerts began late: 20 s"},
	}}}})
	want := "What speaks for it (+) and against it (-)\n+ queue of db-primary: 15.6, 39x its usual 0.4\n+ latency of db-primary: 0.37\n- its own alerts began late: 20 s"
	require.Equal(t, want, text)
	require.Equal(t, any(want), detail(t, asText(text)))
}

func FuzzSentencesAreNoStructures(f *testing.F) {
	for _, s := range []string{"a: b", "- x", "[1]", "? y", "&a b", "a:\n- b", "---\na: b", "# x", "", "k:\tv", "\"a\": b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		switch detail(t, asText(s)).(type) {
		case map[string]any, []any, map[any]any:
			t.Errorf("%q is read as a structure", asText(s))
		}
	})
}
