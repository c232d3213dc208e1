package auth

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Team owns the plugins of a pattern, within quotas.
type Team struct {
	Name    string
	Plugins Pattern
	Memory  int64 // bytes of all its instances together; 0 = the host's bound alone
	Disk    int64 // bytes of the key spaces its plugins may fill; 0 = no bound
	Weight  int   // shares of the processors that each of its plugins has where one of no team has 1; 0 = 1
}

// MaxWeight bounds the weight of a team.
const MaxWeight = 100

// Check returns why a team cannot be: Invalid.
func (t Team) Check() error {
	if err := CheckName("team", t.Name); err != nil {
		return err
	}
	if strings.ContainsRune(t.Name, '/') {
		return fault.New(fault.Invalid, "", "the name of a team has no slash")
	}
	if t.Memory < 0 || t.Disk < 0 || t.Weight < 0 || t.Weight > MaxWeight {
		return fault.New(fault.Invalid, "", fmt.Sprintf("quotas are sizes, and a weight is from 1 to %d", MaxWeight))
	}
	_, err := ParsePattern(string(t.Plugins))
	return err
}

// MaxLifetime is how long a log-in may last.
const MaxLifetime = 24 * time.Hour

// Rule says what somebody may do who proves by a token of OIDC who they are.
type Rule struct {
	Name     string
	Issuer   string
	Audience string            // whom the token must be for
	Claims   map[string]string // what else it must say; * stands for any characters
	Login    bool              // for people: the audience is the client that they log in with
	Private  bool              // the issuer may be in a private network
	Role     Role
	Plugins  Pattern
	Team     string
	Lifetime time.Duration // of what it is exchanged for
}

// Check returns why a rule cannot be: Invalid.
func (r Rule) Check() error {
	if err := CheckName("rule", r.Name); err != nil {
		return err
	}
	if strings.ContainsRune(r.Name, '/') {
		return fault.New(fault.Invalid, "", "the name of a rule has no slash")
	}
	if _, err := ParsePattern(string(r.Plugins)); err != nil {
		return err
	}
	u, err := url.Parse(r.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && r.Private && isLoopback(u.Hostname())) {
		return fault.New(fault.Invalid, "", fmt.Sprintf("the issuer %.128q is no https URL such as https://token.actions.githubusercontent.com", r.Issuer))
	}
	switch {
	case r.Audience == "":
		return fault.New(fault.Invalid, "", "name the audience: whom the issuer's tokens must be for")
	case len(r.Claims) == 0:
		return fault.New(fault.Invalid, "", "name a claim: without one, everybody whom the issuer knows would be let in")
	case r.Lifetime < time.Minute || r.Lifetime > MaxLifetime:
		return fault.New(fault.Invalid, "", fmt.Sprintf("a log-in lasts from 1m to %s", MaxLifetime))
	case r.Role == Owner && (r.Team != "" || !r.Plugins.All()):
		return fault.New(fault.Invalid, "", `an owner decides about the whole server: take the pattern "*" and no team`)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		if value := r.Claims[name]; strings.Trim(value, "*") == "" {
			return fault.New(fault.Invalid, "", fmt.Sprintf("the claim %.64q may be anything; say more of it than %q", name, value))
		}
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Takes reports whether claims are what the rule wants. A claim may be text, a
// number, a boolean or a list of text, of which one must do. An address of mail
// must have been verified by the issuer.
func (r Rule) Takes(claims map[string]any) error {
	if !slices.Contains(texts(claims["aud"]), r.Audience) {
		return fault.New(fault.Unauthenticated, "", fmt.Sprintf("the rule %s does not take a token for the audience %.128q", r.Name, fmt.Sprint(claims["aud"])))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		if !slices.ContainsFunc(texts(claims[name]), func(text string) bool { return glob(r.Claims[name], text) }) {
			return fault.New(fault.Unauthenticated, "", fmt.Sprintf("the rule %s does not take %.128q as the claim %s", r.Name, fmt.Sprint(claims[name]), name))
		}
		if name == "email" && claims["email_verified"] != true {
			return fault.New(fault.Unauthenticated, "", fmt.Sprintf("the rule %s wants the claim email, which the issuer has not verified", r.Name))
		}
	}
	return nil
}

// texts returns the values of a claim as text.
func texts(claim any) (all []string) {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case bool, float64:
		return []string{fmt.Sprint(claim)}
	case []any:
		for _, item := range claim {
			if text, ok := item.(string); ok {
				all = append(all, text)
			}
		}
	}
	return all
}

// Overlap reports whether a name could be meant by both patterns.
func Overlap(a, b Pattern) bool {
	for one := range strings.SplitSeq(string(a), ",") {
		for other := range strings.SplitSeq(string(b), ",") {
			if meet(one, other) {
				return true
			}
		}
	}
	return false
}

// meet reports whether there is a text that both globs stand for.
func meet(a, b string) bool {
	reach := make([]bool, len(b)+1) // reach[j]: of the part of a so far and b[:j]
	reach[0] = true
	for j := range len(b) {
		reach[j+1] = reach[j] && b[j] == '*'
	}
	for i := range len(a) {
		next := make([]bool, len(b)+1)
		next[0] = reach[0] && a[i] == '*'
		for j := range len(b) {
			if a[i] == '*' || b[j] == '*' { // it stands for what the other has there, or for nothing
				next[j+1] = reach[j+1] || next[j]
			} else {
				next[j+1] = reach[j] && a[i] == b[j]
			}
		}
		reach = next
	}
	return reach[len(b)]
}
