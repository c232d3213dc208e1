package fleet

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// result is what was done, as --json shows it.
type result struct {
	*plan
	Done   []string `json:"done"`
	Failed string   `json:"failed,omitempty"` // the plugin at which it stopped
	Error  string   `json:"error,omitempty"`
	Left   []string `json:"not_done"`
}

// ApplyCommand returns `wasmoor apply`.
func (p *Commands) ApplyCommand() *cobra.Command {
	var path string
	var only, yes, prune bool
	cmd := p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "apply -f FILE",
		Short: "Bring the server to what a file says",
		Long: `Apply compares the server with a file, shows the difference, asks, and then changes
one plugin after the other. It stops at the first that fails, and says what was done. A
second apply changes nothing. wasmoor export writes such a file.

The file names each plugin by the digest of its module, with where it serves, what it
is granted, its limits, its CORS policy and its vars. It names secrets, and never holds
their values: one that is not set has to be set before. Plugins that are not in the file
stay as they are, or are deleted with --prune, which keeps their data.`,
		Example: `  wasmoor apply -f fleet.toml --plan
  wasmoor apply -f fleet.toml`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		if path == "" {
			return cli.Usage("-f is missing; name the file, which wasmoor export writes")
		}
		f, err := readFile(cmd.Context(), path)
		if err != nil {
			return err
		}
		return p.Talk(func(c *client.Client) error {
			plan, err := makePlan(cmd.Context(), c, f, prune)
			if err != nil {
				return err
			}
			if only {
				return p.showPlan(plan, path, len(f.Plugins))
			}
			return p.apply(cmd.Context(), c, plan, path, len(f.Plugins), yes)
		})
	})))
	flags := cmd.Flags()
	flags.StringVarP(&path, "file", "f", "", "what the server is to be, in TOML")
	flags.BoolVar(&only, "plan", false, "only show the difference; the exit code is 7 if there is one")
	flags.BoolVar(&yes, "yes", false, "do not ask")
	flags.BoolVar(&prune, "prune", false, "delete plugins that are not in the file, and keep their data")
	return cmd
}

// showPlan shows what apply would do. The error is the exit code.
func (p *Commands) showPlan(plan *plan, path string, plugins int) error {
	if p.AsJSON {
		if err := p.JSON(plan); err != nil {
			return err
		}
	} else if err := p.tell(plan, path, plugins); err != nil {
		return err
	}
	switch {
	case len(plan.Missing) > 0:
		return cli.Ended(cli.ExitWaiting)
	case len(plan.Changes) > 0:
		return cli.Ended(cli.ExitDifference)
	}
	return nil
}

// tell shows a plan to a person.
func (p *Commands) tell(plan *plan, path string, plugins int) error {
	if len(plan.Others) > 0 {
		p.Note("not in %s, and left as they are: %s", path, strings.Join(plan.Others, ", "))
	}
	for _, pin := range plan.Absent {
		p.Note("the pin of %s by %s is left out: the server has no such version", pin.To, pin.Plugin)
	}
	for _, m := range plan.Missing {
		p.Note("%s %s of %s is not set; to set it run:", p.Paint(p.Stderr, term.Yellow, "secret"), m.Secret, m.Plugin)
		for _, command := range m.Commands {
			p.Note("  %s", command)
		}
	}
	if len(plan.Changes) == 0 {
		p.Note("nothing to change: the server is as %s says (plugins: %d)", path, plugins)
		return nil
	}
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACTION\tPLUGIN\tWHAT\tFROM\tTO")
	for _, c := range plan.Changes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Action, c.Plugin, term.Printable(c.What), term.Printable(c.From), term.Printable(c.To))
	}
	_ = w.Flush() // to memory
	colours := map[string]string{actAdd: term.Green, actChange: term.Yellow, actRemove: term.Red}
	for line := range strings.Lines(text.String()) {
		line = strings.TrimRight(line, "\n")
		if colour := colours[line[:1]]; colour != "" {
			line = p.Paint(p.Stdout, colour, line)
		}
		fmt.Fprintln(p.Stdout, line)
	}
	return nil
}

// apply carries a plan out.
func (p *Commands) apply(ctx context.Context, c *client.Client, plan *plan, path string, plugins int, yes bool) error {
	if !p.AsJSON {
		if err := p.tell(plan, path, plugins); err != nil {
			return err
		}
	}
	out := result{plan: plan, Done: []string{}, Left: []string{}}
	for _, w := range plan.work {
		out.Left = append(out.Left, w.name)
	}
	switch {
	case len(plan.Missing) > 0:
		p.Note("nothing was changed")
		if p.AsJSON {
			_ = p.JSON(out) // what cannot be written is said at the end
		}
		return cli.Ended(cli.ExitWaiting)
	case len(plan.work) == 0 || yes:
	case p.AsJSON || !term.IsTerminal(p.Stdin):
		return cli.Usage("apply would change %d plugins, and nothing was changed; add --yes to confirm, or look with --plan", len(plan.work))
	case !p.Ask(fmt.Sprintf("Change %d plugins?", len(plan.work))):
		p.Note("nothing was changed")
		return cli.Ended(cli.ExitFailure)
	}
	err := p.carryOut(ctx, c, plan, &out)
	if p.AsJSON {
		if err := p.JSON(out); err != nil {
			return err
		}
	}
	return err
}

