package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Takes checks that a command gets the arguments its usage line names, and says
// which one is missing.
func Takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < len(names) {
			missing := names[len(args):]
			if len(missing) == 1 {
				return fmt.Errorf("%s is missing", missing[0])
			}
			return fmt.Errorf("%s are missing", strings.Join(missing, " and "))
		}
		if len(args) > len(names) {
			return fmt.Errorf("%q is one argument too many", args[len(names)])
		}
		return nil
	}
}

// TakesMany is Takes for a command whose last argument may be repeated.
func TakesMany(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		return Takes(names...)(cmd, args[:min(len(args), len(names))])
	}
}

// MayTake is Takes for a last argument that has a default.
func MayTake(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%q is one argument too many: one %s is enough", args[1], name)
		}
		return nil
	}
}

// Argument returns args[0], or fallback without one.
func Argument(args []string, fallback string) string {
	if len(args) == 0 {
		return fallback
	}
	return args[0]
}

// CheckTarget refuses a plugin's name or mount, as flags give them, that cannot be:
// before a build is spent on it. Empty ones are left to the manifest.
func CheckTarget(name, mount string) error {
	if name != "" {
		if err := plugin.CheckName(name); err != nil {
			return Usage("--name: %s", fault.MessageOf(err))
		}
	}
	if mount != "" {
		if _, err := plugin.ParseMount(mount); err != nil {
			return Usage("--mount: %s", fault.MessageOf(err))
		}
	}
	return nil
}
