package remote

import (
	"context"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// shownActivation is what a change did, as --json shows it.
type shownActivation struct {
	adminapi.Changed
	URLs []string `json:"urls"` // where it answers; empty while it waits
}

// showActivation writes what came of a change: the URLs that answer as data,
// everything else as messages. The error is the exit code of a deployment that
// waits; wanted says whether the user asked for an activation at all.
func (p *Commands) showActivation(ctx context.Context, c *client.Client, o adminapi.Changed, wanted bool) error {
	var urls []string
	if o.Activated {
		server, err := c.Status(ctx)
		if err != nil {
			return err
		}
		urls = term.RouteURLs(server.Public.URL, o.Mount, o.Routes, o.Private)
	}
	if p.AsJSON {
		if err := p.JSON(shownActivation{o, term.List(urls)}); err != nil {
			return err
		}
	} else {
		p.tellActivation(o, urls)
	}
	if wanted && !o.Activated {
		return cli.Ended(cli.ExitWaiting)
	}
	return nil
}

func (p *Commands) tellActivation(o adminapi.Changed, urls []string) {
	for _, s := range o.Steps {
		p.Step(s.Name, s.Took(), s.Detail)
	}
	p.Notices(o.Notices)
	p.noteAsks(o)
	what := fmt.Sprintf("%s version %d (%s)", o.Plugin, o.Version, plugin.Digest(o.Digest).Short())
	if !o.Activated {
		p.Note("%s %s is stored and does not serve yet:", p.Paint(p.Stderr, term.Yellow, "waiting"), what)
		for _, reason := range o.Waiting {
			p.Note("  %s", strings.ReplaceAll(reason, "\n", "\n  "))
		}
		return
	}
	if len(urls) == 0 {
		p.Note("%s %s serves; clients reach none of its routes", p.Paint(p.Stderr, term.Green, "ok"), what)
		return
	}
	p.Note("%s %s serves at", p.Paint(p.Stderr, term.Green, "ok"), what)
	for _, u := range urls {
		fmt.Fprintln(p.Stdout, u)
	}
}

// noteAsks tells what a version was granted, and what its plugin gave back or would.
func (p *Commands) noteAsks(o adminapi.Changed) {
	for _, ask := range o.Asks {
		switch what := term.Printable(ask.What + ask.Because()); {
		case ask.Less && o.Activated:
			p.Note("%s %s", p.Paint(p.Stderr, term.Yellow, "given back -"), what)
		case ask.Less:
			p.Note("%s %s", p.Paint(p.Stderr, term.Yellow, "would give back -"), what)
		case o.Activated:
			p.Note("%s %s", p.Paint(p.Stderr, term.Green, "granted +"), what)
		}
	}
}
