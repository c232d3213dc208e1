package sdk

import (
	"errors"
	"iter"
	"strings"

	"github.com/wasmoor/wasmoor/abi/field"
)

// Cookie is a cookie to set. The zero value of each field but the first two is the
// safe choice: sent only over HTTPS, only below the plugin's mount, only to the host
// that has set it, not with requests that other sites cause, except for links, and out
// of reach of scripts. Browsers take plain HTTP to localhost for HTTPS, Safari
// excepted.
type Cookie struct {
	Name  string // a token (RFC 9110)
	Value string // printable ASCII except `"`, `;` and `\`; with the name at most 4096 bytes
	// MaxAge is how many seconds the browser keeps it. 0: until it is closed. Below
	// 0: it is deleted now; Name, Path and Domain have to be as they were set.
	MaxAge int
	// Path is that of the pages it is sent to, and of those below. "" = the plugin's
	// mount. A name that starts with "__Host-" needs "/", and is sent to every
	// plugin on the host then.
	Path string
	// Domain has it sent to the hosts below this one too. "" = only to the host of
	// the request.
	Domain   string
	SameSite SameSite
	// Readable lets scripts of the page read it: there is no HttpOnly.
	Readable bool
	// Insecure has it sent over plain HTTP too: there is no Secure.
	Insecure bool
}

// SameSite says with which requests from other sites a cookie is sent.
type SameSite int

// The values of SameSite.
const (
	SameSiteLax    SameSite = iota // links that are followed
	SameSiteStrict                 // none
	SameSiteNone                   // all
)

// maxCookie is what browsers take of a name and a value, in bytes.
const maxCookie = 4096

// SetCookie adds a Set-Cookie field to the response. A cookie that browsers would
// refuse is an error, and nothing is added.
func (w *Response) SetCookie(c Cookie) error {
	value, err := c.field(state.request.Mount())
	if err == nil {
		w.AddHeader("Set-Cookie", value)
	}
	return err
}

// Field returns the value of the Set-Cookie field, for handlers of net/http, whose
// paths are below the mount already. Errors are those of SetCookie.
func (c Cookie) Field() (string, error) { return c.field("") }

// field returns the value of the Set-Cookie field of a plugin mounted at mount.
func (c Cookie) field(mount string) (string, error) {
	if c.Path == "" {
		c.Path = mount
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if why := c.fault(); why != "" {
		return "", errors.New(`sdk: cookie "` + c.Name + `": ` + why)
	}
	value := c.Value
	if strings.ContainsAny(value, " ,") {
		value = `"` + value + `"`
	}
	return c.Name + "=" + value + "; Path=" + c.Path + c.attributes(), nil
}

// attributes are those after the path.
func (c *Cookie) attributes() (s string) {
	if c.Domain != "" {
		s += "; Domain=" + strings.TrimPrefix(c.Domain, ".")
	}
	if c.MaxAge != 0 {
		s += "; Max-Age=" + itoa(max(c.MaxAge, 0))
	}
	if !c.Readable {
		s += "; HttpOnly"
	}
	if !c.Insecure {
		s += "; Secure"
	}
	return s + "; SameSite=" + c.SameSite.String()
}

// fault says why browsers would refuse the cookie, "" if they take it.
func (c *Cookie) fault() string {
	switch {
	case !field.IsToken(c.Name):
		return "the name is not a token"
	case !isCookieValue(c.Value):
		return "the value has a byte that is not printable ASCII, or a quote, a semicolon or a backslash; encode it"
	case len(c.Name)+len(c.Value) > maxCookie:
		return "name and value have " + itoa(len(c.Name)+len(c.Value)) + " bytes, more than 4096"
	case c.Path[0] != '/' || !isCookieAttribute(c.Path):
		return `the path "` + c.Path + `" does not start with a slash, or has a byte that a path cannot have`
	case !isCookieDomain(c.Domain):
		return `the domain "` + c.Domain + `" is not a name of a host`
	case c.SameSite < SameSiteLax || c.SameSite > SameSiteNone:
		return "SameSite is not one of its values"
	case c.Insecure && c.SameSite == SameSiteNone:
		return "with SameSiteNone it cannot be Insecure"
	case c.Insecure && (hasPrefixFold(c.Name, "__Secure-") || hasPrefixFold(c.Name, "__Host-")):
		return "with such a name it cannot be Insecure"
	case hasPrefixFold(c.Name, "__Host-") && (c.Path != "/" || c.Domain != ""):
		return `with such a name it needs the path "/", and no domain`
	}
	return ""
}

// String returns the value as browsers spell it.
func (s SameSite) String() string {
	switch s {
	case SameSiteStrict:
		return "Strict"
	case SameSiteNone:
		return "None"
	}
	return "Lax"
}

// Cookie returns the value of the first cookie of that name, without the quotes
// around it. Cookies that no browser sends are left out, as in net/http.
func (r *Request) Cookie(name string) (value string, ok bool) {
	for n, value := range r.Cookies() {
		if n == name {
			return value, true
		}
	}
	return "", false
}

// Cookies ranges over names and values of cookies in order, as Cookie returns them.
func (r *Request) Cookies() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for header, list := range r.Headers() {
			if header != "cookie" {
				continue
			}
			for cookie := range strings.SplitSeq(list, ";") {
				name, value, _ := strings.Cut(trim(cookie), "=")
				if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
					value = value[1 : len(value)-1]
				}
				if name = trim(name); field.IsToken(name) && isCookieValue(value) && !yield(name, value) {
					return
				}
			}
		}
	}
}

// trim leaves out the spaces and tabs around s.
func trim(s string) string { return strings.Trim(s, " \t") }

func isCookieValue(s string) bool {
	return isCookieAttribute(s) && strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\\') < 0
}

func isCookieAttribute(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == ';' {
			return false
		}
	}
	return true
}

func isCookieDomain(s string) bool {
	for i := range len(s) {
		if c := lower(s[i]); (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return s != "."
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix)
}
