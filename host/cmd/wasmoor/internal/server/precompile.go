package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// BuildArtefactCommand returns the hidden command that a host starts to build a
// module.
func (p *Commands) BuildArtefactCommand() *cobra.Command {
	cmd := p.Does(&cobra.Command{
		Use:   cli.BuildArtefact,
		Short: "Build a module for a host that says so on standard input",
		Args:  cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return host.BuildArtefact(cmd.Context(), p.Source(), p.Stdout) // its end ends the process
	})
	cmd.Hidden = true
	return cmd
}

// PrecompileCommand returns `wasmoor precompile`.
func (p *Commands) PrecompileCommand() *cobra.Command {
	var serving bool
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "precompile",
		Short: "Prepare the stored versions for this binary, before it takes over",
		Long: `Precompile builds every stored version with this binary, those that serve first,
so that a server of this binary starts at once, and tells before the switch what
it would reject. A server may run on the data folder meanwhile: it is asked what
is stored, and not disturbed. Without one the store is opened.

Run it as the user of the server, with its settings. The exit code is 1 when a
version that serves would be rejected.`,
		Example: `  ./wasmoor-new precompile --data /var/lib/wasmoor && install wasmoor-new /usr/local/bin/wasmoor`,
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		return p.precompile(cmd.Context(), settings, serving)
	}))
	cmd.Flags().BoolVar(&serving, "serving", false, "only the versions that serve")
	addSettings(cmd.Flags())
	p.remote.Flags(cmd.Flags())
	return cmd
}

func (p *Commands) precompile(ctx context.Context, s settings, serving bool) error {
	s.LogLevel = "warn"
	log, err := p.logger(&s)
	if err != nil {
		return err
	}
	s.Host.Log = log
	if s.Host.Build, err = cli.BuildCommand(); err != nil {
		return err
	}
	versions, err := p.storedVersions(ctx, s.Host)
	if err != nil {
		return err
	}
	if serving {
		versions = onlyServing(versions)
	}
	results := []host.Prepared{}
	err = host.Precompile(ctx, s.Host, versions, func(r host.Prepared) {
		results = append(results, r)
		p.Note("  %d/%d  %s version %d: %s in %.0f ms", len(results), len(versions), r.Plugin, r.Version, r.State, r.Millis)
	})
	if err != nil {
		return err
	}
	return p.showPrepared(results)
}

// storedVersions lists what is stored, by the server that runs on the data
// folder or from the folder itself.
func (p *Commands) storedVersions(ctx context.Context, cfg host.Config) ([]host.Stored, error) {
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "modules")); err != nil {
		return nil, cli.FileError("find the modules of the data folder", err)
	}
	versions, err := host.StoredVersions(ctx, cfg)
	if fault.CodeOf(err) != fault.Unavailable {
		return versions, err
	}
	p.remote.OwnServer(cfg)
	err = p.remote.Talk(func(c *client.Client) (err error) {
		versions, err = askVersions(ctx, c)
		return err
	})
	return versions, err
}

func askVersions(ctx context.Context, c *client.Client) ([]host.Stored, error) {
	plugins, err := c.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	var all []host.Stored
	for _, it := range plugins {
		if it.State == adminapi.StateDeleted {
			continue
		}
		versions, err := c.Versions(ctx, it.Name)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			all = append(all, host.Stored{Plugin: it.Name, Version: v.Number, Digest: v.Digest, Serves: v.State == adminapi.VersionServing})
		}
	}
	return all, nil
}

func onlyServing(versions []host.Stored) (some []host.Stored) {
	for _, v := range versions {
		if v.Serves {
			some = append(some, v)
		}
	}
	return some
}

// showPrepared writes what became of each version; the exit code says whether
// what serves goes on serving.
func (p *Commands) showPrepared(results []host.Prepared) error {
	refused := 0
	var rows [][]string
	for _, r := range results {
		serves := ""
		if r.Serves {
			serves = "*"
			if r.State == host.Rejected {
				refused++
			}
		}
		rows = append(rows, []string{r.Plugin, strconv.Itoa(r.Version), serves, r.State, fmt.Sprintf("%.0f", r.Millis), r.Problem})
	}
	if p.AsJSON {
		if err := p.JSON(results); err != nil {
			return err
		}
	} else if err := p.Table("no versions are stored", "PLUGIN VERSION SERVES STATE MS WHY", rows); err != nil {
		return err
	}
	if refused > 0 {
		p.Complain(fmt.Sprintf("%d of the versions that serve would be rejected by this binary: keep the old one, or deploy others first", refused))
		return cli.Ended(cli.ExitFailure)
	}
	return nil
}
