package runbook_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/internal/runbook"
)

// lyingDNS answers every question for an IPv4 address with the given ones in turn and a time to
// live of 0, as a host does that an attacker moves after it was checked (DNS rebinding), and as a C
// library does for numbers such as 2130706433 or 0x7f.1.
func lyingDNS(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	var wg sync.WaitGroup
	var n atomic.Int64
	t.Cleanup(wg.Wait)
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		wg.Go(func() {
			defer func() { _ = there.Close() }()
			for {
				var size [2]byte
				if _, err := io.ReadFull(there, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(there, query); err != nil {
					return
				}
				reply := answerTo(query, netip.MustParseAddr(answers[int(n.Load())%len(answers)]), &n)
				if _, err := there.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
					return
				}
			}
		})
		return here, nil
	}}
}

// answerTo builds the reply of RFC 1035: the question again, and one A record when it asks for one.
func answerTo(query []byte, addr netip.Addr, n *atomic.Int64) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // The root label, type and class.
	isA := binary.BigEndian.Uint16(query[end-4:]) == 1
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if isA {
		n.Add(1)
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, addr.AsSlice()...)
	}
	return reply
}

// trap is a server on loopback that must never be reached.
func trap(t *testing.T) (port string, reached *atomic.Int64) {
	t.Helper()
	reached = &atomic.Int64{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port, reached
}

// TestForgedTargetsReachNothing tries URLs that name the machine itself, its link or a metadata
// service in every spelling; each must be refused by the configuration or at connect time.
func TestForgedTargetsReachNothing(t *testing.T) {
	port, reached := trap(t)
	type target struct{ url, resolves string }
	p := ":" + port + "/"
	targets := []target{
		// Loopback and unspecified.
		{"http://127.0.0.1" + p, ""},
		{"http://127.0.0.2" + p, ""},
		{"http://127.255.255.254" + p, ""},
		{"http://[::1]" + p, ""},
		{"http://[0:0:0:0:0:0:0:1]" + p, ""},
		{"http://0.0.0.0" + p, ""},
		{"http://[::]" + p, ""},
		{"http://0.1.2.3" + p, ""},
		{"http://localhost" + p, ""},
		{"http://LOCALHOST" + p, ""},
		{"http://localhost." + p, "127.0.0.1"},
		{"http://localhost.localdomain" + p, "127.0.0.1"},
		{"http://foo.localhost" + p, "127.0.0.1"},
		// Other spellings of numbers, which a C library would take.
		{"http://2130706433" + p, "127.0.0.1"},
		{"http://0x7f000001" + p, "127.0.0.1"},
		{"http://0x7f.1" + p, "127.0.0.1"},
		{"http://0177.0.0.1" + p, "127.0.0.1"},
		{"http://127.1" + p, "127.0.0.1"},
		{"http://127.0.1" + p, "127.0.0.1"},
		{"http://0" + p, "0.0.0.0"},
		{"http://2852039166/", "169.254.169.254"},
		{"http://0xa9fea9fe/", "169.254.169.254"},
		{"http://0251.0376.0251.0376/", "169.254.169.254"},
		{"http://169.16689662/", "169.254.169.254"},
		// IPv4 inside IPv6: mapped, compatible, NAT64, 6to4, Teredo, ISATAP, with a zone.
		{"http://[::ffff:127.0.0.1]" + p, ""},
		{"http://[::ffff:7f00:1]" + p, ""},
		{"http://[::127.0.0.1]" + p, ""},
		{"http://[::ffff:0:127.0.0.1]" + p, ""},
		{"http://[64:ff9b::7f00:1]" + p, ""},
		{"http://[64:ff9b:1::7f00:1]" + p, ""},
		{"http://[2002:7f00:1::]" + p, ""},
		{"http://[2001:0:4136:e378:8000:63bf:80ff:fffe]" + p, ""},
		{"http://[2001:db8::5efe:127.0.0.1]" + p, ""},
		{"http://[fe80::1%25eth0]" + p, ""},
		{"http://[::ffff:169.254.169.254]/", ""},
		// Metadata services and the link.
		{"http://169.254.169.254/latest/meta-data/", ""},
		{"http://169.254.170.2/v2/credentials", ""},
		{"http://169.254.170.23/", ""},
		{"http://[fd00:ec2::254]/latest/", ""},
		{"http://[fd00:ec2::23]/", ""},
		{"http://[fd20:ce::254]/", ""},
		{"http://100.100.100.200/latest/", ""},
		{"http://192.0.0.192/", ""},
		{"http://168.63.129.16/", ""},
		{"http://metadata.google.internal/", "169.254.169.254"},
		{"http://169.254.0.1/", ""},
		{"http://[fe80::1]/", ""},
		{"http://224.0.0.1/", ""},
		{"http://255.255.255.255/", ""},
		{"http://240.0.0.1/", ""},
		{"http://[ff02::1]/", ""},
		{"http://[fec0::1]/", ""},
		// Names that resolve to it.
		{"http://rebind.example" + p, "127.0.0.1"},
		{"http://meta.example/", "169.254.169.254"},
		{"http://zero.example" + p, "0.0.0.0"},
		// Tricks with the parts of a URL.
		{"http://runner.example@127.0.0.1" + p, ""},
		{"http://127.0.0.1:80@runner.example" + p, ""},
		{"http://runner.example%2f@127.0.0.1" + p, ""},
		{"http://127.0.0.1\\@runner.example" + p, ""},
		{"http://runner.example#@127.0.0.1" + p, "127.0.0.1"},
		{"http://127.0.0.1%00.example" + p, ""},
		{"http://①②⑦.⓪.⓪.①" + p, "127.0.0.1"},
		{"http:127.0.0.1" + p, ""},
		{"//127.0.0.1" + p, ""},
		{"http:///127.0.0.1" + p, ""},
		// Other schemes.
		{"file:///etc/passwd", ""},
		{"gopher://127.0.0.1" + p + "_x", ""},
		{"ftp://127.0.0.1" + p, ""},
		{"dict://127.0.0.1" + p, ""},
		{"ldap://127.0.0.1" + p, ""},
		{"unix:///run/docker.sock", ""},
		{"jar:http://127.0.0.1" + p + "!/", ""},
		{"HTTP+unix://%2Frun%2Fdocker.sock/", ""},
		{"http://{{ .Resource }}" + p, ""},
	}
	require.GreaterOrEqual(t, len(targets), 40)
	refused := 0
	for _, tc := range targets {
		cfg, err := parseConfig(fmt.Sprintf("[{name: a, mode: approve, matchers: ['cause_kind=\"disk\"'], url: %q}]", tc.url))
		require.NoError(t, err, tc.url)
		if cfg.Validate() != nil {
			refused++
			continue // When the configuration is read.
		}
		resolves := tc.resolves
		if resolves == "" {
			resolves = "127.0.0.1"
		}
		outcome, reason, err := runbook.Attempt(t.Context(), cfg, lyingDNS(t, resolves))
		require.NoError(t, err)
		if strings.Contains(reason, "no such host") {
			continue // Go's resolver does not even ask for it.
		}
		require.Equal(t, "final", outcome, "%s: %s", tc.url, reason)
		require.Contains(t, reason, "refused", tc.url)
		refused++
	}
	require.GreaterOrEqual(t, refused, 60)
	require.Zero(t, reached.Load(), "connections to the trap")
}

// TestRebinding: the name leads to an ordinary address when it is looked at, and to this machine
// when it is called. The address that is connected to is the one that is judged.
func TestRebinding(t *testing.T) {
	port, reached := trap(t)
	cfg := config(t, `[{name: a, mode: approve, timeout: 1s, matchers: ['cause_kind="disk"'], url: "http://rebind.example:`+port+`/"}]`)
	dns := lyingDNS(t, "203.0.113.7", "127.0.0.1", "169.254.169.254")
	for range 6 {
		outcome, reason, err := runbook.Attempt(t.Context(), cfg, dns)
		require.NoError(t, err)
		require.Equal(t, "final", outcome, reason)
	}
	require.Zero(t, reached.Load())
}

// TestAllowedHostsAreReached: the same machine, named on purpose; and even then no redirect leads on.
func TestAllowedHostsAreReached(t *testing.T) {
	port, reached := trap(t)
	srv := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:"+port+"/", http.StatusTemporaryRedirect))
	t.Cleanup(srv.Close)
	_, own, err := net.SplitHostPort(srv.Listener.Addr().String())
	require.NoError(t, err)
	for name, tc := range map[string]struct{ host, allow string }{
		"address":                  {"127.0.0.1", "127.0.0.1"},
		"network":                  {"127.0.0.1", "127.0.0.0/8"},
		"name of the URL":          {"runner.example", "runner.example"},
		"name in other case":       {"runner.example", "Runner.Example"},
		"address of a name":        {"runner.example", "127.0.0.1"},
		"address written in IPv6":  {"127.0.0.1", "::ffff:127.0.0.1"},
		"IPv6 mapped in the URL":   {"[::ffff:127.0.0.1]", "127.0.0.1"},
		"more than one is allowed": {"127.0.0.1", "10.0.0.1, 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, fmt.Sprintf(`[{name: a, matchers: ['cause_kind="disk"'], url: "http://%s:%s/", allow_hosts: [%s]}]`, tc.host, own, quoteList(tc.allow)))
			outcome, reason, err := runbook.Attempt(t.Context(), cfg, lyingDNS(t, "127.0.0.1"))
			require.NoError(t, err)
			require.Equal(t, "final", outcome)
			require.Contains(t, reason, "answered 307, a redirect; redirects are not followed")
		})
	}
	require.Zero(t, reached.Load())
}

