package govern

import (
	"cmp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// AuditCommand returns `wasmoor audit` and what is below it.
func (p *Commands) AuditCommand() *cobra.Command {
	var of, since string
	cmd := p.Asks(p.Quick(p.Reads(p.Does(&cobra.Command{
		Use:   "audit",
		Short: "List who changed what, the oldest first; verify and export it",
		Long: `Audit lists who changed what. The events form a chain: each has the hash of the
one before it, so that verify finds one that was changed, removed, added or moved.`,
		Example: `  wasmoor audit --since 24h --plugin shop
  wasmoor audit export > audit.jsonl
  wasmoor audit verify audit.jsonl`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		if of != "" {
			if err := plugin.CheckName(of); err != nil {
				return cli.Usage("--plugin: %s", fault.MessageOf(err))
			}
		}
		from, err := remote.Moment("--since", since, time.Now())
		if err != nil {
			return err
		}
		return p.listEvents(cmd, of, from)
	}))))
	cmd.Flags().StringVar(&of, "plugin", "", "only events of this plugin")
	cmd.Flags().StringVar(&since, "since", "", "only events since this time: RFC 3339, or how long ago, e.g. 24h")
	cmd.AddCommand(p.verifyCommand(), p.exportCommand())
	return cmd
}

func (p *Commands) listEvents(cmd *cobra.Command, of, since string) error {
	return p.Talk(func(c *client.Client) error {
		events, err := c.Audit(cmd.Context(), of, since)
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, term.List(events))
		}
		var rows [][]string
		for _, e := range events {
			rows = append(rows, []string{term.Date(e.Time), who(e), e.Action, e.Plugin, remote.VersionName(e.Version), told(e)})
		}
		empty := "nothing was changed yet"
		if cmp.Or(of, since) != "" {
			empty = "nothing that is asked for was changed"
		}
		return p.Table(empty, "TIME WHO ACTION PLUGIN VERSION DETAIL", rows)
	})
}

// told says what an event did: its detail, and what was before and is after it.
func told(e adminapi.Event) string {
	var parts []string
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	for _, d := range e.Changes {
		parts = append(parts, plugin.Difference(d).String())
	}
	return strings.Join(parts, "; ")
}

// who names who did something, with the address they did it from where that is not
// the machine itself.
func who(e adminapi.Event) string {
	if e.Address == "" || e.Address == "127.0.0.1" || e.Address == "::1" {
		return e.By
	}
	return e.By + "@" + e.Address
}
