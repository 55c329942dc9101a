package reference_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guides are the pages whose links are followed.
var guides = []string{"get-started.md", "pages.md", "incident.md", "tuning.md", "operations.md", "comparison.md", "configuration.md", "metrics.md", "dashboards.md", "tidetool.md"}

func TestGuidesLinkToWhatExists(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading := regexp.MustCompile(`(?m)^#+ (.+)$`)
	other := regexp.MustCompile("[^a-z0-9 -]")
	for _, guide := range guides {
		data, err := os.ReadFile(filepath.Join(root, "docs", guide))
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			name, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(root, "docs", name)
			info, err := os.Stat(target)
			require.NoErrorf(t, err, "docs/%s links to %s", guide, m[1])
			if anchor == "" || info.IsDir() {
				continue
			}
			text, err := os.ReadFile(target)
			require.NoError(t, err)
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(string(text), -1) {
				anchors = append(anchors, strings.ReplaceAll(other.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
			}
			require.Containsf(t, anchors, anchor, "docs/%s links to %s", guide, m[1])
		}
	}
}

func TestGuidesNameMetricsThatExist(t *testing.T) {
	reference, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	for _, guide := range guides {
		data, err := os.ReadFile(filepath.Join(root, "docs", guide))
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`\btidemark_[a-z_]+[a-z]`).FindAllString(string(data), -1) {
			require.Containsf(t, string(reference), "`"+name+"`", "docs/%s names it", guide)
		}
	}
}

// largestImage keeps a page of the docs quick to open.
const largestImage = 100 << 10

func TestEveryPictureIsSmallAndShown(t *testing.T) {
	pictures, err := filepath.Glob(filepath.Join(root, "docs", "images", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, pictures)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	var text strings.Builder
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		text.Write(data)
	}
	for _, p := range pictures {
		info, err := os.Stat(p)
		require.NoError(t, err)
		require.LessOrEqualf(t, info.Size(), int64(largestImage), "%s", p)
		require.Containsf(t, text.String(), "images/"+filepath.Base(p)+")", "no page shows it")
	}
}
