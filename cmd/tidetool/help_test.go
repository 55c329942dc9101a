package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// printed is what fn writes to the process's own output: kingpin writes man pages and completions
// there, whatever streams it was given.
func printed(t *testing.T, fn func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	old := os.Stdout
	os.Stdout = w
	got := make(chan string)
	go func() {
		data, _ := io.ReadAll(r)
		got <- string(data)
	}()
	fn()
	os.Stdout = old
	require.NoError(t, w.Close())
	return <-got
}

func TestHelpManAndCompletionGoToTheOutput(t *testing.T) {
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"help names the commands", "incident show", []string{"--help-long"}},
		{"help of a command teaches its flags", "--tidemark.url", []string{"incident", "show", "--help"}},
		{"man page", ".TH TIDETOOL 1", []string{"--help-man"}},
		{"help of a command ends with examples", "Examples:\n  # What fires now\n", []string{"incident", "list", "--help"}},
		{"completion of bash", "_tidetool_bash_autocomplete", []string{"--completion-script-bash"}},
		{"completion of zsh", "#compdef tidetool", []string{"--completion-script-zsh"}},
		{"what comes next", "incident", []string{"--completion-bash", "inc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var code int
			var out, errs string
			own := printed(t, func() { code, out, errs = tool(c.args...) })
			require.Equal(t, exitOK, code, errs)
			require.Contains(t, out+own, c.want)
			require.Empty(t, errs)
			if script := strings.Contains(c.args[0], "-script-"); script {
				require.NotContains(t, out+own, "usage:", "the script is a script to its end")
			}
		})
	}
}

// TestBashCompletes lets bash read the script and complete a word by it.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	var code int
	script := printed(t, func() { code, _, _ = tool("--completion-script-bash") })
	require.Equal(t, exitOK, code)
	dir := t.TempDir()
	next := printed(t, func() { code, _, _ = tool("--completion-bash", "incident", "sh") })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tidetool"), []byte("#!/bin/sh\ncat <<'END'\n"+next+"\nEND\n"), 0o700))
	cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", script+`
COMP_WORDS=(tidetool incident sh); COMP_CWORD=2; _tidetool_bash_autocomplete; echo "${COMPREPLY[@]}"`)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "show", strings.TrimSpace(string(out)))
}

// words splits a command line as a shell does, as far as the book's lines go: blanks, and both quotes.
func words(line string) []string {
	var out []string
	word, quote, open := "", rune(0), false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, open = r, true
		case quote == 0 && r == ' ':
			if word != "" || open {
				out = append(out, word)
			}
			word, open = "", false
		default:
			word += string(r)
		}
	}
	return out
}

func TestEveryCommandHasExamplesThatAreUnderstood(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"series", "cases/disk", "cases/deploy", "rules"} {
		require.NoError(t, os.MkdirAll(dir, 0o700))
	}
	for _, name := range []string{"graph.csv", "app.log", "tidemark.yml", "web.yml", "rules/node.yml", "rules/shop.yml", "client.yml", "secret", "audit.jsonl"} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
	}
	_, table := application(streams{}, func(int) {})
	require.ElementsMatch(t, append(slices.Collect(maps.Keys(table)), ""), slices.Collect(maps.Keys(book.Examples)), "each command has examples, and each example a command")
	for name, examples := range book.Examples {
		require.NotEmpty(t, examples, name)
		for _, e := range examples {
			t.Run(e.Line, func(t *testing.T) {
				args := words(e.Line)
				if args[0] != "tidetool" {
					return // The shell's own word for the completion.
				}
				if i := slices.IndexFunc(args, func(a string) bool { return a == "|" || a == "<" || a == ">" }); i > 0 {
					args = args[:i]
				}
				app, _ := application(streams{}, func(int) { t.Error("the line ends the program") })
				got, err := app.Parse(joinTimes(args[1:]))
				require.NoError(t, err)
				if name != "" {
					require.Equal(t, name, got, "the example is of another command")
				}
			})
		}
	}
}

var update = flag.Bool("update", false, "write docs/tidetool.md anew")

// TestThePageOfTheCommandsIsWhatTheProgramSays compares docs/tidetool.md, or writes it.
func TestThePageOfTheCommandsIsWhatTheProgramSays(t *testing.T) {
	var b strings.Builder
	b.WriteString("# tidetool\n\n<!-- Written by go test ./cmd/tidetool -update from the commands themselves. -->\n\n")
	for _, p := range book.About {
		fmt.Fprintf(&b, "%s\n\n", p)
	}
	b.WriteString("`tidetool COMMAND --help` lists the flags. The man pages and the completions come with the packages; `make man` writes them.\n\n")
	code := func(examples []string) { fmt.Fprintf(&b, "```sh\n%s```\n\n", strings.Join(examples, "")) }
	lines := func(name string) (out []string) {
		for _, e := range book.Examples[name] {
			out = append(out, fmt.Sprintf("# %s\n%s\n", e.For, e.Line))
		}
		return out
	}
	code(lines(""))
	app, _ := application(streams{}, func(int) {})
	for _, c := range app.Model().FlattenedCommands() {
		if c.Hidden || len(book.Examples[c.FullCommand]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", c.FullCommand, c.Help)
		code(lines(c.FullCommand))
	}
	file, want := filepath.Join("..", "..", "docs", "tidetool.md"), strings.TrimSuffix(b.String(), "\n")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
		return
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "docs/tidetool.md is not what the program says: go test ./cmd/tidetool -update writes it")
}
