package server

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/examine"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// DoctorCommand returns `wasmoor doctor`.
func (p *Commands) DoctorCommand() *cobra.Command {
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with this machine, the settings and the data, and how to mend it",
		Long: `Doctor looks at the machine, at the settings as serve would read them, at the data
folder, and at the server that runs on it, if one does. It changes nothing. It ends
with exit code 1 when something fails; warnings are no failure.`,
		Example: `  wasmoor doctor
  wasmoor doctor --config production.toml --json`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		s, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		findings := append(examine.All(s.Host), p.examineServer(cmd.Context(), s.Host)...)
		failed := 0
		for _, f := range findings {
			if f.State == examine.Fail {
				failed++
			}
		}
		if err := p.showFindings(findings); err != nil || failed == 0 {
			return err
		}
		return fault.New(fault.Invalid, "", fmt.Sprintf("%d of %d checks failed", failed, len(findings)))
	}))
	addSettings(cmd.Flags())
	return cmd
}

func (p *Commands) showFindings(findings []examine.Finding) error {
	if p.AsJSON {
		return p.JSON(findings)
	}
	colours := map[string]string{examine.OK: term.Green, examine.Warn: term.Yellow, examine.Fail: term.Red}
	rows := make([][]string, len(findings))
	for i, f := range findings {
		rows[i] = []string{p.Paint(p.Stdout, colours[f.State], f.State), f.About, f.What, f.Mend}
	}
	return p.Table("", "STATE ABOUT FOUND MEND", rows)
}

// examineServer asks the server that the settings, or the environment, name.
func (p *Commands) examineServer(ctx context.Context, cfg host.Config) []examine.Finding {
	const about = "server"
	p.remote.OwnServer(cfg)
	var status adminapi.Status
	var plugins []adminapi.Plugin
	err := p.remote.Talk(func(c *client.Client) (err error) {
		if status, err = c.Status(ctx); err == nil {
			plugins, err = c.Plugins(ctx)
		}
		return err
	})
	if err != nil {
		return []examine.Finding{{About: about, State: examine.OK, What: "none answers at " + p.remote.Server() + ", or it does not take the token"}}
	}
	found := []examine.Finding{{About: about, State: examine.OK, What: status.Version + " answers at " + p.remote.Server()}}
	if !status.Store.Healthy {
		found = append(found, examine.Finding{About: "store", State: examine.Fail, What: "it does not read or write", Mend: "see the server's log, and /readyz?verbose"})
	}
	if sh := status.Shipping; sh != nil && (sh.Late || sh.Error != "") {
		found = append(found, examine.Finding{
			About: "shipping", State: examine.Fail,
			What: fmt.Sprintf("commits of the last %d s are not shipped to %s: %s", sh.LagMillis/1000, sh.Place, sh.Error), Mend: "see the chapter Lose the machine in OPERATING.md",
		})
	}
	for _, it := range plugins {
		if it.State == adminapi.StateFailed {
			found = append(found, examine.Finding{About: it.Name, State: examine.Fail, What: it.Error, Mend: "wasmoor activate another version, or deploy one"})
		}
	}
	return found
}
