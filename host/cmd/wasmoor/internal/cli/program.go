// Package cli is what every command of the binary is made of: the streams and flags
// they share, how arguments are checked, exit codes, and reading files. The
// packages that hold commands import it.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

// Program is one run of the command line.
type Program struct {
	*term.Terminal

	running bool // a command has started: what fails from here on is not a matter of usage
}

// Run executes a command line of the tree below root and returns the exit code.
func (p *Program) Run(ctx context.Context, root *cobra.Command, args []string) int {
	p.EndWith(ctx)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &UsageError{command: cmd.CommandPath(), text: flagError(err)}
	})
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetArgs(append([]string{}, args...))
	return p.exit(ctx, root.ExecuteContext(ctx))
}

// flagError says what a flag takes where the library says which function of Go refused it.
func flagError(err error) string {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err.Error()
	}
	takes := ""
	switch kind := invalid.GetFlag().Value.Type(); {
	case kind == "bool":
		takes = "true or false"
	case strings.HasPrefix(kind, "float"):
		takes = "a number"
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		takes = "a whole number"
	default:
		return err.Error()
	}
	return fmt.Sprintf("--%s takes %s, not %q", invalid.GetFlag().Name, takes, invalid.GetValue())
}

// Announce tells where a host serves.
func (p *Program) Announce(who string, h *host.Host) {
	p.Note("%s serves\n  public  %s\n  admin   %s\n  token   %s", who, h.PublicURL(), h.AdminURL(), h.TokenFile())
	if url := h.MetricsURL(); url != "" {
		p.Note("  metrics %s", url)
	}
}

// Action runs a command once its arguments are known to be good.
type Action func(cmd *cobra.Command, args []string) error

// Does makes do the command's action.
func (p *Program) Does(cmd *cobra.Command, do Action) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.running = true
		return do(cmd, args)
	}
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &UsageError{command: cmd.CommandPath(), text: err.Error()}
		}
		return nil
	}
	return cmd
}

// Parent makes cmd one that only has sub-commands: by itself it shows its help,
// and a name it does not know is an error with a suggestion.
func (p *Program) Parent(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := fmt.Sprintf("unknown command %q", args[0])
		if near := nearest(cmd, args[0]); near != "" {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		return &UsageError{command: cmd.CommandPath(), text: text}
	}
	return cmd
}

// nearest returns the sub-command that word is most likely meant to be: the first
// that starts with it, else the one with the nearest name; "" = none.
func nearest(cmd *cobra.Command, word string) string {
	var names []string
	start := ""
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		names = append(names, sub.Name())
		if start == "" && word != "" && strings.HasPrefix(sub.Name(), word) {
			start = sub.Name()
		}
	}
	return cmp.Or(start, spelling.Nearest(word, names))
}

// Reads gives a command that shows data its --json flag.
func (p *Program) Reads(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&p.AsJSON, "json", false, "write JSON")
	return cmd
}