func TestGuardJudgesAddresses(t *testing.T) {
	for _, tc := range []struct {
		addr  string
		allow []string
		want  string // Empty: allowed.
	}{
		{"10.0.0.1", nil, ""},
		{"192.168.1.1", nil, ""},
		{"172.16.0.1", nil, ""},
		{"100.64.0.1", nil, ""},
		{"8.8.8.8", nil, ""},
		{"fd12::1", nil, ""},
		{"2606:4700::1", nil, ""},
		{"64:ff9b::8.8.8.8", nil, ""},
		{"2002:808:808::", nil, ""},
		{"127.0.0.1", nil, "loopback address"},
		{"::1", nil, "loopback"},
		{"169.254.1.1", nil, "link-local"},
		{"0.0.0.0", nil, "unspecified"},
		{"127.0.0.1", []string{"127.0.0.1"}, ""},
		{"127.0.0.2", []string{"127.0.0.1"}, "loopback"},
		{"::1", []string{"::1"}, ""},
		{"::1", []string{"127.0.0.1"}, "loopback"},
		{"127.0.0.1", []string{"host.example"}, ""},
		{"169.254.1.1", []string{"host.example"}, "link-local"},
		{"169.254.1.1", []string{"169.254.0.0/16"}, ""},
		{"169.254.169.254", []string{"169.254.0.0/16"}, "metadata service, never called"},
		{"169.254.169.254", []string{"0.0.0.0/0"}, "metadata"},
		{"fd00:ec2::254", []string{"::/0"}, "metadata"},
	} {
		err := runbook.CheckAddress("http://host.example/", tc.allow, netip.MustParseAddr(tc.addr))
		if tc.want == "" {
			require.NoError(t, err, "%s with %v", tc.addr, tc.allow)
			continue
		}
		require.ErrorContains(t, err, tc.want, "%s with %v", tc.addr, tc.allow)
	}
}

