// Package access holds the commands about who may do what: token, team, trust,
// login, logout and whoami.
package access

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which ask the server that ask finds.
func New(ask *remote.Commands) *Commands { return &Commands{ask} }

// WhoCommand returns `wasmoor whoami`.
func (p *Commands) WhoCommand() *cobra.Command {
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "whoami",
		Short: "Show whose the token is, and what it may do",
		Args:  cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			who, err := c.Who(cmd.Context())
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, who)
			}
			return p.Table("", "NAME KIND ROLE PLUGINS TEAM TOKEN", [][]string{{who.Name, who.Kind, who.Role, who.Plugins, dash(who.Team), dash(who.Token)}})
		})
	}))
	p.Flags(cmd.Flags())
	return cmd
}

// TokenCommand returns `wasmoor token`, with commands of others about tokens.
func (p *Commands) TokenCommand(more ...*cobra.Command) *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "token",
		Short: "Make, list, rotate and revoke tokens",
		Long: `A token lets its holder use the admin API, in a role and for some plugins:

  viewer    sees how plugins do, and their logs
  deployer  also changes what they run, their vars and their keys
  operator  also decides their grants and limits, and what is removed
  owner     also decides about tokens, teams and trust

The server keeps no token, only its SHA-256. The token of its owner is the file
admin.token in its data folder.`,
	})
	for _, sub := range []*cobra.Command{p.createCommand(), p.listCommand(), p.rotateCommand(), p.revokeCommand()} {
		p.Flags(sub.Flags())
		cmd.AddCommand(sub)
	}
	cmd.AddCommand(more...)
	return cmd
}

func (p *Commands) createCommand() *cobra.Command {
	var spec adminapi.TokenSpec
	var expires string
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "create NAME --role ROLE",
		Short: "Make a token and write it to the output, this once",
		Example: `  wasmoor token create ann --role deployer --plugins "shop,shop-*"
  wasmoor token create grafana --role viewer --expires never > grafana.token`,
		Args: cli.Takes("NAME"),
	}, func(cmd *cobra.Command, args []string) error {
		spec.Name = args[0]
		if spec.Role == "" {
			return cli.Usage("--role is missing: name one of viewer, deployer, operator and owner")
		}
		lifetime, forever, err := readLifetime(expires)
		if err != nil {
			return err
		}
		spec.Seconds, spec.Forever = int64(lifetime/time.Second), forever
		return p.Talk(func(c *client.Client) error {
			made, err := c.CreateToken(cmd.Context(), spec)
			return p.showMade(made, err)
		})
	}))
	flags := cmd.Flags()
	flags.StringVar(&spec.Role, "role", "", "viewer, deployer, operator or owner")
	flags.StringVar(&spec.Plugins, "plugins", "", `for which plugins: names with * for any characters, with commas between (default all)`)
	flags.StringVar(&spec.Team, "team", "", "for the plugins of this team alone")
	flags.StringVar(&expires, "expires", "90d", "how long it lasts, e.g. 12h or 30d, or never")
	return cmd
}

// readLifetime reads a time in which days may stand, or never.
func readLifetime(text string) (lifetime time.Duration, forever bool, err error) {
	if text == "never" {
		return 0, true, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 12)
		lifetime = time.Duration(n) * 24 * time.Hour
		if err == nil && n > 0 && n <= 3650 {
			return lifetime, false, nil
		}
	} else if lifetime, err = time.ParseDuration(text); err == nil && lifetime >= time.Second {
		return lifetime.Truncate(time.Second), false, nil
	}
	return 0, false, cli.Usage("--expires: %q is no time such as 12h or 90d, of ten years at the most, nor never", text)
}

// showMade writes the secret of a new token to the output, and the rest for people.
func (p *Commands) showMade(made adminapi.TokenMade, err error) error {
	if err != nil || p.AsJSON {
		return p.JSONUnless(err, made)
	}
	p.Note("made the token %s of %s: %s of %s%s, %s; this is the only time that it is shown",
		made.ID, made.Name, made.Role, made.Plugins, ofTeam(made.Team), until(made.Expires))
	return p.Data([]byte(made.Secret + "\n"))
}

