package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/logline"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// followed is how many of the lines that are kept a follower shows first, unless it
// is told how many.
const followed = 10

// LogsCommand returns `wasmoor logs`.
func (p *Commands) LogsCommand() *cobra.Command {
	var l logs
	cmd := p.asks(p.Reads(p.Does(&cobra.Command{
		Use:   "logs [NAME]",
		Short: "Show what a plugin, or all of them, have logged, and follow it",
		Long: `Shows a plugin's log, the newest line last: what its handlers log and write to
their standard output and error, and what the host says about the plugin, such as
why a request failed. The server keeps the newest 1 MiB, over restarts. Where lines
were dropped, a line says how many. With --follow the command goes on until Ctrl-C,
and waits for a server that restarts. Without NAME it shows the logs of all plugins
by time, each line with its plugin.`,
		Example: `  wasmoor logs shop -f
  wasmoor logs shop --level warn --since 10m
  wasmoor logs --level error --since 1h
  wasmoor logs shop --request 01KB4ZJ8T2V9N0Q6M3X5C7R1WD`,
		Args:              cli.MayTake("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if err := l.complete(cmd, cli.Argument(args, ""), time.Now()); err != nil {
			return err
		}
		if len(args) == 0 {
			return p.allLogs(cmd.Context(), &l)
		}
		if l.follow {
			return p.followLogs(cmd.Context(), l.query)
		}
		p.answerTime = p.readTime
		return p.showLogs(cmd.Context(), l.query)
	})))
	flags := cmd.Flags()
	flags.BoolVarP(&l.follow, "follow", "f", false, "go on with new lines")
	flags.StringVar(&l.query.Level, "level", "", "only lines of this level or above: debug, info, warn or error")
	flags.StringVar(&l.query.Request, "request", "", "only lines of the request with this id, the X-Request-Id of its answer")
	flags.StringVar(&l.since, "since", "", "only lines since this time: RFC 3339, or how long ago, e.g. 10m")
	flags.StringVar(&l.until, "until", "", "only lines until this time, written as for --since")
	flags.IntVar(&l.query.Version, "version", 0, "only lines of this version")
	flags.IntVarP(&l.query.Tail, "tail", "n", 0, "how many lines at most, the last ones (default all, or 10 with --follow)")
	return cmd
}

// logs is what one run of `wasmoor logs` was asked for.
type logs struct {
	query        adminapi.LogsQuery
	since, until string
	follow       bool
}

// complete reads the flags that are not simply a part of the query.
func (l *logs) complete(cmd *cobra.Command, name string, now time.Time) (err error) {
	l.query.Name = name
	switch l.query.Level {
	case "", "debug", "info", "warn", "error":
	default:
		return cli.Usage("--level %q is unknown; use debug, info, warn or error", l.query.Level)
	}
	if l.query.Tail < 0 || l.query.Version < 0 {
		return cli.Usage("--tail and --version must be above 0")
	}
	if l.query.Since, err = moment("--since", l.since, now); err != nil {
		return err
	}
	if l.query.Until, err = moment("--until", l.until, now); err != nil {
		return err
	}
	if l.follow && l.since == "" && !cmd.Flags().Changed("tail") {
		l.query.Tail = followed
	}
	if n := cmd.Flags().Lookup("tail"); n.Changed && l.query.Tail == 0 {
		return cli.Usage("--tail must be above 0; without it all lines are shown")
	}
	return nil
}

// moment returns the time that a flag names, as the API takes it; "" without one.
func moment(flag, text string, now time.Time) (string, error) {
	if text == "" {
		return "", nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if ago, notAgo := time.ParseDuration(text); notAgo == nil && ago >= 0 {
		at, err = now.Add(-ago), nil
	}
	if err != nil {
		return "", cli.Usage("%s %q is neither a time like 2026-11-29T05:00:00Z nor how long ago, like 10m or 1h30m", flag, text)
	}
	return at.UTC().Format(time.RFC3339Nano), nil
}

// allLogs is the command without a name.
func (p *Commands) allLogs(ctx context.Context, l *logs) error {
	if l.query.Version > 0 {
		return cli.Usage("--version selects lines of one plugin; name it")
	}
	if l.follow {
		return p.followAllLogs(ctx, l.query)
	}
	p.answerTime = p.readTime
	return p.showAllLogs(ctx, l.query)
}

func (p *Commands) showLogs(ctx context.Context, q adminapi.LogsQuery) error {
	return p.about(ctx, q.Name, func(c *client.Client) error {
		page, err := c.Logs(ctx, q)
		if err != nil {
			return err
		}
		for _, line := range page.Lines {
			if err := p.showLine("", line); err != nil {
				return err
			}
		}
		switch {
		case page.Oldest == nil:
			p.Note("plugin %q has logged nothing yet", q.Name)
		case len(page.Lines) == 0:
			p.Note("no line of plugin %q is like that; those that are kept begin at %s", q.Name, term.Date(*page.Oldest))
		}
		return nil
	})
}

// followLogs shows lines until the person has seen enough. A server that was there
// once is waited for.
func (p *Commands) followLogs(ctx context.Context, q adminapi.LogsQuery) error {
	err := p.about(ctx, q.Name, func(c *client.Client) error {
		f := follower{p: p, client: c, query: q}
		return f.run(ctx)
	})
	if ctx.Err() != nil && p.Unwritten() == nil {
		return nil // that is how it ends
	}
	return err
}

// follower is one run of `wasmoor logs --follow`.
type follower struct {
	p      *Commands
	client *client.Client
	query  adminapi.LogsQuery
	met    bool // the server has answered
	lost   bool // it is gone, and the person knows
}

// pause is the time between attempts to reach a server that is gone. One that stops
// takes requests for a little less.
const pause = time.Second

func (f *follower) run(ctx context.Context) error {
	for {
		// Whether there is such a plugin is known before anything is waited for.
		page, err := f.client.Logs(ctx, adminapi.LogsQuery{PluginRef: f.query.PluginRef, Tail: 1})
		if err == nil {
			f.found(page.Oldest != nil)
			err = f.client.FollowLogs(ctx, f.query, f.take)
		}
		if ctx.Err() != nil || !f.met || fault.CodeOf(err) != fault.Unavailable {
			return err
		}
		f.missing()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *follower) found(lines bool) {
	switch {
	case f.lost:
		f.p.Note("the server is back")
	case !f.met && !lines:
		f.p.Note("plugin %q has logged nothing yet; waiting for it", f.query.Name)
	}
	f.met, f.lost = true, false
}

func (f *follower) missing() {
	if !f.lost {
		f.p.Note("the server is gone; waiting for it")
	}
	f.lost = true
}

// take shows a line, after which the next attempt goes on.
func (f *follower) take(line adminapi.LogLine) error {
	if err := f.p.showLine("", line); err != nil {
		return err
	}
	f.query.After, f.query.Tail = line.Cursor, 0
	return f.p.Unwritten()
}

// showLine writes a line of a log: as JSON on a line, or for a person. A log of several
// plugins names the one.
func (p *Commands) showLine(plugin string, line adminapi.LogLine) error {
	if !p.AsJSON {
		_, err := fmt.Fprintln(p.Stdout, logline.Text(p.Terminal, plugin, &line, term.IsTerminal(p.Stdout)))
		return err
	}
	if plugin != "" {
		return p.JSONLine(ofPlugin{plugin, line})
	}
	return p.JSONLine(line)
}
