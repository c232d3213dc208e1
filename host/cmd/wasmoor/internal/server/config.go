package server

import (
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// ConfigCommand returns `wasmoor config`.
func (p *Commands) ConfigCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "config",
		Short: "Check, show and reload the settings of a server",
	})
	cmd.AddCommand(p.configCheckCommand(), p.configShowCommand(), p.configReloadCommand())
	return cmd
}

func (p *Commands) configCheckCommand() *cobra.Command {
	cmd := p.Does(&cobra.Command{
		Use:   "check",
		Short: "Say whether serve would take the settings and the data folder",
		Long: `Check reads the flags, the environment and the config file as serve does, and starts
nothing. It also looks at the certificate and at the formats of the data folder.`,
		Example: "  wasmoor config check --config production.toml",
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		s, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		if _, err := p.logging(&s); err != nil {
			return err
		}
		if err := host.Check(s.Host); err != nil {
			return err
		}
		p.Note("ok: serve would take these settings")
		return nil
	})
	addSettings(cmd.Flags())
	return cmd
}

func (p *Commands) configShowCommand() *cobra.Command {
	var effective bool
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "show",
		Short: "Show every setting, and where it was set",
		Long: `Show lists what serve would run with: from the flags given here, the environment and
the config file. With --effective it asks the server that runs what it runs with,
which differs where a setting has changed since and needs a restart.`,
		Example: `  wasmoor config show --config production.toml
  wasmoor config show --effective`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) (err error) {
		var list []adminapi.Setting
		if effective {
			err = p.remote.Talk(func(c *client.Client) (err error) {
				list, err = c.Settings(cmd.Context())
				return err
			})
		} else {
			var s settings
			s, err = p.settings(cmd.Flags())
			list = s.list()
		}
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, list)
		}
		rows := make([][]string, len(list))
		for i, it := range list {
			rows[i] = []string{it.Key, it.Value, it.Source}
		}
		return p.Table("", "KEY VALUE SOURCE", rows)
	}))
	addSettings(cmd.Flags())
	cmd.Flags().BoolVar(&effective, "effective", false, "ask the server that runs")
	p.remote.Flags(cmd.Flags())
	return cmd
}

func (p *Commands) configReloadCommand() *cobra.Command {
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "reload",
		Short: "Have the server read its settings again",
		Long: `Reload has the server read its config file again, as SIGHUP does. What can change
while it serves holds at once. For the rest the answer says that a restart is needed:
SIGUSR2 makes one without a lost request. Wrong settings change nothing.`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.remote.Talk(func(c *client.Client) error {
			changes, err := c.ReloadSettings(cmd.Context())
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, changes)
			}
			rows := make([][]string, len(changes))
			restart := false
			for i, it := range changes {
				rows[i] = []string{it.Key, it.From, it.To, "now"}
				if !it.Live {
					rows[i][3], restart = "after a restart", true
				}
			}
			if err := p.Table("nothing has changed", "KEY FROM TO HOLDS", rows); err != nil || !restart {
				return err
			}
			p.Note("restart the server for the rest, without a lost request: kill -USR2 PID, or systemctl reload wasmoor")
			return nil
		})
	}))
	p.remote.Flags(cmd.Flags())
	return cmd
}
