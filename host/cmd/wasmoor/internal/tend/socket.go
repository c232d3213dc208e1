package tend

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// SocketCommand returns `wasmoor socket`.
func (p *Commands) SocketCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "socket",
		Short: "Show and close the sockets of plugins",
		Long: `Sockets are the WebSockets and event streams that plugins keep open with [[socket]]. The
streams of live answers are none.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.Quick(p.Reads(p.socketList())), p.Quick(p.Reads(p.socketClose())))
	return cmd
}

func (p *Commands) socketList() *cobra.Command {
	var limit int
	cmd := p.Does(&cobra.Command{
		Use:               "list NAME",
		Short:             "List the open sockets of a plugin, those that were opened first first",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if limit < 1 || limit > 10000 {
			return cli.Usage("--limit takes a number from 1 to 10000")
		}
		q := adminapi.SocketsQuery{PluginRef: adminapi.PluginRef{Name: args[0]}, Limit: limit}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			page, err := c.Sockets(cmd.Context(), q)
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, page)
			}
			var rows [][]string
			for _, s := range page.Sockets {
				rows = append(rows, []string{s.ID, s.Kind, s.Pattern, s.Client, moment(s.Opened), fmt.Sprint(s.Waiting), short(strings.Join(s.Topics, ","))})
			}
			if err := p.Table(args[0]+" has no open sockets", "ID KIND PATTERN CLIENT OPENED WAITING TOPICS", rows); err != nil {
				return err
			}
			if n := page.Open - len(page.Sockets); n > 0 {
				p.Note("there are %d more; see them with --limit", n)
			}
			return nil
		})
	})
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many")
	return cmd
}

func (p *Commands) socketClose() *cobra.Command {
	var (
		all    bool
		reason string
	)
	cmd := p.Does(&cobra.Command{
		Use:   "close NAME ID|--all",
		Short: "Close a socket of a plugin, or all",
		Long: `The client is sent what waits for it, and then the code 1001 and the reason. A page may
open the socket again: what keeps it from that is the plugin, or wasmoor pause.`,
		Example: `  wasmoor socket close chat 2BX6ANT4OZ5RWMD7Q3KHVGJCPLFYEIUS --reason "no flooding"
  wasmoor socket close chat --all`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || (len(args) == 1) != all {
				return cli.Usage("give NAME and the ID of a socket, or NAME --all")
			}
			return nil
		},
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if len(reason) > adminapi.MaxSocketReason {
			return cli.Usage("--reason takes at most %d bytes; it has %d", adminapi.MaxSocketReason, len(reason))
		}
		in := adminapi.CloseSockets{All: all, Reason: reason}
		if !all {
			if in.ID = args[1]; in.ID == "" {
				return cli.Usage("the ID is empty; list them with: wasmoor socket list %s", args[0])
			}
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			out, err := c.CloseSockets(cmd.Context(), args[0], in)
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, out)
			}
			p.Note("%d sockets of %s are being closed", out.Sockets, args[0])
			return nil
		})
	})
	cmd.Flags().BoolVar(&all, "all", false, "all sockets of the plugin")
	cmd.Flags().StringVar(&reason, "reason", "", "what the client is told, at most 123 bytes")
	return cmd
}
