package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidemark/tidemark/correlate/cause"
)

// recorded is a case with its answer. The answer is read here and nowhere in the product.
type recorded struct {
	dir    string
	system string
	fault  string
	truth  []string
	given  cause.Case
}

// answer is the part of case.json that a ranking may not read.
type answer struct {
	FaultType string `json:"fault_type"`
	RootCause struct {
		Entity json.RawMessage `json:"entity"`
	} `json:"root_cause"`
}

// load reads all cases below root/<system>/<case>.
func load(root string, ref cause.Reference) ([]recorded, error) {
	paths, err := filepath.Glob(filepath.Join(root, "*", "*", "case.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	dirs := make([]string, len(paths))
	for i, p := range paths {
		dirs[i] = filepath.Dir(p)
	}
	cases, err := cause.LoadCases(dirs, ref)
	if err != nil {
		return nil, err
	}
	out := make([]recorded, len(cases))
	for i, dir := range dirs {
		raw, err := os.ReadFile(paths[i])
		if err != nil {
			return nil, err
		}
		var a answer
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, fmt.Errorf("decoding %s: %w", paths[i], err)
		}
		var one string
		var many []string
		if json.Unmarshal(a.RootCause.Entity, &one) == nil {
			many = []string{one}
		} else if err := json.Unmarshal(a.RootCause.Entity, &many); err != nil {
			return nil, fmt.Errorf("decoding root cause of %s: %w", paths[i], err)
		}
		fault, _, _ := strings.Cut(a.FaultType, "@")
		out[i] = recorded{dir: dir, system: filepath.Base(filepath.Dir(dir)), fault: fault, truth: many, given: cases[i]}
	}
	return out, nil
}

// rank is the place of the first true cause, from 1; 0: not in the list.
func (r recorded) rank(k cause.Ranking) int {
	for i, c := range k.Candidates {
		if slices.Contains(r.truth, c.Entity) {
			return i + 1
		}
	}
	return 0
}
