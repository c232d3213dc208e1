package data

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

func (p *Commands) sizesCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "sizes [NAME]",
		Short: "Count the keys and bytes of plugins, by area",
		Long: `Sizes counts what each area of a plugin's data holds: kv (its keys), sql (pages of
databases), blobs (their names), queue (messages and dead letters), topics (events that
are kept), cron (due times and history) and records (what the host keeps for it, such as
answers for an Idempotency-Key). Without NAME it counts all plugins.

The server counts a part at a time and rests in between, so a large plugin takes a
while; what is written meanwhile may be counted or not. Expired keys count until they are
swept. The total is that of the store's own counters, to the moment: that is what a quota
is compared with.`,
		Example: `  wasmoor data sizes
  wasmoor data sizes shop --json`,
		Args:              cli.MayTake("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return p.About(cmd.Context(), args[0], func(c *client.Client) error { return p.sizes(cmd.Context(), c, args) })
		}
		return p.Talk(func(c *client.Client) error {
			plugins, err := c.Plugins(cmd.Context())
			if err != nil {
				return err
			}
			names := make([]string, len(plugins))
			for i, it := range plugins {
				names[i] = it.Name
			}
			return p.sizes(cmd.Context(), c, names)
		})
	}))
}

// sized is what a plugin has, as --json shows it.
type sized struct {
	Plugin string              `json:"plugin"`
	Areas  []adminapi.AreaSize `json:"areas"`
	Total  adminapi.Usage      `json:"total"`
	Quota  adminapi.Usage      `json:"quota"`
}

func (p *Commands) sizes(ctx context.Context, c *client.Client, names []string) error {
	all := []sized{}
	for _, name := range names {
		s, err := p.count(ctx, c, name)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	if p.AsJSON {
		return p.JSON(all)
	}
	var rows [][]string
	row := func(name, area string, u adminapi.Usage) {
		rows = append(rows, []string{name, area, strconv.FormatInt(u.Keys, 10), term.Size(u.Bytes)})
	}
	for _, s := range all {
		for _, a := range s.Areas {
			if a.Keys > 0 {
				row(s.Plugin, a.Area, a.Usage)
			}
		}
		row(s.Plugin, "total", s.Total)
	}
	return p.Table("no plugins", "PLUGIN AREA KEYS SIZE", rows)
}

// count has the areas of a plugin counted, to the end.
func (p *Commands) count(ctx context.Context, c *client.Client, name string) (sized, error) {
	s, show, counted := sized{Plugin: name, Areas: []adminapi.AreaSize{}}, p.Progress(), int64(0)
	for after := ""; ; {
		part, err := c.Sizes(ctx, name, after)
		if err != nil {
			return s, err
		}
		for _, a := range part.Areas {
			if n := len(s.Areas); n > 0 && s.Areas[n-1].Area == a.Area {
				s.Areas[n-1].Keys, s.Areas[n-1].Bytes = s.Areas[n-1].Keys+a.Keys, s.Areas[n-1].Bytes+a.Bytes
			} else {
				s.Areas = append(s.Areas, a)
			}
			counted += a.Bytes
		}
		s.Total, s.Quota = part.Total, part.Quota
		if after = part.Next; after == "" {
			if show != nil {
				show(counted, counted)
			}
			return s, nil
		}
		if show != nil {
			show(counted, max(part.Total.Bytes, counted+1))
		}
	}
}
