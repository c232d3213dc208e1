package author

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// scratch is a host with a temporary store on the loopback interface, for trying
// a plugin. Close it.
type scratch struct {
	host   *host.Host
	client *client.Client
	dir    string
	ctx    context.Context // ends when the host does
	stop   context.CancelFunc
	done   chan error // what Run returned
}

// scratchFlags adds the settings of a scratch host: what decides whether a server
// takes a module, and what lets a plugin that is tried call a service that the author
// runs.
func (p *Commands) scratchFlags(flags *pflag.FlagSet, networks *string) {
	p.settings.AddBuild(flags)
	flags.StringVar(networks, "outbound-allow-networks", "",
		"private networks that calls may reach, e.g. 127.0.0.1/32; the manifest lists the origins")
}

// scratchConfig returns how a host is set up for trying a plugin: on public,
// "127.0.0.1:0" for a free port, with its admin API on a free port of the
// loopback interface. It has no store yet.
func (p *Commands) scratchConfig(flags *pflag.FlagSet, public, networks string) (host.Config, error) {
	cfg, err := p.buildConfig(flags)
	if err != nil {
		return cfg, err
	}
	cfg.PublicAddr, cfg.AdminAddr, cfg.OutboundAllowNetworks = public, "127.0.0.1:0", networks
	cfg.MinFreeDisk = 0 // what is written here is not kept
	cfg.ShowErrors = true
	if err := cfg.Validate(); err != nil {
		return cfg, cli.Usage("%s", fault.MessageOf(err))
	}
	return cfg, nil
}

// buildConfig returns how a server with the settings of flags builds a module.
func (p *Commands) buildConfig(flags *pflag.FlagSet) (host.Config, error) {
	cfg, err := p.settings.Build(flags)
	if err == nil {
		cfg.Build, err = cli.BuildCommand()
	}
	return cfg, err
}

// startScratch serves with a configuration of scratchConfig.
func startScratch(ctx context.Context, cfg host.Config, log *slog.Logger) (s *scratch, err error) {
	s = &scratch{done: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "wasmoor-"); err != nil {
		return nil, cli.FileError("make a temporary store", err)
	}
	cfg.DataDir, cfg.Log = s.dir, log
	if s.host, err = host.New(ctx, cfg); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	s.ctx, s.stop = context.WithCancel(ctx)
	go func() {
		defer s.stop()
		s.done <- s.host.Run(s.ctx)
	}()
	s.client, err = client.New(client.Config{Server: s.host.AdminURL(), Token: s.host.Token()})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close stops the host, waits for it and removes its store.
func (s *scratch) close() error {
	if s.client != nil {
		s.client.Close()
	}
	s.stop()
	return errors.Join(<-s.done, os.RemoveAll(s.dir))
}

// deploy installs a module with vars and activates it. Vars that the module
// needs and that are not given are an Invalid fault.
func (s *scratch) deploy(ctx context.Context, up adminapi.Upload, module []byte, vars [][2]string) (adminapi.Changed, error) {
	up.Grant, up.Activate = true, true
	changed, err := s.client.Deploy(ctx, up, module)
	if err != nil {
		return changed, err
	}
	steps, version := changed.Steps, changed.Version
	if len(vars) > 0 {
		set := map[string]string{}
		for _, v := range vars { // a later one wins
			set[v[0]] = v[1]
		}
		if changed, err = s.client.ChangeVars(ctx, up.Name, adminapi.VarsChange{Set: set}); err != nil {
			return changed, err
		}
		steps = append(steps, changed.Steps...)
	}
	if !changed.Activated {
		if changed, err = s.client.Activate(ctx, up.Name, adminapi.Activation{Version: version, Grant: true}); err != nil {
			return changed, err
		}
		steps = append(steps, changed.Steps...)
	}
	if !changed.Activated {
		return changed, fault.New(fault.Invalid, "", "it does not serve yet; variables come from "+devEnvFile+" and --var KEY=VALUE:\n  "+
			strings.Join(changed.Waiting, "\n  "))
	}
	changed.Steps = steps
	return changed, nil
}
