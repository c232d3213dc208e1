package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// buildArtefact is the command that a host starts to build a module.
const buildArtefact = "build-artefact"

// buildCommand returns the command line that builds modules: this very program.
func buildCommand() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fileError("find this program", err)
	}
	return []string{self, buildArtefact}, nil
}

func (p *program) buildArtefactCommand() *cobra.Command {
	cmd := p.does(&cobra.Command{
		Use:   buildArtefact,
		Short: "Build a module for a host that says so on standard input",
		Args:  takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return host.BuildArtefact(cmd.Context(), p.stdin, p.stdout)
	})
	cmd.Hidden = true
	return cmd
}

func (p *program) precompileCommand() *cobra.Command {
	var serving bool
	cmd := p.reads(p.does(&cobra.Command{
		Use:   "precompile",
		Short: "Prepare the stored versions for this binary, before it takes over",
		Long: `Precompile builds every stored version with this binary, those that serve first,
so that a server of this binary starts at once, and tells before the switch what
it would reject. A server may run on the data folder meanwhile: it is asked what
is stored, and not disturbed. Without one the store is opened.

Run it as the user of the server, with its settings. The exit code is 1 when a
version that serves would be rejected.`,
		Example: `  ./wasmoor-new precompile --data /var/lib/wasmoor && install wasmoor-new /usr/local/bin/wasmoor`,
		Args:    takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		settings, err := p.settings(cmd.Flags())
		if err != nil {
			return err
		}
		return p.precompile(cmd.Context(), settings, serving)
	}))
	cmd.Flags().BoolVar(&serving, "serving", false, "only the versions that serve")
	addSettings(cmd.Flags())
	return cmd
}

func (p *program) precompile(ctx context.Context, s settings, serving bool) error {
	log, err := p.logger(p.stderr, "warn", s.LogFormat)
	if err != nil {
		return err
	}
	s.Host.Log = log
	if s.Host.Build, err = buildCommand(); err != nil {
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
		p.note("  %d/%d  %s version %d: %s in %.0f ms", len(results), len(versions), r.Plugin, r.Version, r.State, r.Millis)
	})
	if err != nil {
		return err
	}
	return p.showPrepared(results)
}

// storedVersions lists what is stored, by the server that runs on the data
// folder or from the folder itself.
func (p *program) storedVersions(ctx context.Context, cfg host.Config) ([]host.Stored, error) {
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "modules")); err != nil {
		return nil, fileError("find the modules of the data folder", err)
	}
	versions, err := host.StoredVersions(ctx, cfg)
	if fault.CodeOf(err) != fault.Unavailable {
		return versions, err
	}
	p.server = cmp.Or(p.server, p.getenv("WASMOOR_SERVER"), localURL(cfg.AdminAddr))
	if p.token == "" && p.getenv("WASMOOR_TOKEN") == "" && p.getenv("WASMOOR_TOKEN_FILE") == "" {
		p.tokenFile = cmp.Or(p.tokenFile, host.TokenFile(cfg.DataDir))
	}
	err = p.talk(func(c *client.Client) (err error) {
		versions, err = askVersions(ctx, c)
		return err
	})
	return versions, err
}

// localURL returns the URL of a listener on this machine.
func localURL(addr string) string {
	name, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(name); err == nil && (name == "" || ip != nil && ip.IsUnspecified()) {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + addr
}

func askVersions(ctx context.Context, c *client.Client) ([]host.Stored, error) {
	plugins, err := c.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	var all []host.Stored
	for _, it := range plugins {
		if it.State == "deleted" {
			continue
		}
		versions, err := c.Versions(ctx, it.Name)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			all = append(all, host.Stored{Plugin: it.Name, Version: v.Number, Digest: string(v.Digest), Serves: v.State == "serving"})
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
func (p *program) showPrepared(results []host.Prepared) error {
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
	if p.asJSON {
		if err := p.json(results); err != nil {
			return err
		}
	} else if err := p.table("no versions are stored", "PLUGIN VERSION SERVES STATE MS WHY", rows); err != nil {
		return err
	}
	if refused > 0 {
		p.complain(fmt.Sprintf("%d of the versions that serve would be rejected by this binary: keep the old one, or deploy others first", refused))
		return ended{exitFailure}
	}
	return nil
}
