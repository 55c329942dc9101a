package runbook_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook"
)

// TestThePageOfTheUserIsTrue: its example is a valid configuration, and it names every field.
func TestThePageOfTheUserIsTrue(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "runbooks.md"))
	require.NoError(t, err)
	page := string(data)
	_, example, found := strings.Cut(page, "```yaml\nrunbooks:\n")
	require.True(t, found)
	example, _, found = strings.Cut(example, "```")
	require.True(t, found)
	require.Len(t, config(t, example), 1)

	fields := reflect.TypeFor[runbook.Runbook]()
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Field(i).Tag.Get("yaml"), ",")
		if name != "" {
			require.Contains(t, page, "`"+name, "the table lacks a field")
		}
	}
}