// FuzzGuard: however an IPv4 address is wrapped, the wrapping is no freer than the address.
func FuzzGuard(f *testing.F) {
	for _, ip := range []string{"127.0.0.1", "169.254.169.254", "8.8.8.8", "0.0.0.0"} {
		b := netip.MustParseAddr(ip).As4()
		f.Add(binary.BigEndian.Uint32(b[:]))
	}
	f.Fuzz(func(t *testing.T, n uint32) {
		a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
		if runbook.CheckAddress("http://h.example/", nil, a) == nil {
			return
		}
		b := a.As4()
		for _, form := range []string{"::ffff:%d.%d.%d.%d", "64:ff9b::%d.%d.%d.%d", "64:ff9b:1::%d.%d.%d.%d", "::ffff:0:%d.%d.%d.%d", "fd99::5efe:%d.%d.%d.%d", "fd99::200:5efe:%d.%d.%d.%d"} {
			wrapped := netip.MustParseAddr(fmt.Sprintf(form, b[0], b[1], b[2], b[3]))
			require.Error(t, runbook.CheckAddress("http://h.example/", nil, wrapped), wrapped)
		}
		six := netip.MustParseAddr(fmt.Sprintf("2002:%02x%02x:%02x%02x::", b[0], b[1], b[2], b[3]))
		require.Error(t, runbook.CheckAddress("http://h.example/", nil, six), six)
	})
}

// quoteList turns "a, b" into YAML strings.
func quoteList(list string) string {
	out := ""
	for i, s := range strings.Split(list, ", ") {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%q", s)
	}
	return out
}
