package author

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// scratch is a host on the loopback interface, for trying a plugin. Close it.
type scratch struct {
	host   *host.Host
	client *client.Client
	dir    string          // of a store that is temporary; "" = it lasts
	ctx    context.Context // ends when the host does
	stop   context.CancelFunc
	done   chan error // what Run returned
}

// scratchConfig returns how a host is set up for trying a plugin with the settings
// of flags: on free ports of the loopback interface. It has no store yet.
func (p *Commands) scratchConfig(flags *pflag.FlagSet) (host.Config, error) {
	cfg, err := p.buildConfig(flags)
	cfg.PublicAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	cfg.ArtefactDir, cfg.MaxArtefactDisk = artefactDir(cfg), maxArtefacts
	if cfg.MaxSockets == host.DefaultConfig().MaxSockets {
		cfg.MaxSockets = 1000 // a shell may open too few files for a server's
	}
	cfg.Author = &host.Author{}
	return cfg, err
}

// checkConfig refuses a configuration whose parts came from several places.
func checkConfig(cfg host.Config) error {
	if cfg.DataDir == "" {
		cfg.DataDir = "temporary"
	}
	if err := cfg.Validate(); err != nil {
		return cli.Usage("%s", fault.MessageOf(err))
	}
	return nil
}

// maxArtefacts bounds what is kept of the modules that a user tries, in bytes.
const maxArtefacts = 512 << 20

// artefactDir returns the folder in which all scratch hosts of a user keep what they
// built, so that a module that has not changed is not compiled again. "" is the
// host's own: there is no folder that is this user's alone, or builds have other
// limits, and a module that was built without them might not be within them.
func artefactDir(cfg host.Config) string {
	d := host.DefaultConfig()
	if cfg.MaxBuildMemory != d.MaxBuildMemory || cfg.MaxBuildTime != d.MaxBuildTime || cfg.MaxFunction != d.MaxFunction {
		return ""
	}
	dir, err := project.CacheDir()
	if err != nil || host.ShareArtefacts(dir) != nil {
		return ""
	}
	return dir
}

// buildConfig returns how a server with the settings of flags builds a module.
func (p *Commands) buildConfig(flags *pflag.FlagSet) (host.Config, error) {
	cfg, err := p.settings.Config(flags)
	if err == nil {
		cfg.Build, err = cli.BuildCommand()
	}
	return cfg, err
}

// startScratch serves with a configuration of scratchConfig, from a temporary store
// unless it names one.
func startScratch(ctx context.Context, cfg host.Config) (s *scratch, err error) {
	s = &scratch{done: make(chan error, 1)}
	if cfg.DataDir == "" {
		if s.dir, err = os.MkdirTemp("", "wasmoor-"); err != nil {
			return nil, cli.FileError("make a temporary store", err)
		}
		cfg.DataDir = s.dir
	}
	if s.host, err = host.New(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.remove())
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

// close stops the host, waits for it and removes its store if that is temporary.
func (s *scratch) close() error {
	if s.client != nil {
		s.client.Close()
	}
	s.stop()
	return errors.Join(<-s.done, s.remove())
}

func (s *scratch) remove() error {
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// deploy installs a module with vars and activates it. Before it serves, ready is
// called, if it is not nil. Vars that the module needs and that are not given are an
// Invalid fault.
func (s *scratch) deploy(ctx context.Context, up adminapi.Upload, module []byte, vars [][2]string, ready func() error) (adminapi.Changed, error) {
	up.Grant, up.Activate = true, ready == nil
	changed, err := s.client.Deploy(ctx, up, module)
	if err == nil && ready != nil {
		err = ready()
	}
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
		return changed, s.waits(ctx, up.Name, changed.Waiting)
	}
	changed.Steps = steps
	return changed, nil
}

// waits returns why a plugin does not serve yet: as a rule a variable has no value,
// which an author gives in other ways than an operator.
func (s *scratch) waits(ctx context.Context, name string, reasons []string) error {
	vars, err := s.client.Vars(ctx, name)
	if err != nil {
		return err
	}
	var missing []string
	for _, v := range vars {
		if v.Required && !v.Set {
			missing = append(missing, v.Name)
		}
	}
	if len(missing) == 0 {
		return fault.New(fault.Invalid, "", "it does not serve yet:\n  "+strings.Join(reasons, "\n  "))
	}
	return fault.New(fault.Invalid, "", fmt.Sprintf("it does not serve yet: it needs a value for %s: add the line %[2]s=VALUE to %s, or give --var %[2]s=VALUE",
		strings.Join(missing, ", "), missing[0], devEnvFile))
}
