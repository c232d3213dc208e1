package remote

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// LimitsCommand returns `wasmoor limits`.
func (p *Commands) LimitsCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "limits",
		Short: "Show, lower and raise the limits of a plugin",
		Long: `A manifest names the limits of its plugin. An operator may decide others in their
place, lower or higher, up to what a manifest may ask for. They hold for every
version, and a route may have less. Each change is a new deployment.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.quick(p.limitsShowCommand()), p.limitsSetCommand(), p.limitsUnsetCommand())
	return cmd
}

// limitKey is a limit as people write it.
type limitKey struct {
	name  string
	field func(*adminapi.Limits) *int64
	shown func(int64) string
	read  func(string) (int64, error)
}

var limitKeys = []limitKey{
	{"memory", func(l *adminapi.Limits) *int64 { return &l.Memory }, limit.FormatSize, limit.ParseSize},
	{"deadline", func(l *adminapi.Limits) *int64 { return &l.DeadlineMillis }, shownMillis, readMillis},
	{"request-body", func(l *adminapi.Limits) *int64 { return &l.RequestBody }, limit.FormatSize, limit.ParseSize},
	{"response-body", func(l *adminapi.Limits) *int64 { return &l.ResponseBody }, limit.FormatSize, limit.ParseSize},
	{"concurrency", func(l *adminapi.Limits) *int64 { return &l.Concurrency }, func(n int64) string { return fmt.Sprint(n) }, readCount},
}

func shownMillis(n int64) string { return (time.Duration(n) * time.Millisecond).String() }

func readMillis(s string) (int64, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d%time.Millisecond != 0 {
		return 0, fmt.Errorf("%q is not a time in whole milliseconds, e.g. 2s", s)
	}
	return d.Milliseconds(), nil
}

func readCount(s string) (n int64, err error) {
	if _, err = fmt.Sscanf(s+"\n", "%d\n", &n); err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

func (p *Commands) limitsShowCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "show NAME",
		Short:             "Show the limits of a plugin, and who decided them",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			l, err := c.Limits(cmd.Context(), args[0])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, l)
			}
			var rows [][]string
			for _, k := range limitKeys {
				operator := ""
				if n := *k.field(&l.Operator); n != 0 {
					operator = k.shown(n)
				}
				rows = append(rows, []string{
					k.name, k.shown(*k.field(&l.Effective)), k.shown(*k.field(&l.Manifest)), operator, k.shown(*k.field(&l.Maximum)),
				})
			}
			return p.Table("", "LIMIT HOLDS MANIFEST OPERATOR MAXIMUM", rows)
		})
	}))
}

func (p *Commands) limitsSetCommand() *cobra.Command {
	values := make([]string, len(limitKeys))
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "set NAME",
		Short: "Decide limits of a plugin in place of its manifest",
		Example: `  wasmoor limits set shop --memory 128MiB --deadline 2s
  wasmoor limits set shop --concurrency 16`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		var set []string
		numbers := make([]int64, len(limitKeys))
		for i, k := range limitKeys {
			if !cmd.Flags().Changed(k.name) {
				continue
			}
			n, err := k.read(values[i])
			if err != nil {
				return cli.Usage("--%s: %s", k.name, err)
			}
			if n < 1 {
				return cli.Usage("--%s must be above zero; wasmoor limits unset NAME %s goes back to the manifest's", k.name, k.name)
			}
			numbers[i], set = n, append(set, k.name)
		}
		if len(set) == 0 {
			return cli.Usage("no limit is named; add one of --%s", strings.Join(limitNames(), ", --"))
		}
		return p.changeLimits(cmd, args[0], "set "+term.Joined(set, ""), func(l *adminapi.Limits) {
			for i, k := range limitKeys {
				if numbers[i] != 0 {
					*k.field(l) = numbers[i]
				}
			}
		})
	}))
	for i, k := range limitKeys {
		cmd.Flags().StringVar(&values[i], k.name, "", map[string]string{
			"memory": "memory of one instance, e.g. 128MiB", "deadline": "time of one request, e.g. 2s",
			"request-body": "size of a request's body, e.g. 1MiB", "response-body": "size of an answer's body, e.g. 1MiB",
			"concurrency": "requests at a time",
		}[k.name])
	}
	return cmd
}

func limitNames() (names []string) {
	for _, k := range limitKeys {
		names = append(names, k.name)
	}
	return names
}

func (p *Commands) limitsUnsetCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:               "unset NAME [LIMIT...]",
		Short:             "Go back to the limits of the manifest, all or those named",
		Args:              cli.TakesMany("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		names := args[1:]
		for _, name := range names {
			if !slices.Contains(limitNames(), name) {
				return cli.Usage("%q is no limit; they are %s", name, strings.Join(limitNames(), ", "))
			}
		}
		return p.changeLimits(cmd, args[0], "unset "+term.Joined(names, "all limits"), func(l *adminapi.Limits) {
			for _, k := range limitKeys {
				if len(names) == 0 || slices.Contains(names, k.name) {
					*k.field(l) = 0
				}
			}
		})
	}))
}

// changeLimits changes the operator's limits as they are now.
func (p *Commands) changeLimits(cmd *cobra.Command, name, did string, change func(*adminapi.Limits)) error {
	return p.about(cmd.Context(), name, func(c *client.Client) error {
		l, err := c.Limits(cmd.Context(), name)
		if err != nil {
			return err
		}
		change(&l.Operator)
		for _, k := range limitKeys {
			if n, most := *k.field(&l.Operator), *k.field(&l.Maximum); n > most {
				return fault.New(fault.Invalid, "set limits", fmt.Sprintf("--%s may be at most %s, not %s", k.name, k.shown(most), k.shown(n)))
			}
		}
		changed, err := c.SetLimits(cmd.Context(), name, l.Operator)
		if err != nil {
			return err
		}
		p.Note("%s of %s", did, name)
		return p.showChange(changed)
	})
}
