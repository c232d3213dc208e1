package main

import (
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/client"
)

func (p *program) auditCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:   "audit",
		Short: "List who changed what, the oldest first",
		Args:  takes(),
	}, p.listEvents))
}

func (p *program) listEvents(cmd *cobra.Command, _ []string) error {
	return p.talk(func(c *client.Client) error {
		events, err := c.Audit(cmd.Context())
		if err != nil || p.asJSON {
			return p.jsonUnless(err, list(events))
		}
		var rows [][]string
		for _, e := range events {
			rows = append(rows, []string{date(e.Time), e.By, string(e.Action), e.Plugin, versionName(e.Version), e.Detail})
		}
		return p.table("nothing was changed yet", "TIME WHO ACTION PLUGIN VERSION DETAIL", rows)
	})
}
