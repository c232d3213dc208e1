package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// shownPlugin is a plugin as --json shows it.
type shownPlugin struct {
	adminapi.Plugin
	Waiting  []adminapi.Version `json:"waiting"`  // versions that wait
	Rejected []adminapi.Version `json:"rejected"` // and those that were rejected
}

// ShowCommand returns `wasmoor show`.
func (p *Commands) ShowCommand() *cobra.Command {
	return p.asks(p.quick(p.Reads(p.Does(&cobra.Command{
		Use:               "show NAME",
		Short:             "Show a plugin: its state, its instances, and versions that wait",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.show(cmd.Context(), args[0])
	}))))
}

func (p *Commands) show(ctx context.Context, name string) error {
	return p.about(ctx, name, func(c *client.Client) error {
		it, err := c.Plugin(ctx, name)
		if err != nil {
			return err
		}
		versions, err := c.Versions(ctx, name)
		if err != nil {
			return err
		}
		idle := slices.DeleteFunc(versions, func(v adminapi.Version) bool { return len(v.Waiting) == 0 && v.Rejected == nil })
		if p.AsJSON {
			shown := shownPlugin{Plugin: it, Waiting: []adminapi.Version{}, Rejected: []adminapi.Version{}}
			for _, v := range idle {
				if v.Rejected != nil {
					shown.Rejected = append(shown.Rejected, v)
				} else {
					shown.Waiting = append(shown.Waiting, v)
				}
			}
			return p.JSON(shown)
		}
		if err := p.showPlugin(it); err != nil {
			return err
		}
		for _, v := range idle {
			p.noteWaiting(v)
		}
		return nil
	})
}

func (p *Commands) showPlugin(it adminapi.Plugin) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"name", it.Name},
		{"state", it.Condition()},
		{"error", it.Error},
		{"version", versionName(it.Version)},
		{"roll-out", it.Rollout},
		{"label", it.Label},
		{"digest", it.Digest},
		{"mount", strings.Join(it.Mount, " ")},
		{"routes", term.Joined(it.Routes, "the whole mount")},
		{"private", term.Joined(it.Private, "")},
		{"encoded slashes", term.Joined(it.Slashes, "")},
		{"calls", term.Joined(it.Calls, "")},
		{"requests", fmt.Sprintf("%d since the start, %d failed, %d conflicts", it.Requests, it.Failures, it.Conflicts)},
		{"time", fmt.Sprintf("%v in handlers, %v waiting for their turn", duration(it.Run), duration(it.Wait))},
		{"instances", instances(it)},
		{"clean by", cleanBy(it)},
		{"data", fmt.Sprintf("%d keys, %s", it.Usage.Keys, term.Size(it.Usage.Bytes))},
	} {
		if row[1] == "" && (row[0] == "error" || row[0] == "private" || row[0] == "encoded slashes" || row[0] == "calls" || row[0] == "roll-out") {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\n", row[0], term.Printable(row[1]))
	}
	return w.Flush()
}

func duration(millis float64) time.Duration {
	return time.Duration(millis * float64(time.Millisecond)).Round(time.Millisecond)
}

// instances says what a plugin has of them, "" if none.
func instances(it adminapi.Plugin) string {
	switch {
	case it.Idle+it.Busy == 0:
		return ""
	case it.Busy == 0:
		return fmt.Sprintf("%d idle", it.Idle)
	}
	return fmt.Sprintf("%d idle, %d busy", it.Idle, it.Busy)
}

// making says how long the last new instance took, "" if none was made.
func making(it adminapi.Plugin) string {
	if it.Making == 0 {
		return ""
	}
	return ", the last of which took " + term.Millis(time.Duration(it.Making*float64(time.Millisecond))) + " to make where a reset takes microseconds"
}

// cleanBy says how each request comes to clean memory, "" where nothing has
// been loaded that could say it.
func cleanBy(it adminapi.Plugin) string {
	switch {
	case it.Stateful:
		return "nothing: memory is kept from one request to the next"
	case it.Fresh != "":
		return "a new instance for each request" + making(it) + ": " + it.Fresh
	case it.State == adminapi.StateServing:
		return "reset"
	}
	return ""
}
