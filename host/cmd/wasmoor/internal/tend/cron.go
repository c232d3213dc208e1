package tend

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// CronCommand returns `wasmoor cron`.
func (p *Commands) CronCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "cron",
		Short: "Show the schedules of plugins, and run them",
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.Quick(p.Reads(p.cronList())), p.Reads(p.fireCron("run")))
	return cmd
}

// crons are the schedules of a plugin.
type crons struct {
	Plugin string          `json:"plugin"`
	Crons  []adminapi.Cron `json:"crons"`
}

func (p *Commands) cronList() *cobra.Command {
	var runs bool
	cmd := p.Does(&cobra.Command{
		Use:   "list [NAME]",
		Short: "List the schedules of a plugin, or of all",
		Example: `  wasmoor cron list
  wasmoor cron list shop --runs`,
		Args:              cli.MayTake("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		list, err := p.schedules(cmd.Context(), args)
		switch {
		case err != nil || p.AsJSON:
			return p.JSONUnless(err, term.List(list))
		case runs:
			return p.Table("nothing has run yet", "PLUGIN CRON DUE BEGAN TOOK ATTEMPT OUTCOME PROBLEM", runRows(list))
		}
		return p.Table("there are no schedules", "PLUGIN CRON SCHEDULE TIMEZONE NEXT LAST DONE FAILED SKIPPED", cronRows(list))
	})
	cmd.Flags().BoolVar(&runs, "runs", false, "show the last 20 runs of each, the newest first")
	return cmd
}

// schedules returns those of the plugin that args name, or of all.
func (p *Commands) schedules(ctx context.Context, args []string) (list []crons, err error) {
	ask := func(c *client.Client, name string) error {
		own, err := c.Crons(ctx, name)
		if err == nil && len(own) > 0 {
			list = append(list, crons{name, own})
		}
		return err
	}
	if len(args) == 1 {
		err = p.About(ctx, args[0], func(c *client.Client) error { return ask(c, args[0]) })
		return list, err
	}
	err = p.Talk(func(c *client.Client) error {
		plugins, err := c.Plugins(ctx)
		for i := 0; i < len(plugins) && err == nil; i++ {
			err = ask(c, plugins[i].Name)
		}
		return err
	})
	return list, err
}

func cronRows(list []crons) (rows [][]string) {
	for _, own := range list {
		for i := range own.Crons {
			c := &own.Crons[i]
			last := "-"
			if len(c.Runs) > 0 {
				last = c.Runs[0].Outcome
			}
			rows = append(rows, []string{own.Plugin, c.Name, c.Schedule, c.Timezone, next(c), last, fmt.Sprint(c.Done), fmt.Sprint(c.Failed), fmt.Sprint(c.Skipped)})
		}
	}
	return rows
}

// next says what a schedule waits for.
func next(c *adminapi.Cron) string {
	switch {
	case c.Running:
		return "runs"
	case c.Paused:
		return "PAUSED"
	case c.Next == nil:
		return "-"
	}
	return moment(*c.Next)
}

func moment(t time.Time) string { return t.Local().Format(time.DateTime) }

func runRows(list []crons) (rows [][]string) {
	for _, own := range list {
		for i := range own.Crons {
			for _, r := range own.Crons[i].Runs {
				rows = append(rows, append([]string{own.Plugin, own.Crons[i].Name}, runRow(r)...))
			}
		}
	}
	return rows
}

func runRow(r adminapi.CronRun) []string {
	due, began, took, outcome := moment(r.Due), "-", "-", r.Outcome
	if r.Manual {
		due = "by hand"
	}
	if r.Began != nil {
		began, took = moment(*r.Began), r.Ended.Sub(*r.Began).Round(time.Millisecond).String()
	}
	if r.Times > 1 {
		outcome = fmt.Sprintf("%s (%d times)", outcome, r.Times)
	}
	return []string{due, began, took, fmt.Sprint(r.Attempt), outcome, r.Problem}
}

// fireCron returns the command word of `wasmoor cron` and of `wasmoor trigger`.
func (p *Commands) fireCron(word string) *cobra.Command {
	return p.Does(&cobra.Command{
		Use:   word + " NAME [CRON]",
		Short: "Make the request of a schedule now, and wait until it is over",
		Long: `The schedule goes on as if it had not been: what is due comes when it is due. Without
CRON the plugin has to have one schedule. After two minutes the command gives up; the run
goes on, and how it went is shown by: wasmoor cron list NAME --runs`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return cli.Usage("give the NAME of a plugin, and of a schedule where there are several")
			}
			return nil
		},
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			args, err := onlyCron(cmd, c, args)
			if err != nil {
				return err
			}
			run, err := c.CronRun(cmd.Context(), args[0], args[1])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, run)
			}
			if run.Outcome != "done" {
				return fmt.Errorf("schedule %s of %s failed: %s", args[1], args[0], run.Problem)
			}
			p.Note("schedule %s of %s is done; the handler answered %d", args[1], args[0], run.Status)
			return nil
		})
	})
}

// onlyCron adds the schedule that a plugin has.
func onlyCron(cmd *cobra.Command, c *client.Client, args []string) ([]string, error) {
	if len(args) == 2 {
		return args, nil
	}
	list, err := c.Crons(cmd.Context(), args[0])
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, cli.Usage("%s has %d schedules; name one of those of: wasmoor cron list %s", args[0], len(list), args[0])
	}
	return append(args, list[0].Name), nil
}
