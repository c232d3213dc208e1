package access

import (
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// LogoutCommand returns `wasmoor logout`.
func (p *Commands) LogoutCommand() *cobra.Command {
	cmd := p.Does(&cobra.Command{
		Use:   "logout",
		Short: "Forget the log-in at the server, which takes its token no longer",
		Long: `Logout removes what login keeps in your config folder, and makes its token worth
nothing at the server. Other tokens are left alone.`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		token, kept, err := p.ForgetLogin()
		switch {
		case err != nil:
			return err
		case !kept:
			p.Note("nobody is logged in at %s", p.Server())
			return nil
		case token == "":
			p.Note("logged out of %s; the log-in had ended", p.Server())
			return nil
		}
		err = p.TalkAs(token, func(c *client.Client) error {
			who, err := c.Who(cmd.Context())
			if err != nil {
				return err
			}
			return c.RevokeToken(cmd.Context(), who.Token)
		})
		switch code := fault.CodeOf(err); {
		case code == fault.Unauthenticated: // it was worth nothing already
		case err != nil:
			return fault.Wrap(code, "log out", "the log-in is forgotten here, and the server still takes its token until it ends; an owner finds it with \"wasmoor token list\" and ends it with \"wasmoor token revoke ID\"", err)
		}
		p.Note("logged out of %s", p.Server())
		return nil
	})
	p.Flags(cmd.Flags())
	return cmd
}
