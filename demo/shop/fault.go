package shop

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// Fault is something that goes wrong in the shop, and what a good diagnosis says about it.
type Fault struct {
	Name  string
	Title string // A sentence for people.
	// Cause is the true cause; Accept are the names under which a diagnosis may put it first.
	Cause  string
	Accept func(cause string) bool
	// Static says whether ordinary static alerting rules see it.
	Static bool

	inject func(*Shop) error
	heal   func(*Shop)
}

// Faults are all faults, the default one first.
var Faults = []Fault{
	{
		Name: "disk", Title: "the disk of the primary database becomes twelve times slower",
		Cause: DBPrimary + " disk", Accept: begins(DBPrimary), Static: true,
		inject: func(s *Shop) error { s.machines[DBPrimary].disk.setSlow(12); return nil },
		heal:   func(s *Shop) { s.machines[DBPrimary].disk.setSlow(1) },
	},
	{
		Name: "bad-deploy", Title: "a new version of the orders API fails half of its requests",
		Cause: Orders + " 2.8.0", Accept: begins(Orders), Static: true,
		inject: func(s *Shop) error { s.deploy(Orders, "2.8.0", 0.5); return nil },
		heal:   func(s *Shop) { s.deploy(Orders, "2.7.0", 0) },
	},
	{
		Name: "cpu-noisy-neighbour", Title: "a neighbour takes the CPU of node-3, on which five services run",
		Cause: "node-3", Accept: begins("node-3"), Static: true,
		inject: func(s *Shop) error { s.machines["node-3"].crowd(0.9, 12); return nil },
		heal:   func(s *Shop) { s.machines["node-3"].crowd(0, 1) },
	},
	{
		Name: "slow-network", Title: "the network between the orders API and payment becomes 1.2 s slow",
		Cause: Orders + " → " + Payment,
		Accept: func(cause string) bool {
			return strings.Contains(cause, Orders) && strings.Contains(cause, Payment)
		},
		Static: true,
		inject: func(s *Shop) error { return s.slowLink(1200) },
		heal:   func(s *Shop) { s.link.Toxics.ResetToxics(context.Background()) },
	},
	{
		Name: "sunday-traffic", Title: "on a Wednesday, customers come as on a Sunday",
		Cause: LB, Accept: begins(LB), Static: false,
		inject: func(s *Shop) error { s.sunday.Store(true); return nil },
		heal:   func(s *Shop) { s.sunday.Store(false) },
	},
}

// FaultByName finds a fault, or says which there are.
func FaultByName(name string) (Fault, error) {
	var names []string
	for _, f := range Faults {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Fault{}, fmt.Errorf("no fault %q: choose one of %s", name, strings.Join(names, ", "))
}

// Inject lets the fault begin.
func (s *Shop) Inject(f Fault) error {
	if err := f.inject(s); err != nil {
		return fmt.Errorf("inject %s: %w", f.Name, err)
	}
	return nil
}

// Heal ends the fault.
func (s *Shop) Heal(f Fault) { f.heal(s) }

func begins(prefix string) func(string) bool {
	return func(cause string) bool { return strings.HasPrefix(cause, prefix) }
}

// deploy restarts all instances of a service with a version that fails a share of its requests.
func (s *Shop) deploy(service, version string, failing float64) {
	for _, in := range s.instances[service] {
		in.failRate.Store(math.Float64bits(failing))
		in.restart(version, time.Now())
	}
}

// slowLink delays everything on the way from payment back to the orders API.
func (s *Shop) slowLink(milliseconds int) error {
	_, err := s.link.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name":"slow","type":"latency","stream":"downstream","toxicity":1,"attributes":{"latency":%d,"jitter":%d}}`,
		milliseconds, milliseconds/6)))
	return err
}
