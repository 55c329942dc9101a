package runbook

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// RefusedError says that an address was refused before a connection was made.
type RefusedError struct {
	Addr   netip.Addr
	Reason string
}

// Error names the address and the reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("address %s refused: %s", e.Addr, e.Reason)
}

// metadata are the addresses at which clouds hand out credentials of the machine: AWS, Azure, GCP,
// OpenStack and others at 169.254.169.254; AWS ECS and EKS beside it and over IPv6; Alibaba; Oracle;
// Azure's wire server. No configuration allows them.
var metadata = prefixes("169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "169.254.169.253/32",
	"fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32", "fd20:ce::254/128")

// special are the ranges that only an explicit allow_hosts opens: the machine itself, its link, and
// addresses that no server has. Sources: RFC 6890 and the IANA special-purpose address registries.
var special = []struct {
	prefix netip.Prefix
	reason string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("100::/64"), "discard"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// guard decides at connect time whether an address may be called, after the name was resolved, so
// that no name, however it resolves and however often, leads anywhere else.
//
// Ordinary addresses, private networks included, are allowed: the URL is the operator's own, and
// runbooks live inside. An entry of allow_hosts opens more: an address or network opens itself; the
// URL's own host name opens loopback. Addresses of metadata services stay closed.
type guard struct {
	prefixes []netip.Prefix
	loopback bool          // The URL's host name is listed.
	resolver *net.Resolver // nil: the system's.
}

func newGuard(rawURL string, allow []string) (*guard, error) {
	g := &guard{}
	host := ""
	if u, err := url.Parse(rawURL); err == nil {
		host = strings.ToLower(u.Hostname())
	}
	for _, entry := range allow {
		prefix, err := parsePrefix(entry)
		if err == nil {
			g.prefixes = append(g.prefixes, prefix)
			continue
		}
		if strings.ToLower(entry) != host {
			return nil, fmt.Errorf("allow_hosts: %q is neither an address, a network nor the host of url, want for example 127.0.0.1 or 10.0.0.0/8", entry)
		}
		g.loopback = true
	}
	for _, p := range g.prefixes {
		for _, m := range metadata {
			if m.Contains(p.Addr()) && p.Bits() >= m.Bits() {
				return nil, fmt.Errorf("allow_hosts: %s is a metadata service that hands out credentials, want it left out: it is never called", p)
			}
		}
	}
	return g, nil
}

// parsePrefix reads an address or a network.
func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// check returns nil or a *RefusedError. It judges the address and every IPv4 address inside it.
func (g *guard) check(addr netip.Addr) error {
	for _, a := range inside(addr.WithZone("")) {
		for _, m := range metadata {
			if m.Contains(a) {
				return &RefusedError{Addr: addr, Reason: "metadata service, never called"}
			}
		}
		if err := g.checkSpecial(addr, a); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) checkSpecial(addr, a netip.Addr) error {
	for _, p := range g.prefixes {
		if p.Contains(a) {
			return nil
		}
	}
	for _, s := range special {
		if s.prefix.Contains(a) && (s.reason != "loopback" || !g.loopback) {
			return &RefusedError{Addr: addr, Reason: s.reason + " address, allow_hosts does not list it"}
		}
	}
	return nil
}

// inside returns the address and the IPv4 addresses that translators would reach through it:
// IPv4-mapped and -compatible (RFC 4291), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC
// 4380, obfuscated) and ISATAP (RFC 5214).
func inside(a netip.Addr) []netip.Addr {
	a = a.Unmap()
	if a.Is4() {
		return []netip.Addr{a}
	}
	b := a.As16()
	out := []netip.Addr{a}
	v4 := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i : i+4])) }
	switch {
	case a.IsLoopback() || a.IsUnspecified():
	case netip.MustParsePrefix("::/96").Contains(a), netip.MustParsePrefix("64:ff9b::/96").Contains(a),
		netip.MustParsePrefix("64:ff9b:1::/48").Contains(a), netip.MustParsePrefix("::ffff:0:0:0/96").Contains(a):
		out = append(out, v4(12))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		out = append(out, v4(2))
	case netip.MustParsePrefix("2001::/32").Contains(a):
		out = append(out, v4(4), netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	}
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		out = append(out, v4(12))
	}
	return out
}

// dial is a net.Dialer's DialContext that checks each address before its connection is made.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: g.control, Resolver: g.resolver}
	return d.DialContext(ctx, network, address)
}

// control runs after the socket exists and before it connects; address is the resolved one.
func (g *guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("network %s refused: runbooks are called over TCP", network)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q refused: %w", address, err)
	}
	return g.check(ap.Addr())
}
