package tend

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// PauseCommand returns `wasmoor pause`.
func (p *Commands) PauseCommand() *cobra.Command {
	var (
		writes bool
		retry  time.Duration
		page   string
	)
	cmd := p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "pause NAME",
		Short: "Answer the requests of a plugin with 503, or refuse its writes",
		Long: `Clients are answered 503 with Retry-After, and with a page if you give one. What runs
goes on. With --writes the plugin serves, and a request that has written is answered
503 in place of its commit; when the command returns, no commit is under way. A pause
outlives deployments and restarts, until wasmoor resume.`,
		Example: `  wasmoor pause shop
  wasmoor pause shop --retry-after 10m --page closed.html
  wasmoor pause shop --writes`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if retry < time.Second || retry > 24*time.Hour || retry%time.Second != 0 {
			return cli.Usage("--retry-after takes whole seconds, from 1s to 24h")
		}
		in := adminapi.Pause{Writes: writes, RetryAfter: int(retry / time.Second)}
		if page != "" {
			text, err := cli.ReadFile(cmd.Context(), page, "read the page", adminapi.MaxPage)
			if err != nil {
				return err
			}
			in.Page, in.Plain = string(text), strings.EqualFold(filepath.Ext(page), ".txt")
		}
		name := args[0]
		return p.About(cmd.Context(), name, func(c *client.Client) error {
			held, err := c.Pause(cmd.Context(), name, in)
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, held)
			}
			what := "paused"
			if writes {
				what = "takes no writes"
			}
			p.Note("%s %s; to end that run: wasmoor resume %s", name, what, name)
			if held.Running > 0 {
				p.Note("%d requests had begun and go on; see: wasmoor requests %s", held.Running, name)
			}
			return nil
		})
	})))
	cmd.Flags().BoolVar(&writes, "writes", false, "serve, and refuse what requests write")
	cmd.Flags().DurationVar(&retry, "retry-after", time.Minute, "when clients are told to try again")
	cmd.Flags().StringVar(&page, "page", "", "file with what clients are answered, at most 64 KiB: HTML, or text in a .txt")
	return cmd
}

// ResumeCommand returns `wasmoor resume`.
func (p *Commands) ResumeCommand() *cobra.Command {
	return p.Asks(p.Quick(p.Does(&cobra.Command{
		Use:               "resume NAME",
		Short:             "Let a paused plugin serve again",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			if err := c.Resume(cmd.Context(), args[0]); err != nil {
				return err
			}
			p.Note("%s serves again", args[0])
			return nil
		})
	})))
}

// EgressCommand returns `wasmoor egress`.
func (p *Commands) EgressCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "egress",
		Short: "End the calls of plugins to other services, or let them go again",
		Long: `Off cuts the calls that are under way and refuses others; the handler is told that
they are denied. It outlives deployments and restarts. A plugin is off that is off
itself, or while all are.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.Quick(p.egress("off", "End the calls of a plugin, or of all", true)), p.Quick(p.egress("on", "Let the calls of a plugin go again, or those of all", false)))
	return cmd
}

func (p *Commands) egress(word, short string, off bool) *cobra.Command {
	var all bool
	cmd := p.Does(&cobra.Command{
		Use:   word + " NAME|--all",
		Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return cli.Takes()(cmd, args)
			}
			return cli.Takes("NAME")(cmd, args)
		},
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		name, whose := "", "all plugins"
		do := p.Talk
		if !all {
			name, whose = args[0], args[0]
			do = func(do func(*client.Client) error) error { return p.About(cmd.Context(), name, do) }
		}
		return do(func(c *client.Client) error {
			if err := c.Egress(cmd.Context(), name, off); err != nil {
				return err
			}
			if !off && !all {
				if it, err := c.Plugin(cmd.Context(), name); err != nil {
					return err
				} else if it.EgressOff != nil {
					p.Note("calls of %s to other services stay off, as those of all plugins are; to end that run: wasmoor egress on --all", name)
					return nil
				}
			}
			p.Note("calls of %s to other services are %s", whose, word)
			return nil
		})
	})
	cmd.Flags().BoolVar(&all, "all", false, "of all plugins")
	return cmd
}

// RequestsCommand returns `wasmoor requests`.
func (p *Commands) RequestsCommand() *cobra.Command {
	cmd := p.Quick(p.Reads(p.Does(&cobra.Command{
		Use:   "requests NAME",
		Short: "Show the requests that a plugin has at the moment, and end some",
		Example: `  wasmoor requests shop
  wasmoor requests kill 01JDQ7YQ0T8Z3V5M6N1B2C3D4E`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			requests, err := c.Running(cmd.Context(), args[0])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(requests))
			}
			var rows [][]string
			for _, r := range requests {
				rows = append(rows, []string{
					r.ID, doing(r), age(r), fmt.Sprint(r.Attempt), fmt.Sprint(r.Version), r.Remote, r.Method + " " + r.Path,
				})
			}
			return p.Table(fmt.Sprintf("%s has no requests at the moment", args[0]), "ID STATE AGE ATTEMPT VERSION CLIENT REQUEST", rows)
		})
	})))
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.Quick(p.killCommand()))
	return cmd
}

func doing(r adminapi.Running) string {
	if r.Calling != "" {
		return "in call to " + r.Calling
	}
	return r.State
}

func age(r adminapi.Running) string {
	return time.Duration(r.Age * float64(time.Millisecond)).Round(time.Millisecond).String()
}

func (p *Commands) killCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "kill ID",
		Short: "End the running requests with an id",
		Long: `Their clients are answered 503, and nothing of what they have written is kept. A
request whose commit has begun is not ended: it is over in a moment.`,
		Args: cli.Takes("ID"),
	}, func(cmd *cobra.Command, args []string) error {
		return p.Talk(func(c *client.Client) error {
			killed, err := c.Kill(cmd.Context(), args[0])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, killed)
			}
			p.Note("ended %d of request %s", killed.Requests, args[0])
			return nil
		})
	}))
}
