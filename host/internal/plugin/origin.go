package plugin

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Origin is where a plugin may call out to: a scheme, a host and a port. The
// host may begin with "*.", which stands for exactly one label, as it does in a
// certificate.
type Origin struct {
	Scheme string // "http" or "https"
	Host   string // in lower case; IPv6 without brackets
	Port   uint16
}

// everywhere is how Public is written.
const everywhere = "public"

// Public returns what stands for every origin at a public address. ParseOrigin does not
// read it: it is asked for by a plugin, and granted by a person, and nothing else has it.
func Public() Origin { return Origin{Scheme: everywhere} }

// ParseOrigin reads scheme://host[:port]. The error is Invalid and says what is
// wrong and what to write instead.
func ParseOrigin(s string) (Origin, error) {
	o, why := parseOrigin(s)
	if why != "" {
		return Origin{}, fault.New(fault.Invalid, "", fmt.Sprintf("%.80q is no origin: %s; write %s", s, why, originMeant(s)))
	}
	return o, nil
}

// originMeant returns the origin that s was most likely meant as, quoted.
func originMeant(s string) string {
	scheme, rest, found := strings.Cut(strings.ToLower(strings.TrimSpace(s)), ":/")
	if !found {
		scheme, rest = "", scheme
	}
	rest = strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	host, _, _ := SplitHost("http", rest)
	if _, err := netip.ParseAddr(host); scheme != "https" && (err == nil || host == "localhost" || scheme == "http") {
		scheme = "http"
	} else {
		scheme = "https"
	}
	o, why := parseOrigin(scheme + "://" + rest)
	if why != "" || o.Host != "localhost" && !strings.ContainsAny(o.Host, ".:") {
		return `e.g. "https://api.example.com", with :port where it is not the usual one`
	}
	return strconv.Quote(o.String())
}

// EveryHost reports whether somebody who wrote s meant all there are.
func EveryHost(s string) bool {
	rest := strings.Trim(s, "*:/ ")
	return strings.Contains(s, "*") && (rest == "" || rest == "http" || rest == "https") || s == "any" || s == "all" || s == "public"
}

func parseOrigin(s string) (o Origin, why string) {
	if EveryHost(s) {
		return o, "no plugin may call every host, so name each; * stands for one label in front of a name, as in https://*.example.com"
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return o, "it has no scheme"
	}
	o.Scheme = strings.ToLower(scheme)
	if o.Scheme != "http" && o.Scheme != "https" {
		return o, fmt.Sprintf("the scheme %.20q is not http or https", scheme)
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return o, "a path is not part of it, every path of the host is reached"
	}
	if strings.Contains(rest, "@") {
		return o, "it has user information, which does not belong there"
	}
	host, port, why := SplitHost(o.Scheme, rest)
	if why != "" {
		return o, why
	}
	o.Port = port
	if wild, ok := strings.CutPrefix(host, "*."); ok {
		if why := checkWild(wild); why != "" {
			return o, why
		}
		o.Host = strings.ToLower(host)
		return o, ""
	}
	o.Host, why = CheckHost(host)
	return o, why
}

// checkWild judges the rest after "*.": a wildcard must not cover whole
// registries or addresses.
func checkWild(rest string) string {
	host, why := CheckHost(rest)
	switch _, err := netip.ParseAddr(host); {
	case why != "":
		return why
	case err == nil:
		return "an address has no wildcard"
	case !strings.Contains(host, "."):
		return `a wildcard needs two labels after it, as in "https://*.example.com"`
	}
	return ""
}

// SplitHost splits what stands between scheme:// and the path into a host,
// without brackets, and a port, that of the scheme where none is written. why
// says what is wrong.
func SplitHost(scheme, authority string) (host string, port uint16, why string) {
	host, digits := authority, ""
	if rest, ok := strings.CutPrefix(authority, "["); ok {
		addr, after, ok := strings.Cut(rest, "]")
		if !ok || after != "" && after[0] != ':' || !strings.Contains(addr, ":") {
			return "", 0, "brackets belong around an IPv6 address and nothing else"
		}
		host, digits = addr, after
	} else if i := strings.IndexByte(authority, ':'); i >= 0 {
		host, digits = authority[:i], authority[i:]
		if strings.Contains(digits[1:], ":") {
			return "", 0, "an IPv6 address belongs in brackets"
		}
	}
	if digits == "" {
		if scheme == "https" {
			return host, 443, ""
		}
		return host, 80, ""
	}
	n, err := strconv.ParseUint(digits[1:], 10, 16)
	if err != nil || n == 0 || digits[1] == '0' {
		return "", 0, fmt.Sprintf("the port %.20q is not a number from 1 to 65535", digits[1:])
	}
	return host, uint16(n), ""
}

