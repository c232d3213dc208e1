package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/internal/client"
)

// maxVar is what the server takes for a value, in bytes.
const maxVar = 64 << 10

func (p *program) varCommand() *cobra.Command {
	cmd := p.parent(&cobra.Command{
		Use:   "var",
		Short: "Set, list and unset the variables of a plugin",
		Long: `A plugin's manifest names its variables under [config]. Values come from a file
or from standard input, never from the command line, where other users of the
machine and the shell's history would see them. Each change is a new deployment.`,
	}, "")
	p.remoteFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.varSetCommand(), p.quick(p.varListCommand()), p.varUnsetCommand())
	return cmd
}

func (p *program) varSetCommand() *cobra.Command {
	var file string
	cmd := p.reads(p.does(&cobra.Command{
		Use:   "set NAME KEY",
		Short: "Give a variable its value, from --file or standard input",
		Example: `  wasmoor var set links api_key --file key.txt
  printf %s "$KEY" | wasmoor var set links api_key`,
		Args:              takes("NAME", "KEY"),
		ValidArgsFunction: p.completeVars,
	}, func(cmd *cobra.Command, args []string) error {
		return p.setVar(cmd, args[0], args[1], file)
	}))
	cmd.Flags().StringVar(&file, "file", "", "file with the value; one newline at its end is left out")
	return cmd
}

func (p *program) setVar(cmd *cobra.Command, name, key, file string) error {
	value, err := p.varValue(key, file)
	if err != nil {
		return err
	}
	return p.about(cmd.Context(), name, func(c *client.Client) error {
		outcome, err := c.SetVar(cmd.Context(), name, key, value)
		if err != nil {
			return err
		}
		p.note("set %s of %s", key, name)
		return p.showChange(outcome)
	})
}

// varValue reads a value. One newline at the end is the editor's, not the
// value's.
func (p *program) varValue(key, file string) ([]byte, error) {
	var value []byte
	var err error
	if file != "" {
		value, err = readFile(file, "read the value", maxVar)
	} else {
		if isTerminal(p.stdin) {
			p.note("type the value of %s, then Ctrl-D:", key)
		}
		value, err = readBounded(p.stdin, "standard input", "read the value", maxVar)
	}
	text := strings.TrimSuffix(string(value), "\n")
	return []byte(strings.TrimSuffix(text, "\r")), err
}

// showChange tells what became of the deployment that a variable or a policy has
// changed. A plugin that has not served yet may still wait for more; what was set
// is stored all the same.
func (p *program) showChange(o client.Outcome) error {
	if p.asJSON {
		return p.json(o)
	}
	if o.Activated {
		p.note("version %d of %s serves with it (deployment %d)", o.Version, o.Plugin, o.Deployment)
	}
	for _, reason := range o.Waiting {
		p.note("%s %s", p.paint(p.stderr, yellow, "waiting"), reason)
	}
	return nil
}

func (p *program) varUnsetCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:               "unset NAME KEY",
		Short:             "Take a variable's value away",
		Args:              takes("NAME", "KEY"),
		ValidArgsFunction: p.completeVars,
	}, func(cmd *cobra.Command, args []string) error {
		name, key := args[0], args[1]
		return p.about(cmd.Context(), name, func(c *client.Client) error {
			outcome, err := c.UnsetVar(cmd.Context(), name, key)
			if err != nil {
				return err
			}
			p.note("unset %s of %s", key, name)
			return p.showChange(outcome)
		})
	}))
}

func (p *program) varListCommand() *cobra.Command {
	return p.reads(p.does(&cobra.Command{
		Use:               "list NAME",
		Short:             "List the variables of a plugin; values of secret ones are not shown",
		Args:              takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			vars, err := c.Vars(cmd.Context(), args[0])
			if err != nil || p.asJSON {
				return p.jsonUnless(err, list(vars))
			}
			var rows [][]string
			for _, v := range vars {
				rows = append(rows, []string{v.Name, varState(v), shownValue(v), v.Description})
			}
			return p.table(fmt.Sprintf("the manifest of %s names no variables", args[0]), "NAME STATE VALUE DESCRIPTION", rows)
		})
	}))
}

func varState(v client.Var) string {
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

func shownValue(v client.Var) string {
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
