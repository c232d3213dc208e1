package main

import (
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/access"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/author"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/backup"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/data"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/database"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/fleet"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/govern"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/overview"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/rollout"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/server"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/tend"
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
	act := tend.New(ask)
	step := rollout.New(ask)
	run := server.New(p, ask)
	access := access.New(ask)
	show := overview.New(ask)
	keep := backup.New(p, ask)
	write := author.New(p, run)
	rule := govern.New(ask)
	fleet := fleet.New(ask)
	move := data.New(ask)
	query := database.New(ask)
	root.AddCommand(
		in(groupAuthor, write.NewCommand()),
		in(groupAuthor, write.DevCommand()),
		in(groupAuthor, write.CallCommand()),
		in(groupAuthor, write.PackCommand()),
		in(groupAuthor, write.InspectCommand()),
		in(groupAuthor, write.SDKCommand()),
		in(groupOperate, run.ServeCommand()),
		in(groupOperate, run.ConfigCommand()),
		in(groupOperate, run.PrecompileCommand()),
		in(groupOperate, run.VerifyCommand()),
		in(groupOperate, move.OfData(run.DataCommand())),
		in(groupOperate, run.StandbyCommand()),
		in(groupOperate, show.StatusCommand()),
		in(groupOperate, show.TopCommand()),
		in(groupOperate, run.DoctorCommand()),
		in(groupOperate, keep.BackupCommand()),
		in(groupOperate, keep.RestoreCommand(run.RestoreShipped)),
		in(groupOperate, ask.DeployCommand()),
		in(groupOperate, fleet.ApplyCommand()),
		in(groupOperate, fleet.ExportCommand()),
		in(groupOperate, ask.ListCommand()),
		in(groupOperate, ask.ShowCommand()),
		in(groupOperate, ask.LogsCommand()),
		in(groupOperate, ask.VersionsCommand()),
		in(groupOperate, ask.DeploymentsCommand()),
		in(groupOperate, ask.ActivateCommand()),
		in(groupOperate, ask.RollbackCommand()),
		in(groupOperate, step.RolloutCommand()),
		in(groupOperate, step.PreviewCommand()),
		in(groupOperate, step.PinCommand()),
		in(groupOperate, step.UnpinCommand()),
		in(groupOperate, ask.DeleteCommand()),
		in(groupOperate, ask.VarCommand()),
		in(groupOperate, act.SecretCommand()),
		in(groupOperate, act.PauseCommand()),
		in(groupOperate, act.ResumeCommand()),
		in(groupOperate, act.EgressCommand()),
		in(groupOperate, act.QueueCommand()),
		in(groupOperate, act.CronCommand()),
		in(groupOperate, act.BindCommand()),
		in(groupOperate, act.UnbindCommand()),
		in(groupOperate, act.SocketCommand()),
		in(groupOperate, act.TriggerCommand()),
		in(groupOperate, act.RequestsCommand()),
		in(groupOperate, ask.LimitsCommand()),
		in(groupOperate, ask.CORSCommand()),
		in(groupOperate, move.OfKeys(ask.KVCommand())),
		in(groupOperate, query.SQLCommand()),
		in(groupOperate, query.MigrateCommand()),
		in(groupOperate, access.TokenCommand(run.ResetOwnerCommand())),
		in(groupOperate, access.TeamCommand()),
		in(groupOperate, access.TrustCommand()),
		in(groupOperate, access.LoginCommand()),
		in(groupOperate, access.LogoutCommand()),
		in(groupOperate, access.WhoCommand()),
		in(groupOperate, rule.ApprovalsCommand()),
		in(groupOperate, rule.ApproveCommand()),
		in(groupOperate, rule.RejectCommand()),
		in(groupOperate, rule.AuditCommand()),
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
