package runbook

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Internals that tests need.
const (
	MaxAnswer = maxAnswer
)

// NewWith is New with a network and a source of jitter of the test.
func NewWith(cfg Config, deps Deps, dial func(context.Context, string, string) (net.Conn, error), jitter func() float64) (*Manager, error) {
	return newManager(cfg, deps, clientOptions{dial: dial, jitter: jitter})
}

// CheckAddress is the guard's judgement.
func CheckAddress(rawURL string, allow []string, addr netip.Addr) error {
	g, err := newGuard(rawURL, allow)
	if err != nil {
		return err
	}
	return g.check(addr)
}

// Attempt makes one call of the first runbook, its host resolved by resolver.
func Attempt(ctx context.Context, cfg Config, resolver *net.Resolver) (outcome, reason string, err error) {
	cfg[0].guard.resolver = resolver
	r, err := newRunner(cfg[0], clientOptions{})
	if err != nil {
		return "", "", err
	}
	a := r.attempt(ctx, Proposal{ID: "p", Key: "k", Body: []byte("{}")}, time.Now())
	return string(a.outcome), a.reason, nil
}

// Sign returns the headers of a signed call.
func Sign(secret, id string, at time.Time, payload []byte) (map[string][]string, error) {
	keys, err := parseKeys(secret)
	if err != nil {
		return nil, err
	}
	h := map[string][]string{}
	return h, sign(h, keys, id, at, payload)
}

// Render returns the body of the first runbook for an incident.
func Render(cfg Config, i Incident) ([]byte, error) { return cfg[0].body.render(i) }
