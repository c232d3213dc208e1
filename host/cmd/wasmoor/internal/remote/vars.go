package remote

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// VarCommand returns `wasmoor var`.
func (p *Commands) VarCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "var",
		Short: "Set, list and unset the variables of a plugin",
		Long: `A plugin's manifest names its variables under [config]. Values come from a file
or from standard input, never from the command line, where other users of the
machine and the shell's history would see them. Each change is a new deployment.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.varSetCommand(), p.quick(p.varListCommand()), p.varUnsetCommand())
	return cmd
}

func (p *Commands) varSetCommand() *cobra.Command {
	var file, env string
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "set NAME [KEY]",
		Short: "Give a variable its value, from --file or standard input, or several from --env",
		Long: `Set gives a variable its value, or with --env all that an env file names, which is
one deployment. An env file has KEY=VALUE lines with comments and quotes, in which
$NAME stands for a variable above it, except in single quotes.`,
		Example: `  wasmoor var set links api_key --file key.txt
  printf %s "$KEY" | wasmoor var set links api_key
  wasmoor var set links --env production.env`,
		Args: func(cmd *cobra.Command, args []string) error {
			if env != "" {
				return cli.Takes("NAME")(cmd, args)
			}
			return cli.Takes("NAME", "KEY")(cmd, args)
		},
		ValidArgsFunction: p.completeVars,
	}, func(cmd *cobra.Command, args []string) error {
		if env != "" {
			return p.setVars(cmd, args[0], env)
		}
		return p.setVar(cmd, args[0], args[1], file)
	}))
	cmd.Flags().StringVar(&file, "file", "", "file with the value; one newline at its end is left out")
	cmd.Flags().StringVar(&env, "env", "", "env file with the values of several variables")
	cmd.MarkFlagsMutuallyExclusive("file", "env")
	return cmd
}

// setVars sets what an env file names.
func (p *Commands) setVars(cmd *cobra.Command, name, file string) error {
	pairs, err := project.ReadEnv(p.Context(), file)
	if err != nil {
		return err
	}
	if len(pairs) == 0 {
		return fault.New(fault.Invalid, "", file+" names no variable")
	}
	set := map[string]string{}
	for _, v := range pairs {
		set[v[0]] = v[1]
	}
	return p.about(cmd.Context(), name, func(c *client.Client) error {
		changed, err := c.ChangeVars(cmd.Context(), name, adminapi.VarsChange{Set: set})
		if err != nil {
			return err
		}
		p.Note("set %s of %s", strings.Join(slices.Sorted(maps.Keys(set)), ", "), name)
		return p.showChange(changed)
	})
}

func (p *Commands) setVar(cmd *cobra.Command, name, key, file string) error {
	value, err := p.varValue(key, file)
	if err != nil {
		return err
	}
	return p.about(cmd.Context(), name, func(c *client.Client) error {
		changed, err := c.SetVar(cmd.Context(), name, key, value)
		if err != nil {
			return err
		}
		p.Note("set %s of %s", key, name)
		return p.showChange(changed)
	})
}

// varValue reads a value. One newline at the end is the editor's, not the
// value's.
func (p *Commands) varValue(key, file string) ([]byte, error) {
	var value []byte
	var err error
	if file != "" {
		value, err = cli.ReadFile(p.Context(), file, "read the value", adminapi.MaxVar)
	} else {
		if term.IsTerminal(p.Stdin) {
			p.Note("type the value of %s, then Ctrl-D:", key)
		}
		value, err = cli.ReadBounded(p.Stdin, "standard input", "read the value", adminapi.MaxVar)
	}
	text := strings.TrimSuffix(string(value), "\n")
	return []byte(strings.TrimSuffix(text, "\r")), err
}

// showChange tells what became of the deployment that a variable or a policy has
// changed. A plugin that has not served yet may still wait for more; what was set
// is stored all the same.
func (p *Commands) showChange(o adminapi.Changed) error {
	if p.AsJSON {
		return p.JSON(o)
	}
	if o.Activated {
		p.Note("version %d of %s serves with it (deployment %d)", o.Version, o.Plugin, o.Deployment)
	}
	for _, reason := range o.Waiting {
		p.Note("%s %s", p.Paint(p.Stderr, term.Yellow, "waiting"), reason)
	}
	return nil
}

func (p *Commands) varUnsetCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "unset NAME KEY...",
		Short:             "Take the values of variables away, which is one deployment",
		Args:              cli.TakesMany("NAME", "KEY"),
		ValidArgsFunction: p.completeVars,
	}, func(cmd *cobra.Command, args []string) error {
		name, keys := args[0], args[1:]
		return p.about(cmd.Context(), name, func(c *client.Client) error {
			changed, err := c.ChangeVars(cmd.Context(), name, adminapi.VarsChange{Unset: keys})
			if err != nil {
				return err
			}
			p.Note("unset %s of %s", strings.Join(keys, ", "), name)
			return p.showChange(changed)
		})
	}))
}

func (p *Commands) varListCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "list NAME",
		Short:             "List the variables of a plugin; values of secret ones are not shown",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			vars, err := c.Vars(cmd.Context(), args[0])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(vars))
			}
			var rows [][]string
			for _, v := range vars {
				rows = append(rows, []string{v.Name, varState(v), shownValue(v), v.Description})
			}
			return p.Table(fmt.Sprintf("the manifest of %s names no variables", args[0]), "NAME STATE VALUE DESCRIPTION", rows)
		})
	}))
}

func varState(v adminapi.Var) string {
	switch {
	case v.Set:
		return "set"
	case v.Default != nil:
		return "default"
	case v.Required:
		return "missing"
	}
	return "unset"
}

func shownValue(v adminapi.Var) string {
	switch {
	case v.Set && v.Secret:
		return "(secret)"
	case v.Set:
		return v.Value
	case v.Default != nil:
		return *v.Default
	}
	return ""
}
