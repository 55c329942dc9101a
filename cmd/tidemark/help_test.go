package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain runs the program instead of the tests when it is asked to: the command line ends the process.
func TestMain(m *testing.M) {
	if os.Getenv("TIDEMARK_RUN") == "1" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func tidemark(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TIDEMARK_RUN=1")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

func TestTheCommandLineTeaches(t *testing.T) {
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"help goes to the output and ends with examples", "tidemark --prometheus.url=http://localhost:9090 --alertmanager.url=http://localhost:9093", []string{"--help"}},
		{"man page", ".SH DESCRIPTION", []string{"--help-man"}},
		{"completion of bash", "complete -F _tidemark_bash_autocomplete", []string{"--completion-script-bash"}},
		{"completion of zsh", "#compdef tidemark", []string{"--completion-script-zsh"}},
		{"what comes next", "--storage.path", []string{"--completion-bash", "--"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, code := tidemark(t, c.args...)
			require.Zero(t, code, errs)
			require.Contains(t, out, c.want)
			require.Empty(t, errs)
		})
	}
}

func TestAWrongFlagNamesTheWayOn(t *testing.T) {
	_, errs, code := tidemark(t, "--storge.path=x")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "unknown long flag '--storge.path', try --help")
}

func TestTheExamplesOfTheBookAreUnderstood(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("tidemark.yml", nil, 0o600))
	for _, e := range book.Examples[""] {
		args := strings.Fields(e.Line)
		if args[0] != "tidemark" {
			continue // The shell's own word for the completion.
		}
		_, _, err := parse(args[1:])
		require.NoError(t, err, e.Line)
	}
}
