// Package database holds the commands about the SQLite databases of plugins: statements,
// copies as files, and migrations. They talk to a server as those of package remote do.
package database

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands, which find their server as those of p do.
func New(p *remote.Commands) *Commands { return &Commands{p} }

// asked is the command line of `wasmoor sql`.
type asked struct {
	of        adminapi.DatabaseRef
	statement string // "" = from standard input
	write     bool
	limit     int

	list, dump             bool
	exportFile, importFile string
	force, yes             bool
}

// SQLCommand returns `wasmoor sql`.
func (p *Commands) SQLCommand() *cobra.Command {
	in := asked{}
	cmd := p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "sql NAME [STATEMENT]",
		Short: "Query a SQLite database of a plugin, copy it out, or put a file in its place",
		Long: `Sql runs a statement on a database of a plugin, in a transaction among those of its
requests. Without --write a statement may change nothing. Without STATEMENT it asks for
statements at a terminal, where .tables, .schema [TABLE] and .quit work too, and else reads
them from standard input; the first that fails ends it. What is between BEGIN and COMMIT
is one transaction, which may change as much as a request may.

--export writes the database as a file that SQLite opens, all of one revision. --import
puts a file in place of the database: it is checked first, and the plugin reads what was
there, and writes nothing, until all of it is in. --dump writes statements: sqlite3 makes
a file of them, and so does wasmoor sql --write, of what fits into one transaction and has
no virtual tables; --import takes the file of any other. Each of these is in the audit; the
values that a statement finds are not.`,
		Example: `  wasmoor sql crm 'SELECT id, name FROM customers ORDER BY id' --limit 20
  wasmoor sql crm --write "UPDATE customers SET name = 'Ann' WHERE id = 7"
  wasmoor sql crm --export crm.sqlite
  wasmoor sql crm-staging --import crm.sqlite
  wasmoor sql crm --dump | sqlite3 crm.sqlite`,
		Args:              takes,
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		in.of.Name = args[0]
		if len(args) > 1 {
			in.statement = args[1]
		}
		return p.sql(cmd.Context(), in)
	})))
	flags := cmd.Flags()
	flags.StringVar(&in.of.Database, "db", "", "name of the database (default the only one, else main)")
	flags.BoolVar(&in.write, "write", false, "statements may change the database")
	flags.IntVar(&in.limit, "limit", 1000, "how many rows at most")
	flags.BoolVar(&in.list, "list", false, "list the databases")
	flags.BoolVar(&in.dump, "dump", false, "write the database as statements, as .dump of sqlite3 does")
	flags.StringVar(&in.exportFile, "export", "", "write the database into this file; - = standard output")
	flags.BoolVar(&in.force, "force", false, "with --export, replace a file that is there")
	flags.StringVar(&in.importFile, "import", "", "put this file of SQLite in place of the database; - = standard input")
	flags.BoolVar(&in.yes, "yes", false, "with --import, do not ask")
	_ = cmd.RegisterFlagCompletionFunc("db", p.completeDatabases)
	return cmd
}

// takes checks the arguments: a plugin, and maybe a statement.
func takes(cmd *cobra.Command, args []string) error {
	if len(args) == 2 && strings.TrimSpace(args[1]) == "" {
		return fmt.Errorf("STATEMENT is empty")
	}
	if len(args) > 2 {
		return fmt.Errorf("%q is one argument too many; put the statement in quotes", args[2])
	}
	return cli.Takes("NAME")(cmd, args[:min(len(args), 1)])
}

// check refuses what cannot go together.
func (in *asked) check() error {
	ways := 0
	for _, one := range []bool{in.statement != "", in.list, in.dump, in.exportFile != "", in.importFile != ""} {
		if one {
			ways++
		}
	}
	switch {
	case ways > 1:
		return cli.Usage("a STATEMENT, --list, --dump, --export and --import exclude each other")
	case in.limit < 1 || in.limit > adminapi.MaxQueryRows:
		return cli.Usage("--limit must be 1 to %d, not %d", adminapi.MaxQueryRows, in.limit)
	}
	return nil
}

func (p *Commands) sql(ctx context.Context, in asked) error {
	if err := in.check(); err != nil {
		return err
	}
	return p.About(ctx, in.of.Name, func(c *client.Client) error {
		all, err := c.Databases(ctx, in.of.Name)
		if err != nil {
			return err
		}
		if in.list {
			return p.list(all)
		}
		one, err := choose(&in, all)
		if err != nil {
			return err
		}
		s := &session{Commands: p, ctx: ctx, client: c, asked: in}
		switch {
		case in.dump:
			return p.dump(ctx, c, in, one)
		case in.exportFile != "":
			return p.export(ctx, c, in, one)
		case in.importFile != "":
			return p.importFile(ctx, c, in, one)
		case in.statement != "":
			return s.command()
		case term.IsTerminal(p.Stdin):
			return s.prompt()
		}
		return s.read(p.Stdin)
	})
}

// choose finds the database that is meant.
func choose(in *asked, all []adminapi.Database) (adminapi.Database, error) {
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	name := in.of.Database
	switch {
	case name != "":
	case len(all) == 0:
		return adminapi.Database{}, cli.Usage("plugin %q has no database: neither has its manifest a [sql.NAME], nor was one ever written", in.of.Name)
	case len(all) == 1:
		name = names[0]
	default:
		name = "main"
	}
	i := slices.Index(names, name)
	if i < 0 && in.of.Database == "" {
		return adminapi.Database{}, cli.Usage("plugin %q has the databases %s; name one with --db", in.of.Name, strings.Join(names, ", "))
	}
	if i < 0 {
		return adminapi.Database{}, cli.Usage("plugin %q has no database %q; it has %s", in.of.Name, name, term.Joined(names, "none"))
	}
	in.of.Database = name
	return all[i], nil
}

func (p *Commands) list(all []adminapi.Database) error {
	if p.AsJSON {
		return p.JSON(term.List(all))
	}
	var rows [][]string
	for _, d := range all {
		state := ""
		switch {
		case d.Held:
			state = "held: it takes no writes while a migration or an import runs"
		case !d.Declared:
			state = "in no manifest: neither the version that serves has it, nor the newest"
		case d.Bytes == 0:
			state = "never written"
		}
		rows = append(rows, []string{d.Name, term.Size(d.Bytes), state})
	}
	return p.Table("no databases", "DATABASE SIZE NOTE", rows)
}

// completeDatabases completes --db.
func (p *Commands) completeDatabases(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.Complete(cmd, func(ctx context.Context, c *client.Client) (names []string, err error) {
		all, err := c.Databases(ctx, args[0])
		for _, d := range all {
			names = append(names, cobra.CompletionWithDesc(d.Name, term.Size(d.Bytes)))
		}
		return names, err
	})
}
