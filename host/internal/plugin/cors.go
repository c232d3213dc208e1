package plugin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// CORS says which pages of other origins may read a plugin's answers. Without
// one, none may, unless the guest says so itself.
type CORS struct {
	Origins     []string // exact ones, e.g. https://example.org, or * alone
	Methods     []string // that a page may use; none = GET, HEAD, POST
	Headers     []string // request fields a page may set, or * alone
	Expose      []string // response fields a page may read, or * alone
	Credentials bool     // whether requests may carry cookies and the like; not with *
	MaxAge      int      // seconds a browser may remember a preflight; 0 = its own default
}

// Bounds of a CORS policy: it is compared with, or sent, on every request.
const (
	maxCORSList   = 64
	maxCORSItem   = 256   // bytes
	maxCORSMaxAge = 86400 // a day; browsers remember less
)

var (
	originForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$`)
	tokenForm  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// Check returns an Invalid error for a policy that no browser would follow, or
// that would say more than it seems to.
func (c *CORS) Check() error {
	if len(c.Origins) == 0 {
		return badCORS("it names no origin")
	}
	if c.MaxAge < 0 || c.MaxAge > maxCORSMaxAge {
		return badCORS(fmt.Sprintf("the maximum age is between 0 and %d seconds", maxCORSMaxAge))
	}
	for _, list := range []struct {
		name  string
		items []string
		form  *regexp.Regexp
		star  bool
	}{
		{"origin", c.Origins, originForm, true},
		{"method", c.Methods, tokenForm, false},
		{"header", c.Headers, tokenForm, true},
		{"exposed header", c.Expose, tokenForm, true},
	} {
		if len(list.items) > maxCORSList {
			return badCORS(fmt.Sprintf("more than %d of %s", maxCORSList, list.name))
		}
		for _, item := range list.items {
			if why := badCase(item); list.name == "method" && why != "" {
				return badCORS(fmt.Sprintf("method %q %s", item, why))
			}
			if why := c.badItem(item, list.form, list.star, len(list.items)); why != "" {
				return badCORS(fmt.Sprintf("%s %.80q %s", list.name, item, why))
			}
		}
	}
	return nil
}

func (c *CORS) badItem(item string, form *regexp.Regexp, star bool, beside int) string {
	switch {
	case item == "*" && !star:
		return "must be named"
	case item == "*" && c.Credentials:
		return "does not go with credentials; name each"
	case item == "*" && beside > 1:
		return "includes the others; name it alone"
	case item == "*":
		return ""
	case len(item) > maxCORSItem:
		return fmt.Sprintf("is longer than %d bytes", maxCORSItem)
	case form == originForm && defaultPort(item):
		return "names the default port, which browsers leave out"
	case !form.MatchString(item) && form == originForm:
		return "is not an origin: write scheme://host[:port] in lower case, without a path"
	case !form.MatchString(item):
		return "is not a token"
	}
	return ""
}

// badCase finds a method of HTTP that would never be one: they are compared by
// case.
func badCase(method string) string {
	switch upper := strings.ToUpper(method); upper {
	case method:
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return "is written " + upper + "; browsers tell the cases apart"
	}
	return ""
}

func defaultPort(origin string) bool {
	return strings.HasPrefix(origin, "https://") && strings.HasSuffix(origin, ":443") ||
		strings.HasPrefix(origin, "http://") && strings.HasSuffix(origin, ":80")
}

// Policy returns the CORS policy of a plugin; NotFound when there is none.
func (p Plugin) Policy() (*CORS, error) {
	if p.CORS == nil {
		return nil, fault.New(fault.NotFound, "", fmt.Sprintf(
			"plugin %q has no CORS policy; to set one run: wasmoor cors set %s --origin https://example.org", p.Name, p.Name))
	}
	return p.CORS, nil
}

func badCORS(why string) error {
	return fault.New(fault.Invalid, "", "the CORS policy is not allowed: "+why)
}

// Allows reports whether pages of an origin may read answers.
func (c *CORS) Allows(origin string) bool { return c.Everyone() || slices.Contains(c.Origins, origin) }

// Everyone reports whether pages of any origin may.
func (c *CORS) Everyone() bool { return len(c.Origins) == 1 && c.Origins[0] == "*" }
