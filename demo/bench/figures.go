package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// figure is one row of docs/benchmarks.json.
type figure struct {
	Name         string   `json:"name"`
	Value        float64  `json:"value"`
	Unit         string   `json:"unit"`
	Partner      *float64 `json:"partner"`
	Must         *float64 `json:"must"`
	Moonshot     *float64 `json:"moonshot"`
	Command      string   `json:"command"`
	LessIsBetter bool     `json:"less_is_better"`
}

// report gathers what was measured.
type report struct {
	list  []figure
	notes []string
}

const command = "make bench-prometheus"

// less files a figure of which less is better.
func (r *report) less(name string, value float64, unit string, partner, must, moonshot float64) {
	f := figure{Name: name, Value: value, Unit: unit, Must: &must, Moonshot: &moonshot, Command: command, LessIsBetter: true}
	if partner > 0 {
		f.Partner = &partner
	}
	r.list = append(r.list, f)
	fmt.Fprintf(os.Stderr, "%s: %.3g %s (asked %.3g)\n", name, value, unit, must)
}

// note files a value that nothing was asked of.
func (r *report) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.notes = append(r.notes, text)
	fmt.Fprintln(os.Stderr, text)
}

func (f *figure) verdict() string {
	switch {
	case f.Value <= *f.Moonshot:
		return "moonshot"
	case f.Value <= *f.Must:
		return "reached"
	}
	return "MISSED"
}

// write stores the figures and their page.
func (r *report) write(dir, name, title, how string) error {
	raw, err := json.MarshalIndent(r.list, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "benchmarks-"+name+".json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	var s strings.Builder
	s.WriteString("# " + title + "\n\n" + how + "\n\n| figure | measured | asked | moonshot | |\n|---|---:|---:|---:|---|\n")
	for _, f := range r.list {
		fmt.Fprintf(&s, "| %s | %.3g %s | %.3g | %.3g | %s |\n", f.Name, f.Value, f.Unit, *f.Must, *f.Moonshot, f.verdict())
	}
	s.WriteString("\nWhat they are made of:\n\n")
	for _, n := range r.notes {
		s.WriteString("- " + n + "\n")
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks-"+name+".md"), []byte(s.String()), 0o644)
}
