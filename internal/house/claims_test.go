package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every claim carries its query and its value: wherever a piece of evidence is made, both are given.
func TestEveryPieceOfEvidenceIsMadeWithAQueryAndAValue(t *testing.T) {
	made := 0
	for _, room := range []string{"correlate", "internal/app", "internal/replay"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", "..", filepath.FromSlash(room)), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				for _, lit := range evidenceIn(n) {
					made++
					given := map[string]bool{}
					for _, e := range lit.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok {
							given[kv.Key.(*ast.Ident).Name] = true
						}
					}
					for _, field := range []string{"Kind", "Query", "Value", "Time"} {
						require.True(t, given[field], "%s: evidence is made without %s", set.Position(lit.Pos()), field)
					}
				}
				return true
			})
			return nil
		}))
	}
	require.Greater(t, made, 8)
}

// evidenceIn are the literals of type Evidence that a node is, or that its list of them holds.
func evidenceIn(n ast.Node) []*ast.CompositeLit {
	lit, ok := n.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	if list, ok := lit.Type.(*ast.ArrayType); ok && isEvidence(list.Elt) {
		var out []*ast.CompositeLit
		for _, e := range lit.Elts {
			if inner, ok := e.(*ast.CompositeLit); ok && inner.Type == nil {
				out = append(out, inner)
			}
		}
		return out
	}
	if isEvidence(lit.Type) {
		return []*ast.CompositeLit{lit}
	}
	return nil
}

func isEvidence(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name == "Evidence"
	case *ast.SelectorExpr:
		return x.Sel.Name == "Evidence"
	}
	return false
}
