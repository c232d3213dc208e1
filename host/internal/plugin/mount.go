package plugin

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Mount is where a plugin's routes hang: "[host]/prefix", without a trailing
// slash except for a whole host ("example.org/") or everything ("/").
type Mount string

// MaxMount bounds a mount, in bytes: every request is compared with it.
const MaxMount = 512

// DefaultMount is the mount of a plugin deployed without one: "/NAME".
func DefaultMount(name string) Mounts { return Mounts("/" + name) }

var (
	hostForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)
)

// reserved reports whether the host itself answers a path, at every host.
func reserved(path string) bool { return path == "/livez" || path == "/readyz" }

// ParseMount reads a mount as a person writes it. Errors are Invalid.
func ParseMount(s string) (Mount, error) {
	host, rest, found := strings.Cut(s, "/")
	prefix := strings.TrimSuffix("/"+rest, "/")
	switch {
	case !found:
		return "", badMount(s, "it has no /")
	case len(s) > MaxMount:
		return "", badMount(s[:MaxMount]+"...", fmt.Sprintf("it is longer than %d bytes", MaxMount))
	case host != "" && !hostForm.MatchString(host):
		return "", badMount(s, "the host must be a name in lower case, without a port")
	case !prefixForm.MatchString(prefix):
		return "", badMount(s, "path segments may hold letters, digits and . _ ~ -")
	case strings.Contains(prefix+"/", "/./") || strings.Contains(prefix+"/", "/../"):
		return "", badMount(s, "dot segments are not allowed")
	case reserved(prefix):
		return "", badMount(s, fmt.Sprintf("%s is reserved for the host's health checks, so choose another with --mount", prefix))
	case prefix == "":
		return Mount(host + "/"), nil
	}
	return Mount(host + prefix), nil
}

func badMount(s, why string) error {
	return fault.New(fault.Invalid, "", fmt.Sprintf(
		"mount %q is not allowed: %s; write [host]/prefix, e.g. /shop or example.org/shop", s, why))
}

// ownMount reports whether a mount is /NAME of a plugin or below it, which it has
// without asking.
func ownMount(name string, m Mount) bool {
	own := string(DefaultMount(name))
	return string(m) == own || strings.HasPrefix(string(m), own+"/")
}

// Host returns the host of the mount; "" = every host.
func (m Mount) Host() string {
	host, _, _ := strings.Cut(string(m), "/")
	return host
}

// Prefix returns the path prefix without a trailing slash; "" = the root.
func (m Mount) Prefix() string {
	return strings.TrimSuffix(string(m)[len(m.Host()):], "/")
}
