// Package figures is the form in which benchmarks write what they measured.
package figures

import (
	"encoding/json"
	"fmt"
	"os"
)

// Figure is one measured value beside what was asked.
type Figure struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"`
	Unit     string   `json:"unit"`
	Partner  *float64 `json:"partner"`  // the same measure of the best anchor, or of the partner in the same run
	Must     *float64 `json:"must"`     // asked
	Moonshot *float64 `json:"moonshot"` // stretch
	Command  string   `json:"command"`

	LessIsBetter bool `json:"less_is_better,omitempty"`
}

// Num is a number that is there.
func Num(x float64) *float64 { return &x }

// Reached says whether the figure is as good as a goal.
func (f Figure) Reached(goal *float64) bool {
	switch {
	case goal == nil:
		return false
	case f.LessIsBetter:
		return f.Value <= *goal
	}
	return f.Value >= *goal
}

// Verdict is the figure against its goals, in a word; empty where nothing was asked.
func (f Figure) Verdict() string {
	switch {
	case f.Reached(f.Moonshot):
		return "moonshot"
	case f.Must == nil && f.Moonshot == nil:
		return ""
	case f.Reached(f.Must):
		return "reached"
	case f.Must == nil:
		return "moonshot missed"
	}
	return "MISSED"
}

// Write stores figures as JSON.
func Write(name string, list []Figure) error {
	raw, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	return nil
}

// Read is the reverse of Write.
func Read(name string) ([]Figure, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read figures: %w", err)
	}
	var list []Figure
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("read figures of %s: %w", name, err)
	}
	return list, nil
}
