package author

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/scaffold"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// SDKCommand returns `wasmoor sdk`.
func (p *Commands) SDKCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "sdk",
		Short: "Update the copy of the SDK that a project has",
	})
	cmd.AddCommand(p.sdkUpdateCommand())
	return cmd
}

func (p *Commands) sdkUpdateCommand() *cobra.Command {
	var force bool
	cmd := p.Does(&cobra.Command{
		Use:   "update [DIR]",
		Short: "Bring a project's copy of the SDK to the one of this wasmoor",
		Long: `Update replaces the copy of the SDK in the project in DIR (default: this folder),
which ` + "`wasmoor new`" + ` put into ` + scaffold.Folder + `, and says what changed. It needs no
network. Of your own files it changes go.mod alone: it adds the line that names
the copy, and raises the version of Go to what the SDK needs. A project that has
the SDK in vendor, as older versions made it, gets such a folder too.`,
		Example: `  wasmoor sdk update
  wasmoor sdk update ../shop && cd ../shop && go test`,
		Args: cli.MayTake("DIR"),
	}, func(_ *cobra.Command, args []string) error {
		return p.updateSDK(cli.Argument(args, "."), force)
	})
	cmd.Flags().BoolVar(&force, "force", false, "drop what you have changed in the copy")
	return cmd
}

func (p *Commands) updateSDK(dir string, force bool) error {
	u, err := scaffold.Refresh(dir, host.Version(), force)
	if err != nil {
		return refusedOr("update the SDK", err)
	}
	switch {
	case u.From == scaffold.Copy{}:
		p.Note("%s has the SDK of wasmoor %s", u.Folder, u.To)
	case u.Nothing():
		p.Note("%s is the SDK of wasmoor %s already", u.Folder, u.To)
	default:
		p.Note("%s was the SDK of wasmoor %s, and is that of %s: %s", u.Folder, u.From, u.To, sources(len(u.Changed)))
	}
	p.noteFiles(u)
	return nil
}

// refusedOr returns the error of a project that stayed as it was, or the system's.
func refusedOr(op string, err error) error {
	if refusal, ok := errors.AsType[scaffold.Refusal](err); ok {
		return fault.New(fault.Conflict, "", string(refusal)+"; nothing was changed")
	}
	return cli.FileError(op, err)
}

// noteFiles says what was done in addition to the copy, and what is left to do.
func (p *Commands) noteFiles(u *scaffold.Update) {
	if u.Replaced {
		p.Note("go.mod names it in a line of its own: replace %s => ./%s", scaffold.Module, u.Folder)
	}
	if u.Go != "" {
		p.Note("go.mod asks for Go %s now, which the SDK needs", u.Go)
	}
	if u.Unvendor {
		p.Note("vendor had the SDK of an older wasmoor, and nothing else: it is removed")
	}
	if u.Vendored {
		p.Note("vendor has another SDK, and builds use what is there: run now `go mod vendor`")
	}
}

func sources(n int) string {
	switch n {
	case 0:
		return "its sources are the same"
	case 1:
		return "1 source changed"
	}
	return fmt.Sprintf("%d sources changed", n)
}