// CheckHost returns a host in its one spelling, or says what is wrong: it takes
// names of ASCII labels, dotted quads of plain decimals and IPv6 addresses
// without a zone. Whatever else a resolver would take for an address (0x7f.1,
// 2130706433, 127.1) and every other spelling is refused, so that what was
// granted and what is called are compared as they are.
func CheckHost(host string) (canonical, why string) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		switch {
		case err != nil:
			return "", "its host is no IPv6 address"
		case addr.Zone() != "":
			return "", "an IPv6 zone means something on one machine only"
		case addr.Is4In6():
			return "", "an IPv4 address in the form of IPv6 is written as a dotted quad"
		}
		return addr.String(), ""
	}
	if host == "" {
		return "", "its host is empty"
	}
	if len(host) > 253 {
		return "", "its host is longer than 253 bytes"
	}
	host = strings.ToLower(host)
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if why := checkLabel(label); why != "" {
			return "", why
		}
	}
	if last := labels[len(labels)-1]; isNumeric(last) {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return "", "a host that ends in a number is written as a dotted quad of decimals"
		}
		return addr.String(), ""
	}
	return host, ""
}

func checkLabel(label string) string {
	switch {
	case label == "":
		return "its host has an empty label, or ends in a dot"
	case len(label) > 63:
		return "a label of its host is longer than 63 bytes"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "a label of its host begins or ends with -"
	}
	if strings.Contains(label, "*") {
		return "* stands for one label in front of a name, as in https://*.example.com, and for nothing else"
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "its host has a character other than a-z, 0-9, -, _ and . (names in other scripts are written as xn--...)"
		}
	}
	return ""
}

// isNumeric is what the URL standard calls ending in a number: digits, or 0x
// and hexadecimal digits.
func isNumeric(label string) bool {
	if rest, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// Internal ends the hosts by which plugins of one server call each other. Nothing outside
// has such a name.
const Internal = ".wasmoor.internal"

// IsInternal reports whether a host is below Internal, or is its end.
func IsInternal(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return strings.HasSuffix(host, Internal) || host == Internal[1:]
}

// Covers reports whether target, which has no wildcard, is one of what o stands for.
// What address it is at, nobody knows here: what only Public covers is held to public
// ones as it is called.
func (o Origin) Covers(target Origin) bool {
	if o == Public() {
		return !IsInternal(target.Host)
	}
	if o.Scheme != target.Scheme || o.Port != target.Port {
		return false
	}
	suffix, wild := strings.CutPrefix(o.Host, "*")
	if !wild {
		return o.Host == target.Host
	}
	label, ok := strings.CutSuffix(target.Host, suffix)
	return ok && label != "" && !strings.Contains(label, ".")
}

// String returns the form that ParseOrigin reads, without the usual port.
func (o Origin) String() string {
	if o == Public() {
		return everywhere
	}
	host := o.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.Scheme == "https" && o.Port == 443 || o.Scheme == "http" && o.Port == 80 {
		return o.Scheme + "://" + host
	}
	return o.Scheme + "://" + host + ":" + strconv.Itoa(int(o.Port))
}

// Origins is a set of origins in its one spelling: sorted, without repeats, one
// space between them. So two sets are compared with ==.
type Origins string

// OriginsOf returns the set of list.
func OriginsOf(list []Origin) Origins {
	texts := make([]string, len(list))
	for i, o := range list {
		texts[i] = o.String()
	}
	return originSet(texts)
}

func originSet(texts []string) Origins {
	slices.Sort(texts)
	return Origins(strings.Join(slices.Compact(texts), " "))
}

// List returns the origins of the set. An entry that cannot be read, which only
// a damaged record has, is left out: it grants nothing.
func (s Origins) List() []Origin {
	var list []Origin
	for text := range strings.FieldsSeq(string(s)) {
		o, err := ParseOrigin(text)
		if text == everywhere {
			o, err = Public(), nil
		}
		if err == nil {
			list = append(list, o)
		}
	}
	return list
}

// Union returns what is in s or in other.
func (s Origins) Union(other Origins) Origins {
	return originSet(append(strings.Fields(string(s)), strings.Fields(string(other))...))
}

// Without returns what is in s and not in other, sorted.
func (s Origins) Without(other Origins) []string {
	have := strings.Fields(string(other))
	return slices.DeleteFunc(strings.Fields(string(s)), func(text string) bool { return slices.Contains(have, text) })
}

// Both returns what is in s and in other.
func (s Origins) Both(other Origins) Origins {
	have := strings.Fields(string(other))
	return originSet(slices.DeleteFunc(strings.Fields(string(s)), func(text string) bool { return !slices.Contains(have, text) }))
}
