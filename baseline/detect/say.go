package detect

import "fmt"

// Facts are the numbers a sentence is made of.
type Facts struct {
	Value, Expected float64
	When            string               // e.g. Tuesday 14:00
	Num             func(float64) string // formats a number
}

// ByName returns the row with this name, or a nameless one.
func ByName(name string) Detector {
	for _, d := range table {
		if d.Name == name {
			return d
		}
	}
	if name == missing.Name {
		return missing
	}
	return Detector{Name: name}
}

// Say is the first clause of an explanation.
func (d Detector) Say(f Facts) string {
	usual := fmt.Sprintf("its usual %s of %s", f.When, f.Num(f.Expected))
	switch d.Kind {
	case Absence:
		return "No sample where one was expected"
	case Flatline:
		return fmt.Sprintf("Stuck at %s", f.Num(f.Value))
	case Collective:
		if d.Up > 0 {
			return fmt.Sprintf("%s, persistently above %s", f.Num(f.Value), usual)
		}
		return fmt.Sprintf("%s, persistently below %s", f.Num(f.Value), usual)
	case Shift:
		return fmt.Sprintf("%s, a level that left %s", f.Num(f.Value), usual)
	}
	if f.Expected > 0 && f.Value > f.Expected {
		return fmt.Sprintf("%s, %.2gx %s", f.Num(f.Value), f.Value/f.Expected, usual)
	}
	if f.Value > f.Expected {
		return fmt.Sprintf("%s, above %s", f.Num(f.Value), usual)
	}
	return fmt.Sprintf("%s, below %s", f.Num(f.Value), usual)
}
