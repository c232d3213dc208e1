package wire

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// The paths of the probes, reserved on both listeners.
const (
	PathLive  = "/livez"
	PathReady = "/readyz"
)

// Check is a part of the host that must work for requests to be served.
type Check struct {
	Name string
	// Healthy returns nil while it works. It is called by many goroutines at a
	// time and must answer at once. The message of an Unavailable is shown to
	// clients.
	Healthy func() error
	// Optional says that requests are served even when it fails; then only ?verbose
	// tells of it.
	Optional bool
}

// health answers the probes. /livez says that the process answers; /readyz that
// it should be sent requests. With ?verbose they list what was checked.
type health struct {
	checks []Check
	edge   *Edge
}

// BindHealth binds the probes. Without a route of their own they would be a
// plugin's.
func (e *Edge) BindHealth(checks []Check) {
	h := health{checks, e}
	e.App.Get(PathLive, h.live)
	e.App.Get(PathReady, h.ready)
}

func (h health) live(c *fiber.Ctx) error {
	return writeHealth(c, []probe{{name: "process", ok: true}})
}

func (h health) ready(c *fiber.Ctx) error {
	probes := []probe{{name: "accepting", ok: !h.edge.Draining()}}
	for _, check := range h.checks {
		err := check.Healthy()
		probes = append(probes, probe{check.Name, err == nil, check.Optional, reason(err)})
	}
	return writeHealth(c, probes)
}

// reason returns what a client may read of why a check failed.
func reason(err error) string {
	switch fault.CodeOf(err) {
	case fault.Unavailable:
		return fault.MessageOf(err)
	case fault.Exhausted:
		return "the disk is full"
	}
	return ""
}

type probe struct {
	name     string
	ok       bool
	optional bool
	reason   string
}

// line says it in one line.
func (p *probe) line() string {
	switch {
	case p.ok:
		return p.name + " ok\n"
	case p.reason == "":
		return p.name + " failed\n"
	}
	return p.name + " failed: " + p.reason + "\n"
}

func writeHealth(c *fiber.Ctx, probes []probe) error {
	status, summary := http.StatusOK, "ok\n"
	var lines strings.Builder
	for _, p := range probes {
		if !p.ok && !p.optional {
			status, summary = http.StatusServiceUnavailable, "not ready\n"
			if p.reason != "" {
				summary = "not ready: " + p.reason + "\n"
			}
		}
		lines.WriteString(p.line())
	}
	if c.Context().QueryArgs().Has("verbose") {
		summary = lines.String() + summary
	}
	c.Set("Cache-Control", "no-store")
	return c.Status(status).SendString(summary)
}
