package dashboards_test

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/dashboards"
)

func read(t *testing.T, name string) *board {
	t.Helper()
	data, err := dashboards.FS.ReadFile(name)
	require.NoError(t, err)
	b := &board{}
	require.NoError(t, json.Unmarshal(data, b))
	return b
}

func files(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(dashboards.FS, "*.json")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names
}

func TestHouseStyle(t *testing.T) {
	uids := map[string]bool{}
	for _, name := range files(t) {
		uids[strings.TrimSuffix(name, ".json")] = true
	}
	for _, name := range files(t) {
		t.Run(name, func(t *testing.T) {
			b := read(t, name)
			require.Equal(t, strings.TrimSuffix(name, ".json"), b.UID, "the identifier is stable: it is the file's name")
			require.True(t, strings.HasPrefix(b.Title, "Tidemark / "))
			require.Contains(t, b.Tags, "tidemark")
			require.Equal(t, "browser", b.Timezone)
			require.NotEmpty(t, b.Refresh)

			dropdown := slices.IndexFunc(b.Links, func(l link) bool { return l.Type == "dashboards" })
			require.GreaterOrEqual(t, dropdown, 0, "a link to the others by tag")
			require.True(t, b.Links[dropdown].IncludeVars && b.Links[dropdown].KeepTime, "it keeps time and variables")

			var annotations []string
			for _, a := range b.Annotations.List {
				annotations = append(annotations, a.Name)
				if a.Expr != "" {
					_, err := parse(a.Expr)
					require.NoError(t, err)
				}
			}
			require.Subset(t, annotations, []string{"Incidents", "Changes", "Runbook calls"})

			data, err := dashboards.FS.ReadFile(name)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`"/d/([a-z-]+)`).FindAllStringSubmatch(string(data), -1) {
				require.Truef(t, uids[m[1]], "a link leads to the dashboard %s, which is not ours", m[1])
			}
		})
	}
}

func TestLayout(t *testing.T) {
	for _, name := range files(t) {
		t.Run(name, func(t *testing.T) {
			b := read(t, name)
			ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
			for _, p := range b.Panels {
				require.Contains(t, stock, p.Type, "stock panels only: nothing to install")
				require.Falsef(t, ids[p.ID], "panel id %d twice", p.ID)
				ids[p.ID] = true
				if p.Type != "row" {
					require.Falsef(t, titles[p.Title], "two panels are called %q", p.Title)
					titles[p.Title] = true
				}
				require.Positive(t, p.GridPos.H)
				require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24)
				for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
					for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
						require.Emptyf(t, taken[[2]int{x, y}], "%q lies on it", p.Title)
						taken[[2]int{x, y}] = p.Title
					}
				}
			}
		})
	}
}
