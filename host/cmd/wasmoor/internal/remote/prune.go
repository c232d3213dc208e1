package remote

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// PruneCommand returns `wasmoor prune`.
func (p *Commands) PruneCommand() *cobra.Command {
	var in adminapi.Prune
	var yes bool
	var age time.Duration
	cmd := p.asks(p.Reads(p.Does(&cobra.Command{
		Use:   "prune [NAME]",
		Short: "Remove old versions, deployments and events; without --yes it only counts them",
		Long: `Prune keeps so many of the newest versions and deployments of each plugin, or of
NAME, and of the newest events of the audit, and removes the rest. The version that
serves stays, the one before it, those of a roll-out, and those that ` + "`wasmoor pin`" + `
names. A server also does so by itself, by its settings keep_versions,
keep_versions_age, keep_deployments and keep_events.`,
		Example: `  wasmoor prune --versions 10 --deployments 100 --events 10000
  wasmoor prune shop --versions 2 --yes`,
		Args:              cli.MayTake("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			in.Plugin = args[0]
		}
		if in.VersionsAge = int64(age / time.Second); age < 0 || age > 0 && in.VersionsAge == 0 {
			return cli.Usage("--versions-age must be at least a second, not %v", age)
		}
		if err := checkPrune(cmd, in); err != nil {
			return err
		}
		in.DryRun = !yes
		return p.prune(cmd, in)
	})))
	flags := cmd.Flags()
	flags.IntVar(&in.Versions, "versions", 0, "keep so many versions of a plugin")
	flags.DurationVar(&age, "versions-age", 0, "and none older than this, such as 720h")
	flags.IntVar(&in.Deployments, "deployments", 0, "keep so many deployments of a plugin")
	flags.IntVar(&in.Events, "events", 0, "keep so many events of the audit")
	flags.BoolVarP(&yes, "yes", "y", false, "remove them, for good")
	return cmd
}

func checkPrune(cmd *cobra.Command, in adminapi.Prune) error {
	for name, n := range map[string]int{"versions": in.Versions, "deployments": in.Deployments, "events": in.Events} {
		if n < 0 || n == 0 && cmd.Flags().Changed(name) {
			return cli.Usage("--%s must be above zero, not %d: it says how many to keep", name, n)
		}
	}
	switch {
	case in.Versions == 0 && in.VersionsAge == 0 && in.Deployments == 0 && in.Events == 0:
		return cli.Usage("nothing to remove is named; add --versions, --deployments or --events with how many to keep, or --versions-age")
	case in.Plugin != "" && in.Events > 0:
		return cli.Usage("the audit is that of all plugins; leave NAME out to remove events")
	}
	return nil
}

func (p *Commands) prune(cmd *cobra.Command, in adminapi.Prune) error {
	act := func(c *client.Client) error {
		pruned, err := c.Prune(cmd.Context(), in)
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, pruned)
		}
		if err := p.Table("", "WHAT REMOVED", [][]string{
			{"versions", fmt.Sprint(pruned.Versions)}, {"deployments", fmt.Sprint(pruned.Deployments)}, {"events", fmt.Sprint(pruned.Events)},
		}); err != nil {
			return err
		}
		if in.DryRun && pruned != (adminapi.Pruned{}) {
			p.Note("nothing was removed yet; add --yes to remove them for good")
		}
		return nil
	}
	if in.Plugin == "" {
		return p.Talk(act)
	}
	return p.about(cmd.Context(), in.Plugin, act)
}
