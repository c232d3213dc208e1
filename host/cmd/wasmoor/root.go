package main

import (
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/author"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/server"
)

// Groups of the help text.
const (
	groupAuthor  = "author"
	groupOperate = "operate"
)

// root returns the command tree. Every command stands here; a new one is written in
// the package of its kind, which says how: author, remote or server.
func root(p *cli.Program) *cobra.Command {
	root := p.Parent(&cobra.Command{
		Use:   "wasmoor",
		Short: "Serve WebAssembly plugins, write them, operate them",
		Long: `wasmoor serves WebAssembly plugins: upload a module, it answers routes. Every
request is one transaction in a store of the plugin's own.

First steps:
  wasmoor new hello && cd hello && wasmoor dev     write a plugin and try it
  wasmoor serve                                    serve plugins, in another terminal
  wasmoor deploy                                   deploy the project of this folder`,
	})
	root.AddGroup(
		&cobra.Group{ID: groupAuthor, Title: "Write a plugin:"},
		&cobra.Group{ID: groupOperate, Title: "Serve and operate:"},
	)
	root.PersistentFlags().BoolVar(&p.NoColor, "no-color", false, "no colour, as with NO_COLOR or TERM=dumb")
	ask := remote.New(p)
	run := server.New(p, ask)
	write := author.New(p, run)
	root.AddCommand(
		in(groupAuthor, write.NewCommand()),
		in(groupAuthor, write.DevCommand()),
		in(groupAuthor, write.CallCommand()),
		in(groupAuthor, write.PackCommand()),
		in(groupAuthor, write.InspectCommand()),
		in(groupAuthor, write.SDKCommand()),
		in(groupOperate, run.ServeCommand()),
		in(groupOperate, run.PrecompileCommand()),
		in(groupOperate, run.VerifyCommand()),
		in(groupOperate, run.DataCommand()),
		in(groupOperate, ask.DeployCommand()),
		in(groupOperate, ask.ListCommand()),
		in(groupOperate, ask.ShowCommand()),
		in(groupOperate, ask.VersionsCommand()),
		in(groupOperate, ask.DeploymentsCommand()),
		in(groupOperate, ask.ActivateCommand()),
		in(groupOperate, ask.RollbackCommand()),
		in(groupOperate, ask.DeleteCommand()),
		in(groupOperate, ask.VarCommand()),
		in(groupOperate, ask.LimitsCommand()),
		in(groupOperate, ask.CORSCommand()),
		in(groupOperate, ask.KVCommand()),
		in(groupOperate, ask.AuditCommand()),
		in(groupOperate, ask.PruneCommand()),
		in(groupOperate, ask.TraceCommand()),
		versionCommand(p),
		run.BuildArtefactCommand(),
		cli.ExitCodes(),
	)
	return root
}

func in(group string, cmd *cobra.Command) *cobra.Command {
	cmd.GroupID = group
	return cmd
}
