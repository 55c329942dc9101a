package runbook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

func (r *Runbook) checkVerify() error {
	if r.Verify.Expr == "" {
		return nil
	}
	if _, err := parser.NewParser(parser.Options{}).ParseExpr(r.Verify.Expr); err != nil {
		return fmt.Errorf("verify.expr: not PromQL (%w), want a condition that holds when the system is well", err)
	}
	return nil
}

// compile prepares what Validate found sound: the body's templates and the guard of addresses.
func (r *Runbook) compile() error {
	spec := r.Body
	if spec == nil {
		spec = defaultBody()
	}
	compiled, err := compileBody(spec)
	if err != nil {
		return err
	}
	g, err := newGuard(r.URL, r.AllowHosts)
	if err != nil {
		return err
	}
	r.body, r.guard = compiled, g
	return r.checkLocal()
}

// checkLocal refuses a URL at once that the guard would refuse at every call.
func (r *Runbook) checkLocal() error {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil // checkURL says so.
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	if strings.EqualFold(host, "localhost") && !r.guard.loopback {
		addr, err = netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	if err != nil {
		return nil // A name: judged when it is resolved.
	}
	if err := r.guard.check(addr); err != nil {
		return fmt.Errorf("url: %w, want another host, or this one in allow_hosts if you mean it", err)
	}
	return nil
}

// defaultBody is sent when the configuration has none.
func defaultBody() map[string]any {
	return map[string]any{
		"incident": "{{ .ID }}", "severity": "{{ .Severity }}", "cause": "{{ .Cause }}",
		"cause_kind": "{{ .CauseKind }}", "resource": "{{ .Resource }}",
	}
}

// digest names what a person approves: what is called and how. A changed runbook is approved anew.
// Secrets may rotate without that.
func (r *Runbook) digest() string {
	data, err := json.Marshal([]any{
		r.Name, r.Matchers.Strings(), r.URL, r.Method, slices.Sorted(maps.Keys(r.Headers)),
		r.Mode, r.Body, r.Idempotent, r.AllowHosts, r.Verify,
	})
	if err != nil { // A body that is not JSON is refused by compileBody.
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// printableURL is the URL without its query, which may hold a token.
func (r *Runbook) printableURL() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery = "redacted"
	}
	u.Fragment = ""
	return u.String()
}
