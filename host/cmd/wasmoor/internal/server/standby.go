package server

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// StandbyCommand returns `wasmoor standby`.
func (p *Commands) StandbyCommand() *cobra.Command {
	var from, identity string
	cmd := p.Does(&cobra.Command{
		Use:   "standby",
		Short: "Follow what a server ships, ready to take over",
		Long: `Standby fills an empty data folder with what a server ships to a place (ship_to), and
goes on to follow it. It answers /livez, and /readyz with 503, on the addresses that it
would serve.

"wasmoor standby promote" has it take over: it fetches what is there, claims the place,
so that the server before ends, and serves. From then on it ships there itself.`,
		Example: `  wasmoor standby --from s3://bucket/wasmoor --data /var/lib/wasmoor
  wasmoor standby status --data /var/lib/wasmoor
  wasmoor standby promote --data /var/lib/wasmoor`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		p.serves = true
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		if from = cmp.Or(from, settings.Host.ShipTo); from == "" {
			return cli.Usage("--from is missing: name the place that the server ships to")
		}
		settings.Host.ShipTo = from
		if identity, err = p.identity(cmd.Context(), identity); err != nil {
			return err
		}
		return p.serve(cmd.Context(), settings, cmd.Flags(), func(ctx context.Context, cfg host.Config) error {
			return host.Standby(ctx, cfg, from, identity, func(public, admin string) {
				p.Note("wasmoor %s follows %s as a standby\n  public  %s\n  admin   %s\n  token   %s", host.Version(), from, public, admin,
					cmp.Or(cfg.TokenFile, host.TokenFile(cfg.DataDir)))
				p.Note("  next    wasmoor standby promote --data %s", cfg.DataDir)
			})
		})
	})
	addSettings(cmd.Flags())
	cmd.Flags().StringVar(&from, "from", "", "where the server ships to (default ship_to)")
	cmd.Flags().StringVar(&identity, "identity", "", "file with the age identity, if what is shipped is encrypted")
	cmd.AddCommand(p.standbyStatusCommand(), p.standbyPromoteCommand())
	return cmd
}

func (p *Commands) standbyStatusCommand() *cobra.Command {
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:     "status",
		Short:   "Show how far a standby is behind",
		Example: `  wasmoor standby status --data /var/lib/wasmoor`,
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		dir, _ := cmd.Flags().GetString("data")
		st, err := host.AskStandby(cmd.Context(), dir)
		if err != nil {
			return err
		}
		return p.showStandby(st)
	}))
	dataFlag(cmd)
	return cmd
}

func dataFlag(cmd *cobra.Command) {
	cmd.Flags().String("data", host.DefaultConfig().DataDir, "data folder of the standby")
}

func (p *Commands) standbyPromoteCommand() *cobra.Command {
	var force bool
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "promote",
		Short: "Have a standby take over",
		Long: `Promote has the standby that runs on a data folder of this machine take over: it
fetches what was shipped, claims the place, and serves. While the server before still
ships it refuses; --force takes over even so. That server ends by itself as soon as it
finds the claim, at the latest after ship_every; what it commits until then, and had not
shipped, is lost.`,
		Example: `  wasmoor standby promote --data /var/lib/wasmoor`,
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		dir, _ := cmd.Flags().GetString("data")
		st, err := host.PromoteStandby(cmd.Context(), dir, force)
		if err != nil {
			return err
		}
		return p.showStandby(st)
	}))
	dataFlag(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "take over though the server before still ships")
	return cmd
}

func (p *Commands) showStandby(st host.StandbyStatus) error {
	if p.AsJSON {
		return p.JSON(st)
	}
	state := "follows"
	switch {
	case st.LastError != "":
		state = "does not get further: " + st.LastError
	case st.Promoted:
		state = "has taken over"
	case !st.Ready:
		state = "waits for a base"
	}
	rows := [][]string{{"state", state}, {"from", st.From}}
	if st.Ready {
		rows = append(rows,
			[]string{"revision", strconv.FormatUint(uint64(st.Revision), 10)},
			[]string{"committed", term.Date(st.Time)},
			[]string{"behind", st.Lag.Round(time.Millisecond).String()},
			[]string{"server", st.Primary + ", seen last " + term.Date(st.Seen)})
	}
	if st.Missing > 0 {
		p.Complain(missingBlobs(st.Missing))
	}
	return p.Table("", "", rows)
}
