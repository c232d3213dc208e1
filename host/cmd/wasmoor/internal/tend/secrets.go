package tend

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// SecretCommand returns `wasmoor secret`.
func (p *Commands) SecretCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "secret",
		Short: "Set, list and unset the secrets of a plugin, and rotate their key",
		Long: `A manifest calls variables secrets. Their values are sealed on the server's disk,
and no command shows them. They come from a question, a file or standard input,
never from the command line, where other users of the machine and the shell's
history would see them. Each change is a new deployment.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.setCommand(), p.Quick(p.listCommand()), p.unsetCommand(), p.rotateCommand())
	return cmd
}

func (p *Commands) setCommand() *cobra.Command {
	var file string
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "set NAME KEY [-]",
		Short: "Give a secret its value, from a question, --from-file or standard input",
		Example: `  wasmoor secret set shop api_key
  wasmoor secret set shop api_key --from-file key.txt
  printf %s "$KEY" | wasmoor secret set shop api_key -`,
		Args:              takesNoValue,
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if file != "" && len(args) == 3 {
			return cli.Usage("--from-file and - exclude each other")
		}
		name, key := args[0], args[1]
		value, err := p.value(name, key, file, len(args) == 3)
		if err != nil {
			return err
		}
		return p.About(cmd.Context(), name, func(c *client.Client) error {
			changed, err := c.SetSecret(cmd.Context(), name, key, value)
			if err != nil {
				return err
			}
			p.Note("set %s of %s", key, name)
			return p.ShowChange(changed)
		})
	}))
	cmd.Flags().StringVar(&file, "from-file", "", "file with the value; one newline at its end is left out")
	return cmd
}

// takesNoValue takes NAME, KEY and perhaps -. It does not repeat what may be a value.
func takesNoValue(_ *cobra.Command, args []string) error {
	const from = "a secret is no argument, which others on this machine could read: leave it out to be asked for it, or use --from-file FILE, or - for standard input"
	switch {
	case len(args) < 2:
		return cli.Takes("NAME", "KEY")(nil, args)
	case strings.Contains(args[1], "="):
		key, _, _ := strings.Cut(args[1], "=")
		return fmt.Errorf("write %s alone, without = and what follows; %s", key, from)
	case len(args) > 3 || len(args) == 3 && args[2] != "-":
		return fmt.Errorf("there is one argument too many; %s", from)
	}
	return nil
}

// value reads a value. One newline at the end is the editor's, not the value's.
func (p *Commands) value(name, key, file string, stdin bool) (value []byte, err error) {
	const op = "read the secret"
	asked := false
	switch {
	case file != "":
		value, err = cli.ReadFile(p.Context(), file, op, adminapi.MaxVar)
	case !stdin:
		value, asked, err = p.AskHidden(fmt.Sprintf("value of %s of %s (not shown):", key, name))
		if err != nil {
			return nil, fault.Wrap(fault.Internal, op, "", err)
		}
		if asked && len(value) == 0 {
			return nil, fault.New(fault.Invalid, op, "nothing was entered, and nothing is changed")
		}
	}
	if err == nil && file == "" && !asked {
		value, err = cli.ReadBounded(p.Stdin, "standard input", op, adminapi.MaxVar)
	}
	text := strings.TrimSuffix(string(value), "\n")
	return []byte(strings.TrimSuffix(text, "\r")), err
}

func (p *Commands) unsetCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "unset NAME KEY",
		Short:             "Take the value of a secret away",
		Args:              cli.Takes("NAME", "KEY"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			changed, err := c.UnsetSecret(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			p.Note("unset %s of %s", args[1], args[0])
			return p.ShowChange(changed)
		})
	}))
}

func (p *Commands) listCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "list NAME",
		Short:             "List the secrets of a plugin: which are set, when and by whom; never their values",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			secrets, err := c.Secrets(cmd.Context(), args[0])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(secrets))
			}
			var rows [][]string
			for _, s := range secrets {
				set := ""
				if s.Set != nil {
					set = s.Set.UTC().Format(time.RFC3339)
				}
				rows = append(rows, []string{s.Name, stateOf(s), set, s.By, s.Description})
			}
			return p.Table(fmt.Sprintf("the manifest of %s names no secrets", args[0]), "NAME STATE SET BY DESCRIPTION", rows)
		})
	}))
}

func stateOf(s adminapi.Secret) string {
	if s.State == adminapi.SecretLost {
		return s.Lost
	}
	return s.State
}

func (p *Commands) rotateCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "rotate-key",
		Short: "Replace the key that secrets are sealed with, while the server serves",
		Long: `The server makes a new key and wraps with it what the old one has wrapped: the
keys of the plugins. Their secrets stay as they are. A backup from before needs the
old key, which the server keeps until it is done and then forgets.`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			done, err := c.RotateKey(cmd.Context())
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, done)
			}
			p.Note("the secrets are sealed with the new key %s (keys of plugins wrapped: %d)", done.Key, done.Keys)
			p.Note("copy the key file to where you keep it: no backup holds it")
			return nil
		})
	}))
}
