package author

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/packing"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// PackCommand returns `wasmoor pack`.
func (p *Commands) PackCommand() *cobra.Command {
	var manifestFile, extismFile, name, out string
	cmd := p.Does(&cobra.Command{
		Use:   "pack FILE",
		Short: "Put a manifest into a module, so that one file is the plugin",
		Example: `  wasmoor pack shop.wasm -o shop-packed.wasm
  wasmoor pack shop.wasm --manifest other.toml -o shop.wasm
  wasmoor pack count.wasm --extism manifest.json --name count -o count-packed.wasm`,
		Args: cli.Takes("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		if err := checkPackFlags(cmd.Flags()); err != nil {
			return err
		}
		if cmd.Flags().Changed("extism") {
			return p.packExtism(args[0], extismFile, name, out)
		}
		return p.pack(args[0], manifestFile, out)
	})
	cmd.Flags().StringVar(&extismFile, "extism", "", "a manifest in Extism's own format to translate, instead of one of ours; each exported function becomes a route")
	cmd.Flags().StringVar(&name, "name", "", "name of the plugin, with --extism")
	cmd.Flags().StringVar(&manifestFile, "manifest", "", "the manifest (default: "+manifest.FileName+" next to FILE)")
	cmd.Flags().StringVarP(&out, "output", "o", "", "where the packed module goes (default: standard output, unless that is a terminal)")
	return cmd
}

// checkPackFlags refuses flags that do not go together.
func checkPackFlags(flags *pflag.FlagSet) error {
	extism := flags.Changed("extism")
	switch {
	case !extism && flags.Changed("name"):
		return cli.Usage("--name goes with --extism; otherwise the manifest has the name")
	case extism && flags.Changed("manifest"):
		return cli.Usage("--extism and --manifest exclude each other; name one manifest")
	case extism && flags.Lookup("name").Value.String() == "":
		return cli.Usage("a manifest of Extism has no name for the plugin; give one with --name")
	}
	return nil
}

func (p *Commands) pack(file, manifestFile, out string) error {
	if err := p.mayWritePacked(out); err != nil {
		return err
	}
	if manifestFile == "" {
		manifestFile = filepath.Join(filepath.Dir(file), manifest.FileName)
	}
	module, err := project.ReadModule(p.Context(), file)
	if err != nil {
		return err
	}
	text, err := cli.ReadFile(p.Context(), manifestFile, "read the manifest", manifest.MaxSize)
	if err != nil {
		return err
	}
	if _, err := manifest.Parse(text, manifestFile, capabilities.Sections()); err != nil {
		return err
	}
	packed, err := packing.Pack(module, text, filepath.Dir(manifestFile))
	if err != nil {
		return cli.InFile(file, err)
	}
	return p.writePacked(out, packed)
}

func (p *Commands) packExtism(file, extismFile, name, out string) error {
	if err := p.mayWritePacked(out); err != nil {
		return err
	}
	if err := plugin.CheckName(name); err != nil {
		return cli.Usage("--name: %s", fault.MessageOf(err))
	}
	module, err := project.ReadModule(p.Context(), file)
	if err != nil {
		return err
	}
	if _, err := wasmbin.Read(module); err != nil {
		return cli.InFile(file, err)
	}
	text, err := cli.ReadFile(p.Context(), extismFile, "read the manifest of Extism", manifest.MaxSize)
	if err != nil {
		return err
	}
	packed, err := packing.Extism(module, text, name)
	if err != nil {
		return cli.InFile(extismFile, err)
	}
	return p.writePacked(out, packed)
}

func (p *Commands) mayWritePacked(out string) error {
	if out == "" && term.IsTerminal(p.Stdout) {
		return cli.Usage("a module is not for a terminal; name a file with -o")
	}
	return nil
}

func (p *Commands) writePacked(out string, packed []byte) error {
	if out == "" {
		return p.Data(packed)
	}
	if err := os.WriteFile(out, packed, 0o644); err != nil {
		return cli.FileError("write the packed module", err)
	}
	p.Note("packed %s (%s); next: %s", out, term.Size(int64(len(packed))), fmt.Sprintf("wasmoor deploy %s", out))
	return nil
}
