package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// shownOutcome is an outcome as --json shows it.
type shownOutcome struct {
	client.Outcome
	URLs []string `json:"urls"` // where it answers; empty while it waits
}

// showOutcome writes what came of a change: the URLs that answer as data,
// everything else beside it. The error is the exit code of a deployment that
// waits; wanted says whether the user asked for an activation at all.
func (p *program) showOutcome(ctx context.Context, c *client.Client, o client.Outcome, wanted bool) error {
	var urls []string
	if o.Activated {
		server, err := c.Status(ctx)
		if err != nil {
			return err
		}
		urls = routeURLs(server.Public.URL, o.Mount, o.Routes)
	}
	if p.asJSON {
		if err := p.json(shownOutcome{o, list(urls)}); err != nil {
			return err
		}
	} else {
		p.tellOutcome(o, urls)
	}
	if wanted && !o.Activated {
		return ended{exitWaiting}
	}
	return nil
}

func (p *program) tellOutcome(o client.Outcome, urls []string) {
	for _, s := range o.Steps {
		p.step(s.Name, time.Duration(s.Millis*float64(time.Millisecond)), s.Detail)
	}
	p.notices(o.Notices)
	what := fmt.Sprintf("%s version %d (%s)", o.Plugin, o.Version, plugin.Digest(o.Digest).Short())
	if !o.Activated {
		p.note("%s %s is stored and does not serve yet:", p.paint(p.stderr, yellow, "waiting"), what)
		for _, reason := range o.Waiting {
			p.note("  %s", strings.ReplaceAll(reason, "\n", "\n  "))
		}
		return
	}
	p.note("%s %s serves at", p.paint(p.stderr, green, "ok"), what)
	for _, u := range urls {
		fmt.Fprintln(p.stdout, u)
	}
}

// notices tells what is right and yet worth knowing.
func (p *program) notices(list []string) {
	for _, text := range list {
		p.note("%s %s", p.paint(p.stderr, yellow, "notice"), text)
	}
}

// step tells one step of a change and the time it took.
func (p *program) step(name string, took time.Duration, detail string) {
	if detail != "" {
		detail = "  " + p.paint(p.stderr, grey, detail)
	}
	p.note("  %-10s %9s%s", name, millis(took), detail)
}

// routeURLs returns where a plugin answers: one URL for each route, without the
// method, or that of the mount. Wildcards stay as they are written.
func routeURLs(public, mount string, routes []string) []string {
	base := mountURL(public, plugin.Mount(mount))
	if len(routes) == 0 {
		return []string{base + "/"}
	}
	var urls []string
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
	if mount.Host() != "" {
		u.Host = mount.Host()
		if port := parsedPort(public); port != "" {
			u.Host = net.JoinHostPort(mount.Host(), port)
		}
	}
	return strings.TrimSuffix(u.String(), "/") + mount.Prefix()
}

func parsedPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Port()
}
