// Package overview holds the commands that show how a server does as a whole: status
// for a glance, top to look on, doctor to find out what is wrong. The root command
// lists them.
package overview

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// Commands are the commands of one run of the program.
type Commands struct{ *remote.Commands }

// New returns the commands.
func New(p *remote.Commands) *Commands { return &Commands{p} }

// StatusCommand returns `wasmoor status`.
func (p *Commands) StatusCommand() *cobra.Command {
	return p.Quick(p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "status",
		Short: "Show in a few lines how the server does",
		Args:  cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			plugins, err := c.Plugins(cmd.Context())
			if err != nil {
				return err
			}
			if p.AsJSON {
				return p.JSON(statusJSON{s, count(plugins)})
			}
			return p.Table("", "PART STATE", p.statusRows(s, plugins))
		})
	}))))
}

// statusJSON is the status with how many plugins are in each state.
type statusJSON struct {
	adminapi.Status
	States map[string]int `json:"states"`
}

func count(plugins []adminapi.Plugin) map[string]int {
	states := map[string]int{}
	for _, it := range plugins {
		states[it.State]++
	}
	return states
}

func (p *Commands) statusRows(s adminapi.Status, plugins []adminapi.Plugin) [][]string {
	up := time.Duration(s.UptimeSeconds) * time.Second
	rows := [][]string{
		{"server", fmt.Sprintf("%s (%s), up %v", s.Version, s.Go, up)},
		{"public", s.Public.URL},
		{"store", p.good(s.Store.Healthy, "healthy", "it does not read or write: see the server's log, and /readyz?verbose")},
	}
	states := count(plugins)
	text := ""
	for _, state := range []string{adminapi.StateServing, adminapi.StateAsleep, adminapi.StateFailed, adminapi.StateStopped, adminapi.StateDeleted} {
		if n := states[state]; n > 0 {
			part := strconv.Itoa(n) + " " + state
			if state == adminapi.StateFailed {
				part = p.Paint(p.Stdout, term.Red, part)
			}
			text += ", " + part
		}
	}
	if text == "" {
		text = ", none"
	}
	rows = append(rows, []string{"plugins", text[2:]})
	if sh := s.Shipping; sh != nil {
		state := fmt.Sprintf("%s, %v behind", sh.Place, time.Duration(sh.LagMillis)*time.Millisecond)
		if sh.Error != "" {
			state += ": " + sh.Error
		}
		rows = append(rows, []string{"shipping", p.good(!sh.Late && sh.Error == "", state, state)})
	}
	return rows
}

// good is a text in red unless something is as it should be.
func (p *Commands) good(is bool, yes, no string) string {
	if is {
		return yes
	}
	return p.Paint(p.Stdout, term.Red, no)
}
