package manual_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/manual"
)

func shop(out *bytes.Buffer) *kingpin.Application {
	app := kingpin.New("shop", "Sells things. .Dots and \\backslashes included.")
	app.Version("1.2.3")
	app.Terminate(func(int) {})
	app.UsageWriter(out)
	app.Flag("till", "Which till; '.' is the first.").Default("one").String()
	sell := app.Command("sell", "Sell one thing.")
	sell.Flag("price", ".5 is the least.").Required().Float64()
	sell.Arg("thing", "What is sold.").Required().String()
	return app
}

var book = manual.Book{
	About:    []string{"A shop that opens at nine.", ".It closes at five."},
	Examples: map[string][]manual.Example{"sell": {{For: "One apple", Line: `shop sell --price=1 'an \apple'`}}, "": {{For: "All day", Line: "shop --till=two"}}},
	Files:    [][2]string{{"/etc/shop.yml", "What is on the shelves."}},
	See:      []string{"stall(1)"},
}

func TestHelpEndsWithExamplesOfItsCommand(t *testing.T) {
	for _, c := range []struct {
		name      string
		args      []string
		want, not string
	}{
		{"the program", []string{"--help"}, "Examples:\n  # All day\n  shop --till=two\n", "One apple"},
		{"a command", []string{"sell", "--help"}, "Examples:\n  # One apple\n  shop sell --price=1 'an \\apple'\n", "All day"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			app := shop(&out)
			book.Teach(app)
			_, _ = app.Parse(c.args)
			require.Contains(t, out.String(), c.want)
			require.NotContains(t, out.String(), c.not)
		})
	}
}

func TestTheManPageIsSoundAndWhole(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, book.Man(shop(&out), "1.2.3"))
	page := out.String()
	require.True(t, strings.HasPrefix(page, `.TH SHOP 1 "" "shop 1.2.3"`), page)
	for _, want := range []string{
		".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH COMMANDS", ".SH EXAMPLES", ".SH FILES", `.SH "SEE ALSO"`,
		`\fB\-\-till\fR`, `\&.It closes`, `\&.5 is the least.`, `'an \eapple'`, `\fIthing\fR`,
	} {
		require.Contains(t, page, want)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed: the page's macros are not run")
	}
	cmd := exec.CommandContext(t.Context(), groff, "-man", "-ww", "-z")
	cmd.Stdin = strings.NewReader(page)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	require.Empty(t, string(said), "groff has warnings")
}