func (p *Commands) carryOut(ctx context.Context, c *client.Client, plan *plan, out *result) error {
	for i := range plan.work {
		w := &plan.work[i]
		out.Left = out.Left[1:]
		said, err := w.do(ctx, c)
		if err != nil {
			out.Failed, out.Error = w.name, fault.MessageOf(err)
			p.Note("done: %s; stopped at: %s; not done: %s",
				term.Joined(out.Done, "nothing"), w.name, term.Joined(out.Left, "nothing"))
			return fault.Wrap(fault.CodeOf(err), "", w.name+": "+fault.MessageOf(err), nil)
		}
		out.Done = append(out.Done, w.name)
		p.Note("%s %s %s", p.Paint(p.Stderr, term.Green, "ok"), w.name, said)
	}
	return nil
}

// do brings one plugin to what the file says, and tells what it has done.
func (w *work) do(ctx context.Context, c *client.Client) (said string, err error) {
	if w.remove {
		return "is deleted; its data is kept", c.Delete(ctx, w.name, false)
	}
	if w.upload {
		if err := w.stage(ctx, c); err != nil {
			return "", err
		}
	}
	if err := w.stop(ctx, c); err != nil {
		return "", err
	}
	if err := w.bind(ctx, c, true); err != nil {
		return "", err
	}
	if said, err = w.settle(ctx, c); err != nil {
		return "", err
	}
	if err := w.bind(ctx, c, false); err != nil {
		return "", err
	}
	if err := w.keep(ctx, c); err != nil {
		return "", err
	}
	return said, w.resume(ctx, c)
}

// settle has the version serve that the file says, with the settings that it says.
func (w *work) settle(ctx context.Context, c *client.Client) (said string, err error) {
	activates := w.have.active == 0 || w.have.digest != w.want.Digest || w.have.mount != w.want.Mount
	if err := w.change(ctx, c, activates); err != nil {
		return "", err
	}
	if !activates {
		return "has its new settings", nil
	}
	done, err := c.Activate(ctx, w.name, adminapi.Activation{Version: w.number, Grant: len(w.want.Grant) > 0, Mount: strings.Fields(w.want.Mount)})
	if err == nil && !done.Activated {
		err = fault.New(fault.Conflict, "", fmt.Sprintf("version %d is stored and does not serve: %s", done.Version, strings.Join(done.Waiting, "; ")))
	}
	if err != nil {
		return "", err
	}
	if err := w.unset(ctx, c); err != nil {
		return "", err
	}
	return fmt.Sprintf("version %d serves at %s", done.Version, strings.Join(done.Mount, " ")), nil
}

// stage uploads the module. What the plugin has from an earlier life is not known
// before.
func (w *work) stage(ctx context.Context, c *client.Client) error {
	module, err := w.want.readModule()
	if err != nil {
		return err
	}
	staged, err := c.Deploy(ctx, adminapi.Upload{
		PluginRef: adminapi.PluginRef{Name: w.name}, Mount: strings.Fields(w.want.Mount), Label: w.want.Label,
	}, module)
	if err != nil {
		return err
	}
	w.number = staged.Version
	it, err := c.Plugin(ctx, w.name)
	if err == nil {
		w.have, err = look(ctx, c, it)
	}
	return err
}

// change sets what differs. While a version serves that another one takes over from,
// nothing is unset that it may need.
func (w *work) change(ctx context.Context, c *client.Client, activates bool) error {
	var vars adminapi.VarsChange
	for key, value := range w.want.Vars {
		if was, set := w.have.vars[key]; !set || was != value {
			if vars.Set == nil {
				vars.Set = map[string]string{}
			}
			vars.Set[key] = value
		}
	}
	if !activates {
		vars.Unset = w.superfluous()
	}
	if len(vars.Set)+len(vars.Unset) > 0 {
		if _, err := c.ChangeVars(ctx, w.name, vars); err != nil {
			return err
		}
	}
	if w.have.limits != w.want.limits {
		if _, err := c.SetLimits(ctx, w.name, w.want.limits); err != nil {
			return err
		}
	}
	if reflect.DeepEqual(policyTexts(w.have.cors), policyTexts(w.want.policy())) {
		return nil
	}
	if policy := w.want.policy(); policy != nil {
		_, err := c.SetCORS(ctx, w.name, *policy)
		return err
	}
	_, err := c.UnsetCORS(ctx, w.name)
	return err
}

// unset takes away the vars that the file does not have.
func (w *work) unset(ctx context.Context, c *client.Client) error {
	names := w.superfluous()
	if len(names) == 0 {
		return nil
	}
	_, err := c.ChangeVars(ctx, w.name, adminapi.VarsChange{Unset: names})
	return err
}

func (w *work) superfluous() (names []string) {
	for key := range w.have.vars {
		if _, wanted := w.want.Vars[key]; !wanted {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return names
}
