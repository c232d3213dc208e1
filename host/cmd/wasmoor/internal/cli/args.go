package cli

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
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

// AsBase64 starts a key that is written in base64.
const AsBase64 = "base64:"

// Key reads a key of the command line.
func Key(arg string) ([]byte, error) {
	text, encoded := strings.CutPrefix(arg, AsBase64)
	if !encoded {
		return []byte(arg), nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, Usage("%q is not base64; a key that starts with %s is written in base64", arg, AsBase64)
	}
	return key, nil
}

// Argument returns args[0], or fallback without one.
func Argument(args []string, fallback string) string {
	if len(args) == 0 {
		return fallback
	}
	return args[0]
}

// Version reads the VERSION behind the NAME in args.
func Version(args []string) (int, error) {
	version, err := strconv.Atoi(strings.TrimPrefix(args[1], "v"))
	if err != nil || version < 1 {
		return 0, Usage("VERSION %q is not a number of `wasmoor versions %s`", args[1], args[0])
	}
	return version, nil
}

// CheckTarget refuses a plugin's name or mounts, as flags give them, that cannot be,
// before a build is spent on it. A name that is empty is left to the manifest. A flag has
// one mount, without spaces.
func CheckTarget(name string, mounts []string) error {
	if name != "" {
		if err := plugin.CheckName(name); err != nil {
			return Usage("--name: %s", fault.MessageOf(err))
		}
	}
	for _, m := range mounts {
		if _, err := plugin.ParseMount(m); err != nil {
			return Usage("--mount: %s", fault.MessageOf(err))
		}
	}
	if len(mounts) > 0 {
		if _, err := plugin.ParseMounts(strings.Join(mounts, " ")); err != nil {
			return Usage("--mount: %s", fault.MessageOf(err))
		}
	}
	return nil
}

// AddHeader adds fields that are written as "Name: value", those of --header.
func AddHeader(header http.Header, fields []string) error {
	for _, field := range fields {
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			return Usage(`--header %q is not "Name: value"`, field)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return nil
}
