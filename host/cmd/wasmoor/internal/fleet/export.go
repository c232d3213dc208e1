package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

const exportHeader = `# What a server of wasmoor serves, as "wasmoor export" writes it. Bring a server to it:
#   wasmoor apply -f FILE --plan
# Secrets are named only; set their values with "wasmoor secret set".
`

// ExportCommand returns `wasmoor export`.
func (p *Commands) ExportCommand() *cobra.Command {
	var modules string
	cmd := p.Asks(p.Does(&cobra.Command{
		Use:   "export",
		Short: "Write what the server serves as a file for apply",
		Long: `Export writes the plugins that serve: each by the digest of its module, with where it
serves, what it is granted, its limits, its CORS policy, its vars, and the names of its
secrets. With --modules it also writes the modules into a folder, and names them in the
file, for a server that does not have them. No keys, no values of secrets, no tokens and
no older versions are in it: it is no backup.`,
		Example: `  wasmoor export > fleet.toml
  wasmoor export --modules modules > fleet.toml`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			f, err := p.export(cmd.Context(), c, modules)
			if err != nil {
				return err
			}
			var text bytes.Buffer
			if err := toml.NewEncoder(&text).SetIndentTables(false).Encode(f); err != nil {
				return fault.Wrap(fault.Internal, "write the fleet", "", err)
			}
			_, err = fmt.Fprintf(p.Stdout, "%s\n%s", exportHeader, text.Bytes())
			return err
		})
	}))
	cmd.Flags().StringVar(&modules, "modules", "", "also write the modules into this folder, by digest")
	return cmd
}

func (p *Commands) export(ctx context.Context, c *client.Client, modules string) (*file, error) {
	f := &file{Version: fileVersion, Plugins: map[string]entry{}}
	installed, err := c.Plugins(ctx)
	if err != nil {
		return nil, err
	}
	if modules != "" {
		if err := os.MkdirAll(modules, 0o755); err != nil {
			return nil, cli.FileError("make the folder of modules", err)
		}
	}
	for _, it := range installed {
		switch {
		case it.State == adminapi.StateDeleted:
			continue
		case it.Version == 0:
			p.Note("%s is left out: no version of it serves", it.Name)
			continue
		case it.Rollout != "":
			p.Note("%s is written with the version that a roll-out replaces", it.Name)
		}
		s, err := look(ctx, c, it)
		if err != nil {
			return nil, err
		}
		e := s.entry(it.Label)
		if modules != "" {
			e.Module = filepath.ToSlash(filepath.Join(modules, plugin.Digest(it.Digest).Hex()+".wasm"))
			if err := download(ctx, c, it.Name, it.Digest, filepath.FromSlash(e.Module)); err != nil {
				return nil, err
			}
		}
		f.Plugins[it.Name] = e
	}
	return f, nil
}

// entry writes a plugin as it is.
func (s *state) entry(label string) entry {
	e := entry{
		Digest: s.digest, Mount: s.mount, Label: label, Secrets: slices.Sorted(slices.Values(s.secrets)),
		Limits: limitsOf(s.limits), CORS: (*cors)(s.cors), Vars: s.vars,
		Pins: s.pins(), EgressOff: s.egressOff, Pause: s.pause, Bind: s.bound,
	}
	if v, ok := s.version(s.digest); ok {
		e.Grant = map[string]any{}
		for name, value := range v.Ask {
			if n, ok := value.(float64); ok && n == math.Trunc(n) && math.Abs(n) < 1<<53 {
				value = int64(n) // JSON has one kind of numbers
			}
			e.Grant[name] = value
		}
	}
	return e
}

// download writes a module to a file, which is whole or not there.
func download(ctx context.Context, c *client.Client, name, digest, path string) (err error) {
	if file, err := durable.OpenRegular(path); err == nil {
		sum := sha256.New()
		_, err = io.Copy(sum, file)
		if err = errors.Join(err, file.Close()); err == nil && "sha256:"+hex.EncodeToString(sum.Sum(nil)) == digest {
			return nil
		}
	}
	const op = "write the module"
	f, err := os.CreateTemp(filepath.Dir(path), "*.new")
	if err != nil {
		return cli.FileError(op, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error says what counts
		}
	}()
	sum := sha256.New()
	err = c.Module(ctx, name, digest, io.MultiWriter(f, sum))
	if closeErr := f.Close(); err == nil && closeErr != nil {
		err = cli.FileError(op, closeErr)
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); err == nil && got != digest {
		err = fault.New(fault.Internal, op, fmt.Sprintf("the server sent %s for the module %s of %s: its file is damaged", got, digest, name))
	}
	if err == nil {
		if err = os.Chmod(f.Name(), 0o644); err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			err = cli.FileError(op, err)
		}
	}
	return err
}
