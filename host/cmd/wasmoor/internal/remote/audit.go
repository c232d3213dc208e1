package remote

import (
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// AuditCommand returns `wasmoor audit`.
func (p *Commands) AuditCommand() *cobra.Command {
	return p.asks(p.quick(p.Reads(p.Does(&cobra.Command{
		Use:   "audit",
		Short: "List who changed what, the oldest first",
		Args:  cli.Takes(),
	}, p.listEvents))))
}

func (p *Commands) listEvents(cmd *cobra.Command, _ []string) error {
	return p.Talk(func(c *client.Client) error {
		events, err := c.Audit(cmd.Context())
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, term.List(events))
		}
		var rows [][]string
		for _, e := range events {
			rows = append(rows, []string{term.Date(e.Time), e.By, e.Action, e.Plugin, versionName(e.Version), e.Detail})
		}
		return p.Table("nothing was changed yet", "TIME WHO ACTION PLUGIN VERSION DETAIL", rows)
	})
}
