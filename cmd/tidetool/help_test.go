package main

import (
	"io"
	"os"
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
		{"man page", ".TH tidetool 1", []string{"--help-man"}},
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
		})
	}
}
