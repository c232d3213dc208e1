package remote

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// TraceCommand returns `wasmoor trace`.
func (p *Commands) TraceCommand() *cobra.Command {
	return p.asks(p.quick(p.Reads(p.Does(&cobra.Command{
		Use:   "trace ID",
		Short: "Show what became of a recent request: its attempts, and where its time went",
		Long: "Shows what became of a recent request that a plugin handled. ID is the X-Request-Id of\n" +
			"its answer. The server remembers the last requests of each plugin until it stops, and\n" +
			"those that failed or ran again for longer.",
		Args: cli.Takes("ID"),
	}, p.traceRequest))))
}

func (p *Commands) traceRequest(cmd *cobra.Command, args []string) error {
	if args[0] == "" {
		return cli.Usage("ID is empty; it is the X-Request-Id of an answer")
	}
	return p.Talk(func(c *client.Client) error {
		requests, err := c.Requests(cmd.Context(), args[0])
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, term.List(requests))
		}
		for i, r := range requests {
			if i > 0 {
				fmt.Fprintln(p.Stdout)
			}
			if err := p.showRequest(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Commands) showRequest(r adminapi.Request) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"request", r.Method + " " + r.Path},
		{"plugin", fmt.Sprintf("%s, version %d", r.Plugin, r.Version)},
		{"route", r.Pattern},
		{"at", term.Date(r.Start)},
		{"answer", answerOf(r)},
		{"effects", r.Outcome},
		{"attempts", fmt.Sprint(r.Attempts)},
		{"conflict", conflictOf(r.Conflict)},
		{"body", fmt.Sprintf("%s in, %s out", term.Size(r.BytesIn), term.Size(r.BytesOut))},
		{"time", timesOf(r.Times)},
		{"log", "wasmoor logs " + r.Plugin + " --request " + r.ID},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", row[0], term.Printable(row[1]))
		}
	}
	return w.Flush()
}

// answerOf says what the client got.
func answerOf(r adminapi.Request) string {
	switch {
	case r.Code != "":
		return r.Code + ": " + r.Error
	case r.Replayed:
		return fmt.Sprintf("%d, that of an earlier request with its Idempotency-Key", r.Status)
	}
	return fmt.Sprint(r.Status)
}

func conflictOf(c *adminapi.Conflict) string {
	switch {
	case c == nil:
		return ""
	case c.Key == adminapi.Key{}:
		return "the snapshot was too old to say with which key"
	}
	key := cmp.Or(c.Base64, fmt.Sprintf("%q", c.Text))
	return fmt.Sprintf("key %s (%s of key space %d)", key, c.Area, c.Space)
}

func timesOf(t adminapi.Times) string {
	parts := []string{fmt.Sprintf("%.3f ms", t.Total)}
	for _, part := range []struct {
		name   string
		millis float64
	}{{"wait", t.Wait}, {"wake", t.Wake}, {"run", t.Run}, {"commit", t.Commit}} {
		if part.millis > 0 {
			parts = append(parts, fmt.Sprintf("%s %.3f", part.name, part.millis))
		}
	}
	return strings.Join(parts, ", ")
}