func ofTeam(team string) string {
	if team == "" {
		return ""
	}
	return " of team " + team
}

func until(at *time.Time) string {
	if at == nil {
		return "for ever"
	}
	return "until " + term.Date(*at)
}

func (p *Commands) listCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "list",
		Short: "List the tokens and log-ins, the oldest first",
		Args:  cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			tokens, err := c.Tokens(cmd.Context())
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(tokens))
			}
			var rows [][]string
			for _, t := range tokens {
				rows = append(rows, []string{
					t.ID, t.Name, t.Kind, t.Role, t.Plugins, dash(t.Team), t.State, dateOr(t.Expires, "never"), dateOr(t.Used, "never"),
				})
			}
			return p.Table("no tokens yet; make one with: wasmoor token create", "ID NAME KIND ROLE PLUGINS TEAM STATE EXPIRES USED", rows)
		})
	}))
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func dateOr(at *time.Time, none string) string {
	if at == nil {
		return none
	}
	return term.Date(*at)
}

func (p *Commands) rotateCommand() *cobra.Command {
	var grace time.Duration
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "rotate [ID|NAME]",
		Short: "Put a new token in place of one, which goes on for a while",
		Long: `Rotate makes a token with the name, role and plugins of another, and writes it to
the output. The old one goes on for --grace, so that nothing stops while the new one
is put where it is used. Without ID it is the token that the command itself uses;
owners may rotate any.`,
		Example: `  wasmoor token rotate grafana --grace 24h`,
		Args:    cli.MayTake("ID"),
	}, func(cmd *cobra.Command, args []string) error {
		seconds := int64(grace / time.Second)
		if seconds < 0 || grace > 30*24*time.Hour {
			return cli.Usage("--grace: it is from 0s to 720h")
		}
		return p.Talk(func(c *client.Client) error {
			id, err := p.tokenID(cmd.Context(), c, cli.Argument(args, ""))
			if err != nil {
				return err
			}
			made, err := c.RotateToken(cmd.Context(), id, adminapi.Rotation{Grace: &seconds})
			return p.showMade(made, err)
		})
	}))
	cmd.Flags().DurationVar(&grace, "grace", time.Hour, "how long the old one goes on at the most; 0s = not at all")
	return cmd
}

func (p *Commands) revokeCommand() *cobra.Command {
	return p.Does(&cobra.Command{
		Use:     "revoke ID|NAME...",
		Short:   "Make tokens or log-ins worth nothing, at once",
		Example: `  wasmoor token revoke ann`,
		Args:    cli.TakesMany("ID"),
	}, func(cmd *cobra.Command, args []string) error {
		return p.Talk(func(c *client.Client) error {
			for _, arg := range args {
				id, err := p.tokenID(cmd.Context(), c, arg)
				if err != nil {
					return err
				}
				if err := c.RevokeToken(cmd.Context(), id); err != nil {
					return err
				}
				p.Note("revoked the token %s", id)
			}
			return nil
		})
	})
}

// tokenID returns the id of the token that a command line means: by its id, or by
// its name where one valid token has it; of the client's own for "".
func (p *Commands) tokenID(ctx context.Context, c *client.Client, arg string) (string, error) {
	if arg == "" {
		who, err := c.Who(ctx)
		if err == nil && who.Token == "" {
			err = fault.New(fault.Invalid, "", "this is the token of the machine's file; put a new one in its place with: wasmoor token reset-owner")
		}
		return who.Token, err
	}
	tokens, err := c.Tokens(ctx)
	if fault.CodeOf(err) == fault.Denied {
		return arg, nil // the server says what may be done to it
	}
	var ids []string
	for _, t := range tokens {
		if t.ID == arg {
			return arg, nil
		}
		if t.Name == arg && t.State == adminapi.TokenValid {
			ids = append(ids, t.ID)
		}
	}
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", fault.New(fault.NotFound, "", fmt.Sprintf("there is no token %q; see `wasmoor token list`", arg))
	case len(ids) > 1:
		return "", cli.Usage("several tokens have the name %q: name one by its id: %s", arg, strings.Join(ids, ", "))
	}
	return ids[0], nil
}

