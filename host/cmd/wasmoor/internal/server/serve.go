package server

import (
	"context"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/service"
)

// ServeCommand returns `wasmoor serve`.
func (p *Commands) ServeCommand() *cobra.Command {
	var check bool
	cmd := p.Does(&cobra.Command{
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
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		p.serves = true
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		if check {
			return host.Check(settings.Host)
		}
		return p.serve(cmd.Context(), settings, cmd.Flags(), nil)
	})
	addSettings(cmd.Flags())
	cmd.Flags().BoolVar(&check, "check", false, "only say whether serve would take the settings and the data folder")
	return cmd
}

// serve serves; before, unless nil, is what comes before that.
func (p *Commands) serve(ctx context.Context, s settings, flags *pflag.FlagSet, before func(context.Context, host.Config) error) error {
	svc, err := service.New() // before the log, which opens its file anew at a signal
	if err != nil {
		return err
	}
	log, err := p.openLog(&s)
	if err != nil {
		return err
	}
	svc.Flush = sync.OnceFunc(log.close)
	defer svc.Flush()
	defer takeLibraries(s.Host.Log)()
	if s.Host.Build, err = cli.BuildCommand(); err != nil {
		return err
	}
	svc.Log, svc.Stderr = s.Host.Log, p.Stderr
	s.Host.Listen, s.Host.Getenv = svc.Listen, p.Getenv
	if before != nil {
		if err := before(ctx, s.Host); ctx.Err() != nil || err != nil {
			return unlessEnded(ctx, err)
		}
	}
	now := &running{p: p, flags: flags, log: s.Host.Log, now: s}
	s.Host.Settings, svc.Hangup = now, now.hangup
	h, err := host.New(ctx, s.Host)
	if err != nil {
		return err
	}
	now.host = h
	p.Announce("wasmoor "+host.Version(), h)
	p.Note("  next    wasmoor deploy DIR")
	return svc.Run(ctx, h)
}

// unlessEnded returns err, nil once the command was told to end.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
