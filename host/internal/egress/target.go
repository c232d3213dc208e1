package egress

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// target is a URL that may be asked for, in its one spelling.
type target struct {
	url    *url.URL
	origin plugin.Origin
}

// parseTarget reads a URL. What different programs read differently is refused,
// not repaired. why says for a person what is wrong.
func parseTarget(raw string) (t target, why string) {
	if len(raw) > limit.RequestURL {
		return t, "the URL is too long"
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return t, "the URL has a space, a control, a backslash or a character beyond ASCII; write it as a percent escape"
		}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return t, "the URL cannot be read"
	case u.Scheme != "http" && u.Scheme != "https":
		return t, fmt.Sprintf("the scheme %.20q is not http or https", u.Scheme)
	case u.Opaque != "" || u.Host == "":
		return t, "the URL has no host"
	case u.User != nil:
		return t, "the URL has user information; send an authorization header"
	case strings.Contains(authority(raw), "%"):
		return t, "the host of the URL has a percent escape or a zone"
	}
	host, port, why := plugin.SplitHost(u.Scheme, u.Host)
	if why != "" {
		return t, why
	}
	if host, why = plugin.CheckHost(host); why != "" {
		return t, why
	}
	t.origin = plugin.Origin{Scheme: u.Scheme, Host: host, Port: port}
	u.Host = strings.TrimPrefix(t.origin.String(), u.Scheme+"://")
	u.Fragment, u.RawFragment = "", ""
	t.url = u
	return t, ""
}

// authority is what stands between scheme:// and the path, before anything is
// decoded.
func authority(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// String returns the host and the port, for messages.
func (t target) String() string { return t.origin.Host + ":" + strconv.Itoa(int(t.origin.Port)) }

// isHost reports whether a field host says what the target does.
func (t target) isHost(value string) bool {
	return strings.EqualFold(value, t.url.Host) || strings.EqualFold(value, t.String())
}

// knownFlags are the flags of a call this host knows.
const knownFlags = abi.HTTPNoRedirect | abi.HTTPNoCache

// checkRequest judges the flags and the method of a call, and how many fields it
// has.
func checkRequest(method string, r *abi.HTTPRequest) (why string) {
	switch {
	case r.Flags&^knownFlags != 0:
		return "a flag is unknown to this host"
	case !field.IsToken(method):
		return "the method is not a token"
	case strings.EqualFold(method, "CONNECT") || strings.EqualFold(method, "TRACE"):
		return "the methods CONNECT and TRACE are not offered"
	case len(r.Headers) > limit.Headers:
		return fmt.Sprintf("there are more than %d header fields", limit.Headers)
	}
	return ""
}
