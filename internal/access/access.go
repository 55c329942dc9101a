// Package access decides who may do what over HTTP: named people and machines with roles, known by
// the web configuration's basic auth users or by bearer tokens.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"
)

// Role is what somebody may do; a later one includes the earlier ones.
type Role string

// The roles, weakest first.
const (
	Read    Role = "read"
	Ack     Role = "ack"
	Approve Role = "approve"
	Admin   Role = "admin"
)

var order = []Role{Read, Ack, Approve, Admin}

// Rule gives a role to somebody. Exactly one of user, token and token_file says who it is.
type Rule struct {
	// Name is who stands in the audit log; the user's name when empty.
	Name string `yaml:"name,omitempty"`
	// User is a basic auth user of the file named by --web.config.file.
	User string `yaml:"user,omitempty"`
	// Token is a bearer token, which a program sends and a person types into the page.
	Token commoncfg.Secret `yaml:"token,omitempty"`
	// TokenFile is a file that holds the bearer token.
	TokenFile string `yaml:"token_file,omitempty"`
	// Role is what they may do: read, ack (give feedback too), approve (runbooks too) or admin
	// (everything). Required.
	Role Role `yaml:"role"`
}

// Check reports what is wrong with the rule at the given place of the configuration.
func (r Rule) Check(path string) error {
	n := 0
	for _, set := range []bool{r.User != "", r.Token != "", r.TokenFile != ""} {
		if set {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("%s: exactly one of user, token and token_file is wanted, found %d", path, n)
	case !slices.Contains(order, r.Role):
		return fmt.Errorf("%s.role is %q: want read, ack, approve or admin", path, r.Role)
	case r.User == "" && r.Name == "":
		return fmt.Errorf("%s.name is missing: the audit log needs a name for the holder of the token", path)
	}
	return nil
}

// Table answers who a request comes from and what they may do.
type Table struct {
	users  map[string]grant
	tokens map[[sha256.Size]byte]grant
}

type grant struct {
	name string
	role Role
}

// New makes the table of rules. verified are the basic auth users that the web server checks before
// a request arrives; a rule for another user is an error, since nobody would have proved to be them.
func New(rules []Rule, verified []string) (*Table, error) {
	t := &Table{users: map[string]grant{}, tokens: map[[sha256.Size]byte]grant{}}
	for i, r := range rules {
		name := r.Name
		if name == "" {
			name = r.User
		}
		token := string(r.Token)
		switch {
		case r.User != "":
			if !slices.Contains(verified, r.User) {
				return nil, fmt.Errorf("roles[%d].user: %q is no basic_auth_users entry of the file given by --web.config.file: without it nobody proves to be that user", i, r.User)
			}
			t.users[r.User] = grant{name, r.Role}
			continue
		case r.TokenFile != "":
			data, err := os.ReadFile(r.TokenFile)
			if err != nil {
				return nil, fmt.Errorf("roles[%d].token_file: %w", i, err)
			}
			token = strings.TrimSpace(string(data))
		}
		if len(token) < 16 {
			return nil, fmt.Errorf("roles[%d]: the token has %d characters: want 16 or more", i, len(token))
		}
		t.tokens[sha256.Sum256([]byte(token))] = grant{name, r.Role}
	}
	return t, nil
}

// Who is the name of the requester, and whether they hold at least the wanted role.
func (t *Table) Who(r *http.Request, want Role) (name string, ok bool) {
	g, known := t.grant(r)
	if !known {
		return "", false
	}
	return g.name, slices.Index(order, g.role) >= slices.Index(order, want)
}

func (t *Table) grant(r *http.Request) (grant, bool) {
	if token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		sum := sha256.Sum256([]byte(token))
		for known, g := range t.tokens {
			if subtle.ConstantTimeCompare(known[:], sum[:]) == 1 {
				return g, true
			}
		}
		return grant{}, false
	}
	if user, _, found := r.BasicAuth(); found {
		g, known := t.users[user]
		return g, known
	}
	return grant{}, false
}

// RolesOf are the roles that somebody holds, by the name that stands in the audit log; a role
// includes the weaker ones.
func (t *Table) RolesOf(name string) []string {
	best := -1
	for _, g := range t.users {
		if g.name == name {
			best = max(best, slices.Index(order, g.role))
		}
	}
	for _, g := range t.tokens {
		if g.name == name {
			best = max(best, slices.Index(order, g.role))
		}
	}
	var out []string
	for _, r := range order[:best+1] {
		out = append(out, string(r))
	}
	return out
}

// VerifiedUsers are the basic auth users of a web configuration file of the exporter-toolkit; none
// when file is empty.
func VerifiedUsers(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read web configuration: %w", err)
	}
	var web struct {
		Users map[string]string `yaml:"basic_auth_users"`
	}
	if err := yaml.Unmarshal(data, &web); err != nil {
		return nil, fmt.Errorf("read web configuration %s: %w", file, err)
	}
	users := make([]string, 0, len(web.Users))
	for u := range web.Users {
		users = append(users, u)
	}
	slices.Sort(users)
	return users, nil
}
