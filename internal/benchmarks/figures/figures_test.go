package figures_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/benchmarks/figures"
)

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		figure figures.Figure
		want   string
	}{
		"nothing was asked":                  {figures.Figure{Value: 3}, ""},
		"more is better, reached":            {figures.Figure{Value: .62, Must: figures.Num(.6), Moonshot: figures.Num(.7)}, "reached"},
		"more is better, missed by a little": {figures.Figure{Value: .599, Must: figures.Num(.6)}, "MISSED"},
		"less is better, missed":             {figures.Figure{Value: 2, Must: figures.Num(1), LessIsBetter: true}, "MISSED"},
		"less is better, the stretch too":    {figures.Figure{Value: 0, Must: figures.Num(0), Moonshot: figures.Num(0), LessIsBetter: true}, "moonshot"},
		"a stretch alone":                    {figures.Figure{Value: 1, Moonshot: figures.Num(2)}, "moonshot missed"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, c.figure.Verdict()) })
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "figures.json")
	want := []figures.Figure{{Name: "a", Value: 1.5, Unit: "D", Must: figures.Num(1), Command: "c", LessIsBetter: true}}
	require.NoError(t, figures.Write(name, want))
	got, err := figures.Read(name)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = figures.Read(name + ".none")
	require.Error(t, err)
}
