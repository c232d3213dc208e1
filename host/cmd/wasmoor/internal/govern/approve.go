package govern

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ApprovalsCommand returns `wasmoor approvals`.
func (p *Commands) ApprovalsCommand() *cobra.Command {
	return p.Asks(p.Quick(p.Reads(p.Does(&cobra.Command{
		Use:   "approvals",
		Short: "List the versions that wait for an approval, with what they ask for and why",
		Long: `Approvals lists the versions that wait for an approval. A line with + is what the
version asks for and the plugin has not, one with - what the plugin would give back.
DIGEST stands for all lines of a version; 'wasmoor approve' takes it.`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			waiting, err := c.Approvals(cmd.Context())
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(waiting))
			}
			var rows [][]string
			for _, w := range waiting {
				for _, ask := range w.Asks {
					rows = append(rows, []string{w.Plugin, strconv.Itoa(w.Version), w.By, term.Date(w.Created), short(w.Digest), ask.Signed(), ask.Reason})
					for _, line := range ask.About {
						rows = append(rows, []string{"", "", "", "", "", "  " + line, ""})
					}
				}
			}
			return p.Table("no version waits for an approval", "PLUGIN VERSION BY CREATED DIGEST ASKS REASON", rows)
		})
	}))))
}

// minDigest is how many digits of a digest people copy: so many that nobody makes a
// module whose digest begins with them as well.
const minDigest = 12

// short returns them.
func short(digest string) string { return digest[:min(minDigest, len(digest))] }

// ApproveCommand returns `wasmoor approve`.
func (p *Commands) ApproveCommand() *cobra.Command {
	var digest string
	var yes bool
	cmd := p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "approve NAME [VERSION]",
		Short: "Grant what a version asks for, and let it serve",
		Long: `Approve grants what a version asks for beyond what its plugin has, and activates it
where its upload wants it to serve. Without VERSION it is the only one that waits. It
shows what it grants first, and on a terminal it asks. With --digest it grants what
'wasmoor approvals' listed with that digest, and nothing else. It takes the role
operator. The audit says who approved what.`,
		Example: `  wasmoor approve shop 4
  wasmoor approve shop 4 --digest 3f2b8c0d11aa`,
		Args:              nameAndVersion,
		ValidArgsFunction: p.CompleteVersions,
	}, func(cmd *cobra.Command, args []string) error {
		number, err := version(args)
		if err == nil && digest != "" && len(digest) < minDigest {
			err = cli.Usage("--digest %q is too short: it takes the %d digits that `wasmoor approvals` shows, or more of them", digest, minDigest)
		}
		if err != nil {
			return err
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			v, err := waiting(cmd.Context(), c, args[0], number)
			if err != nil {
				return err
			}
			for _, ask := range v.Asks {
				p.Note("  %s", term.Printable(ask.Signed()+ask.Because()))
				for _, line := range ask.About {
					p.Note("      %s", term.Printable(line))
				}
			}
			switch {
			case !strings.HasPrefix(v.AskDigest, digest):
				return fault.New(fault.Conflict, "approve", fmt.Sprintf(
					"version %d of %s does not ask for what --digest %s stands for, but for the above; to grant that run: wasmoor approve %[2]s %[1]d --digest %[4]s", v.Number, args[0], digest, short(v.AskDigest)))
			case digest == "" && !yes && term.IsTerminal(p.Stdin) && !p.Ask(fmt.Sprintf("Grant it to %s, and let version %d serve?", args[0], v.Number)):
				p.Note("nothing was changed")
				return cli.Ended(cli.ExitFailure)
			}
			changed, err := c.Approve(cmd.Context(), args[0], adminapi.Approve{Version: v.Number, Digest: v.AskDigest})
			if err != nil {
				return err
			}
			if !p.AsJSON {
				changed.Asks = nil // they were shown
			}
			return p.ShowActivation(cmd.Context(), c, changed)
		})
	})))
	cmd.Flags().StringVar(&digest, "digest", "", "of what was looked at, as 'wasmoor approvals' shows it (12 digits, or more of them)")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// RejectCommand returns `wasmoor reject`.
func (p *Commands) RejectCommand() *cobra.Command {
	var reason string
	cmd := p.Asks(p.Quick(p.Does(&cobra.Command{
		Use:   "reject NAME [VERSION]",
		Short: "Decide that a version does not get what it asks for",
		Long: `Reject takes a version from those that wait: it will not serve, and nobody can
approve it any more. Without VERSION it is the only one that waits. A version that
had what it asks for once, and does not serve, can be rejected too: nobody goes back
to it then. What serves stays. To ask again, its author deploys it again. It takes the
role operator. 'wasmoor versions' and 'wasmoor show' tell the author who rejected it
and why.`,
		Example:           `  wasmoor reject shop 4 --reason "ask for one host, not for *.example.com"`,
		Args:              nameAndVersion,
		ValidArgsFunction: p.CompleteVersions,
	}, func(cmd *cobra.Command, args []string) error {
		number, err := version(args)
		if err != nil {
			return err
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			if number == 0 {
				v, err := waiting(cmd.Context(), c, args[0], 0)
				if err != nil {
					return err
				}
				number = v.Number
			}
			if err := c.Reject(cmd.Context(), args[0], adminapi.Reject{Version: number, Reason: reason}); err != nil {
				return err
			}
			p.Note("rejected version %d of %s", number, args[0])
			return nil
		})
	})))
	cmd.Flags().StringVar(&reason, "reason", "", "for whoever deployed it: one line")
	return cmd
}

// nameAndVersion takes NAME, and VERSION or none.
func nameAndVersion(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return cli.Takes("NAME")(cmd, args)
	}
	return cli.Takes("NAME", "VERSION")(cmd, args)
}

// version returns the VERSION of arguments; 0 = there is none.
func version(args []string) (int, error) {
	if len(args) < 2 {
		return 0, nil
	}
	return cli.Version(args)
}

// waiting returns a version that waits for an approval, the only one of the plugin
// without a number.
func waiting(ctx context.Context, c *client.Client, name string, number int) (adminapi.Version, error) {
	var found []adminapi.Version
	versions, err := c.Versions(ctx, name)
	if err != nil {
		return adminapi.Version{}, err
	}
	for _, v := range versions {
		switch {
		case v.Number == number && v.AskDigest != "":
			return v, nil
		case v.Number == number && v.Rejected != nil:
			return v, fault.New(fault.Conflict, "", fmt.Sprintf("version %d of %s was rejected; deploy it again to ask again", number, name))
		case v.Number == number:
			return v, fault.New(fault.Conflict, "", fmt.Sprintf("version %d of %s waits for no approval; to let it serve run: wasmoor activate %s %d", number, name, name, number))
		case number == 0 && v.AskDigest != "":
			found = append(found, v)
		}
	}
	switch {
	case number != 0:
		return adminapi.Version{}, fault.New(fault.NotFound, "", fmt.Sprintf("%s has no version %d; list them with: wasmoor versions %s", name, number, name))
	case len(found) == 0:
		return adminapi.Version{}, fault.New(fault.NotFound, "", fmt.Sprintf("no version of %s waits for an approval; see: wasmoor versions %s", name, name))
	case len(found) > 1:
		return adminapi.Version{}, cli.Usage("%d versions of %s wait for an approval; say which VERSION, see: wasmoor approvals", len(found), name)
	}
	return found[0], nil
}
