package database

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// MigrateCommand returns `wasmoor migrate`.
func (p *Commands) MigrateCommand() *cobra.Command {
	plan := false
	cmd := p.Quick(p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "migrate NAME [VERSION] --plan",
		Short: "Show which migrations a version would run on the databases of its plugin",
		Long: `Migrate shows the migrations of each database that a version has, the newest one if none
is said: those that the database has had, and those that run when the version is activated.
It changes nothing: migrations run before a version serves, and with nothing else. It exits
with 5 where they cannot run, or the version cannot serve with what the database has had,
and says why.`,
		Example: `  wasmoor migrate crm --plan
  wasmoor migrate crm 7 --plan --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return cli.Takes("NAME")(cmd, args)
		},
		ValidArgsFunction: p.CompleteVersions,
	}, func(cmd *cobra.Command, args []string) error {
		version := 0
		if len(args) == 2 {
			var err error
			if version, err = cli.Version(args); err != nil {
				return err
			}
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			return p.migrate(cmd.Context(), c, args[0], version, plan)
		})
	}))))
	cmd.Flags().BoolVar(&plan, "plan", false, "show them, and do not say how they run")
	return cmd
}

// migrate shows the migrations of a version; 0 = the newest.
func (p *Commands) migrate(ctx context.Context, c *client.Client, name string, version int, planned bool) error {
	if version == 0 {
		it, err := c.Plugin(ctx, name)
		if err != nil {
			return err
		}
		version = it.Versions
	}
	plans, err := c.Migrations(ctx, name, version)
	if err != nil {
		return err
	}
	if p.AsJSON {
		err = p.JSON(term.List(plans))
	} else {
		err = p.Table(fmt.Sprintf("version %d of %s has no migrations", version, name), "DATABASE MIGRATION STATE", rowsOf(plans))
	}
	if err != nil {
		return err
	}
	if !planned {
		p.Note("nothing was run: migrations run before a version serves, with `wasmoor activate %s %d`", name, version)
	}
	for _, plan := range plans {
		if plan.Obstacle != "" {
			return fault.New(fault.Conflict, "", plan.Obstacle)
		}
	}
	return nil
}

func rowsOf(plans []adminapi.MigrationPlan) (rows [][]string) {
	for _, plan := range plans {
		for _, m := range plan.Migrations {
			state := "pending"
			if m.Applied != "" {
				state = "applied " + m.Applied
			}
			if m.Unknown {
				state += ", unknown to this version"
			}
			if m.Compatible {
				state += ", compatible with versions before"
			}
			rows = append(rows, []string{plan.Database, m.Name, state})
		}
	}
	return rows
}
