package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
)

func (p *program) serveCommand() *cobra.Command {
	cmd := p.does(&cobra.Command{
		Use:   "serve",
		Short: "Serve plugins",
		Long: `Serve opens the data folder, serves the plugins deployed there and takes new ones
through the admin API. The first interrupt lets requests that run finish; a
second one ends the process at once, which loses nothing that was acknowledged.

Every setting is a flag, an environment variable (--log-level is
WASMOOR_LOG_LEVEL) and a key of the config file (log_level = "info"); a flag
wins over the environment, that over the file, and that over the default.`,
		Example: `  wasmoor serve
  wasmoor serve --data /var/lib/wasmoor --public 0.0.0.0:80
  wasmoor serve --config production.toml`,
		Args: takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		return p.serve(cmd.Context(), settings)
	})
	addSettings(cmd.Flags())
	return cmd
}

func (p *program) serve(ctx context.Context, s settings) error {
	log, err := p.logger(p.stderr, s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	defer takeLibraries(log)()
	s.Host.Log = log
	if s.Host.Build, err = buildCommand(); err != nil {
		return err
	}
	h, err := host.New(ctx, s.Host)
	if err != nil {
		return err
	}
	p.announce("wasmoor "+host.Version(), h)
	p.note("  next    wasmoor deploy DIR")
	return h.Run(ctx)
}

// announce tells where a host serves.
func (p *program) announce(who string, h *host.Host) {
	p.note("%s serves\n  public  %s\n  admin   %s\n  token   %s", who, h.PublicURL(), h.AdminURL(), h.TokenFile())
}