// TeamCommand returns `wasmoor team`.
func (p *Commands) TeamCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "team",
		Short: "Give plugins to teams, with quotas",
		Long: `A team owns the plugins of a pattern. A token with --team reaches no others, and no
plugin is of two teams. The quotas hold for all plugins of the team together: their
instances grow to no more than --memory, and a commit that would have them store
more than --disk is refused. With --weight 4 each of them has four shares of the
processors where a plugin of no team has one. A change holds at once.`,
	})
	for _, sub := range []*cobra.Command{p.teamSetCommand(), p.teamListCommand(), p.teamDeleteCommand()} {
		p.Flags(sub.Flags())
		cmd.AddCommand(sub)
	}
	return cmd
}

func (p *Commands) teamSetCommand() *cobra.Command {
	var spec adminapi.TeamSpec
	var memory, disk string
	cmd := p.Does(&cobra.Command{
		Use:     "set NAME --plugins PATTERN",
		Short:   "Make a team, or change it: what is not named is no bound",
		Example: `  wasmoor team set shop --plugins "shop,shop-*" --memory 512MiB --disk 2GiB --weight 4`,
		Args:    cli.Takes("NAME"),
	}, func(cmd *cobra.Command, args []string) (err error) {
		if spec.Plugins == "" {
			return cli.Usage(`--plugins is missing: name its plugins, e.g. --plugins "shop,shop-*"`)
		}
		if spec.Memory, err = readSize("memory", memory); err != nil {
			return err
		}
		if spec.Disk, err = readSize("disk", disk); err != nil {
			return err
		}
		if spec.Weight < 0 || spec.Weight > 100 {
			return cli.Usage("--weight is from 1 to 100")
		}
		return p.Talk(func(c *client.Client) error {
			if err := c.SetTeam(cmd.Context(), args[0], spec); err != nil {
				return err
			}
			p.Note("set the team %s", args[0])
			return nil
		})
	})
	flags := cmd.Flags()
	flags.StringVar(&spec.Plugins, "plugins", "", "its plugins: names with * for any characters, with commas between")
	flags.StringVar(&memory, "memory", "", "what the instances of its plugins may grow to together, e.g. 512MiB")
	flags.IntVar(&spec.Weight, "weight", 0, "shares of the processors that each of its plugins has, 1 to 100; 0 = 1")
	flags.StringVar(&disk, "disk", "", "what its plugins may store together, e.g. 2GiB")
	return cmd
}

func (p *Commands) teamListCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "list",
		Short: "List the teams, with what they have of their quotas",
		Args:  cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			teams, err := c.Teams(cmd.Context())
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(teams))
			}
			var rows [][]string
			for _, t := range teams {
				rows = append(rows, []string{
					t.Name, t.Plugins, fmt.Sprint(t.UsedPlugins), part(t.UsedMemory, t.Memory), part(t.UsedDisk, t.Disk), fmt.Sprint(t.Weight),
				})
			}
			return p.Table("no teams yet; make one with: wasmoor team set", "NAME PLUGINS COUNT MEMORY DISK WEIGHT", rows)
		})
	}))
}

// part says how much of a quota is used.
func part(used, of int64) string { return term.Size(used) + " of " + sizeOr(of) }

func (p *Commands) teamDeleteCommand() *cobra.Command {
	return p.Does(&cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a team; its plugins stay",
		Args:  cli.Takes("NAME"),
	}, func(cmd *cobra.Command, args []string) error {
		return p.Talk(func(c *client.Client) error {
			if err := c.DeleteTeam(cmd.Context(), args[0]); err != nil {
				return err
			}
			p.Note("deleted the team %s", args[0])
			return nil
		})
	})
}

func readSize(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	size, err := limit.ParseSize(text)
	if err != nil {
		return 0, cli.Usage("--%s: %s", flag, err)
	}
	return size, nil
}

func sizeOr(size int64) string {
	if size == 0 {
		return "-"
	}
	return term.Size(size)
}
