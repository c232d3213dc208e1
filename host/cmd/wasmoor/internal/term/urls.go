package term

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// RouteURLs returns where a plugin answers clients, at each of its mounts: one URL for each
// route that is not private, without the method, or without routes that of the mount.
// Wildcards stay as they are written.
func RouteURLs(public string, mounts, routes, private []string) (urls []string) {
	if len(private) > 0 {
		if routes = Open(routes, private); len(routes) == 0 {
			return nil
		}
	}
	for _, mount := range mounts {
		urls = append(urls, urlsAt(mountURL(public, plugin.Mount(mount)), routes)...)
	}
	return urls
}

// Open returns the routes that are not private.
func Open(routes, private []string) []string {
	return slices.DeleteFunc(slices.Clone(routes), func(r string) bool { return slices.Contains(private, r) })
}

func urlsAt(base string, routes []string) (urls []string) {
	if len(routes) == 0 {
		return []string{base + "/"}
	}
	seen := map[string]bool{}
	for _, route := range routes {
		method, path, found := strings.Cut(route, " ")
		if !found {
			path = method
		}
		u := base + strings.TrimSuffix(strings.TrimSpace(path), "{$}")
		if !seen[u] {
			seen[u] = true
			urls = append(urls, u)
		}
	}
	return urls
}

// mountURL returns the URL of a mount without a trailing slash. A mount with a
// host of its own keeps the listener's port, unless a proxy stands before it.
func mountURL(public string, mount plugin.Mount) string {
	u, err := url.Parse(public)
	if err != nil {
		return public + mount.Prefix()
	}
	if host, port := mount.Host(), u.Port(); host != "" && port != "" {
		u.Host = net.JoinHostPort(host, port)
	} else if host != "" {
		u.Host = host
	}
	return strings.TrimSuffix(u.String(), "/") + mount.Prefix()
}
