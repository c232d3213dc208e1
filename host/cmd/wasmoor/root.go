package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// program is one run of the command line: where it reads and writes, and the
// flags every command shares.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr *sink

	server    string
	token     string
	tokenFile string
	insecure  bool
	noColor   bool
	asJSON    bool

	readTime   time.Duration // how long a command that only reads waits for an answer
	answerTime time.Duration // how long this one does; 0 leaves it to the client

	running bool // a command has started: what fails from here on is not a matter of usage
}

// newProgram returns a program, which calls end when what it does cannot be seen
// any more: its data cannot be written, or nobody reads its messages. A log that
// cannot be written for another reason, e.g. on a full disk, does not end it.
func newProgram(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer, end func()) *program {
	return &program{
		getenv: getenv, readTime: 15 * time.Second,
		stdin:  stdin,
		stdout: &sink{w: stdout, failed: func(error) { end() }},
		stderr: &sink{w: stderr, failed: func(err error) {
			if readerGone(err) {
				end()
			}
		}},
	}
}

// Groups of the help text.
const (
	groupAuthor  = "author"
	groupOperate = "operate"
)

// root returns the command tree. Every command stands here.
func (p *program) root() *cobra.Command {
	root := p.parent(&cobra.Command{
		Use:   "wasmoor",
		Short: "Serve WebAssembly plugins, write them, operate them",
		Long: `wasmoor serves WebAssembly plugins: upload a module, it answers routes. Every
request is one transaction in a store of the plugin's own.

First steps:
  wasmoor new hello && cd hello && wasmoor dev     write a plugin and try it
  wasmoor serve                                    serve plugins, in another terminal
  wasmoor deploy                                   deploy the project of this folder`,
	}, "")
	root.AddGroup(
		&cobra.Group{ID: groupAuthor, Title: "Write a plugin:"},
		&cobra.Group{ID: groupOperate, Title: "Serve and operate:"},
	)
	root.PersistentFlags().BoolVar(&p.noColor, "no-color", false, "no colour, as with NO_COLOR or TERM=dumb")
	root.AddCommand(
		in(groupAuthor, p.newCommand()),
		in(groupAuthor, p.devCommand()),
		in(groupAuthor, p.callCommand()),
		in(groupAuthor, p.packCommand()),
		in(groupAuthor, p.inspectCommand()),
		p.sdkCommand(),
		in(groupOperate, p.serveCommand()),
		in(groupOperate, p.remote(p.precompileCommand())),
		in(groupOperate, p.verifyCommand()),
		in(groupOperate, p.remote(p.deployCommand())),
		in(groupOperate, p.remote(p.quick(p.listCommand()))),
		in(groupOperate, p.remote(p.quick(p.showCommand()))),
		in(groupOperate, p.remote(p.quick(p.versionsCommand()))),
		in(groupOperate, p.remote(p.quick(p.deploymentsCommand()))),
		in(groupOperate, p.remote(p.activateCommand())),
		in(groupOperate, p.remote(p.rollbackCommand())),
		in(groupOperate, p.remote(p.deleteCommand())),
		in(groupOperate, p.varCommand()),
		in(groupOperate, p.corsCommand()),
		in(groupOperate, p.kvCommand()),
		in(groupOperate, p.remote(p.quick(p.auditCommand()))),
		p.versionCommand(),
		p.buildArtefactCommand(),
		exitCodesTopic(),
	)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{command: cmd.CommandPath(), text: err.Error()}
	})
	root.SilenceErrors, root.SilenceUsage = true, true
	return root
}

func in(group string, cmd *cobra.Command) *cobra.Command {
	cmd.GroupID = group
	return cmd
}

// action is what a command does once its arguments are known to be good.
type action func(cmd *cobra.Command, args []string) error

// does makes do the command's action.
func (p *program) does(cmd *cobra.Command, do action) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.running = true
		return do(cmd, args)
	}
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{command: cmd.CommandPath(), text: err.Error()}
		}
		return nil
	}
	return cmd
}

// parent makes cmd one that only has sub-commands: by itself it shows its help,
// and a name it does not know is an error with a suggestion.
func (p *program) parent(cmd *cobra.Command, group string) *cobra.Command {
	cmd.GroupID = group
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		text := fmt.Sprintf("unknown command %q", args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += fmt.Sprintf("; did you mean %q?", near[0])
		}
		return &usageError{command: cmd.CommandPath(), text: text}
	}
	return cmd
}

// remote gives a command that talks to a server the flags that say which.
func (p *program) remote(cmd *cobra.Command) *cobra.Command {
	p.remoteFlags(cmd.Flags())
	return cmd
}

func (p *program) remoteFlags(flags *pflag.FlagSet) {
	flags.StringVar(&p.server, "server", "", "URL of the admin API (env WASMOOR_SERVER, default "+defaultServer+")")
	flags.StringVar(&p.token, "token", "", "admin token; other users of this machine can see it, prefer --token-file (env WASMOOR_TOKEN)")
	flags.StringVar(&p.tokenFile, "token-file", "", "file with the admin token (env WASMOOR_TOKEN_FILE, default admin.token of the local server's data)")
	flags.BoolVar(&p.insecure, "insecure", false, "send the token unencrypted to another machine")
}

// reads gives a command that shows data its --json flag.
func (p *program) reads(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&p.asJSON, "json", false, "write JSON")
	return cmd
}

// quick makes a command one that the server answers at once, so that it does not
// wait as long as a deploy.
func (p *program) quick(cmd *cobra.Command) *cobra.Command {
	do := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.answerTime = p.readTime
		return do(cmd, args)
	}
	return cmd
}

// takes checks that a command gets the arguments its usage line names, and says
// which one is missing.
func takes(names ...string) cobra.PositionalArgs {
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

// mayTake is takes for a last argument that has a default.
func mayTake(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%q is one argument too many: one %s is enough", args[1], name)
		}
		return nil
	}
}

// argument returns args[0], or fallback without one.
func argument(args []string, fallback string) string {
	if len(args) == 0 {
		return fallback
	}
	return args[0]
}
