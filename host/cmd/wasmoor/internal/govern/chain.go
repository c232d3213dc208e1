package govern

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/audit"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func (p *Commands) exportCommand() *cobra.Command {
	return p.Asks(p.Does(&cobra.Command{
		Use:   "export",
		Short: "Write the audit as it is stored, one event a line",
		Long: `Export writes every event as it is stored, as a line of JSON, to standard output.
The first and the last line say where the audit begins and ends. Verify checks such
a file without a server.`,
		Example: `  wasmoor audit export > audit.jsonl`,
		Args:    cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error { return export(cmd.Context(), c, p.Stdout) })
	}))
}

// export writes the lines that a server sends, and says at the end where they do not
// form a chain.
func export(ctx context.Context, c *client.Client, to io.Writer) error {
	var out *audit.Writer
	var broken error
	err := c.AuditLines(ctx, func(begin adminapi.AuditPoint) (err error) {
		out, err = audit.NewWriter(to, audit.Point(begin))
		return err
	}, func(end adminapi.AuditPoint) error { return out.End(audit.Point(end)) }, func(line string) error {
		err := out.Add([]byte(line))
		if asBreak(err) == nil {
			return err
		}
		if broken == nil {
			broken = asBreak(err)
		}
		return nil
	})
	if err == nil {
		err = broken
	}
	return err
}

// asBreak returns err as a fault if it says that the chain is broken.
func asBreak(err error) error {
	if _, ok := errors.AsType[*audit.BreakError](err); ok {
		return fault.New(fault.Internal, "", err.Error())
	}
	return nil
}

func (p *Commands) verifyCommand() *cobra.Command {
	var data, head string
	cmd := p.Asks(p.Reads(p.Does(&cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check that no event of the audit was changed, removed, added or moved",
		Long: `Verify reads the audit of a server, of a FILE that export wrote, or of the data
folder of a server that is stopped, and checks the hash that each event has of the
one before it. It prints the last event's number and hash, the head.

Nobody can tell from the events alone that some are missing from the end. Keep a
head elsewhere and compare with it: the server logs each event's hash.`,
		Example: `  wasmoor audit verify
  wasmoor audit verify audit.jsonl
  wasmoor audit verify --data /var/lib/wasmoor
  wasmoor audit verify --head 1042:5d41402abc4b2a76b9719d911017c592ae2b1d4e1e3a9f0d3c6b8f7a5e4d3c2b`,
		Args: cli.MayTake("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		known, err := parseHead(head)
		if err != nil {
			return err
		}
		if data != "" && len(args) > 0 {
			return cli.Usage("name a FILE or --data, not both")
		}
		return p.verify(cmd.Context(), &check{known: known}, data, cli.Argument(args, ""))
	})))
	cmd.Flags().StringVar(&data, "data", "", "data folder of a server that is stopped")
	cmd.Flags().StringVar(&head, "head", "", "NUMBER:HASH of an event, as verify printed it or the server logged it")
	return cmd
}

func parseHead(text string) (p audit.Point, err error) {
	if text == "" {
		return p, nil
	}
	number, hash, ok := strings.Cut(text, ":")
	if p.Number, err = strconv.ParseUint(number, 10, 53); err != nil || !ok || len(hash) != len(audit.Start) || strings.Trim(hash, "0123456789abcdef") != "" {
		return p, cli.Usage("--head %q is not NUMBER:HASH, as `wasmoor audit verify` prints it", text)
	}
	p.Hash = hash
	return p, nil
}

func (p *Commands) verify(ctx context.Context, c *check, data, file string) error {
	var err error
	switch {
	case data != "":
		err = c.folder(ctx, data)
	case file != "":
		err = c.file(ctx, file)
	default:
		err = p.Talk(func(from *client.Client) error { return c.server(ctx, from) })
	}
	if err == nil {
		err = c.unknownHead()
	}
	if broken := asBreak(err); broken != nil {
		return broken
	}
	if err != nil {
		return err
	}
	return p.showVerified(c)
}

// check follows an audit, and compares it with a head that is known.
type check struct {
	known    audit.Point // 0 = none
	met      bool
	begin    audit.Point
	verifier *audit.Verifier
}

func (c *check) start(begin audit.Point) error {
	c.begin, c.verifier = begin, audit.New(begin)
	return c.meet()
}

func (c *check) add(line []byte) error {
	if err := c.verifier.Add(line); err != nil {
		return err
	}
	return c.meet()
}

// meet compares the point that was reached with the one that is known.
func (c *check) meet() error {
	at := c.verifier.At()
	if c.known.Number == 0 || at.Number != c.known.Number {
		return nil
	}
	c.met = true
	if at.Hash != c.known.Hash {
		return &audit.BreakError{Number: at.Number, Why: fmt.Sprintf("it has the hash %.64q, and not %s, which is known of it", at.Hash, c.known.Hash)}
	}
	return nil
}

// unknownHead says why the known head was not met.
func (c *check) unknownHead() error {
	switch {
	case c.known.Number == 0 || c.met:
		return nil
	case c.known.Number < c.begin.Number:
		return fault.New(fault.NotFound, "", fmt.Sprintf("event %d was pruned: the audit begins after event %d; compare a later head", c.known.Number, c.begin.Number))
	}
	return &audit.BreakError{Number: c.verifier.At().Number + 1, Why: fmt.Sprintf("it is missing, and so is all up to event %d, which is known", c.known.Number)}
}

func (c *check) folder(ctx context.Context, dir string) error {
	cfg := host.DefaultConfig()
	cfg.DataDir = dir
	end, err := host.ReadAudit(ctx, cfg, c.start, c.add)
	if err != nil {
		return err
	}
	return c.verifier.End(end)
}

func (c *check) file(ctx context.Context, name string) error {
	f, err := cli.Open(ctx, name, "read the audit")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	err = audit.Read(f, func(first bool, at audit.Point) error {
		if first {
			return c.start(at)
		}
		return c.verifier.End(at)
	}, c.add)
	if err != nil && asBreak(err) == nil && ctx.Err() == nil {
		err = fault.New(fault.Invalid, "", name+": "+err.Error())
	}
	return err
}

func (c *check) server(ctx context.Context, from *client.Client) error {
	return from.AuditLines(ctx, func(begin adminapi.AuditPoint) error { return c.start(audit.Point(begin)) }, func(end adminapi.AuditPoint) error { return c.verifier.End(audit.Point(end)) }, func(line string) error { return c.add([]byte(line)) })
}

// verified is what was verified, as --json shows it.
type verified struct {
	Events uint64              `json:"events"`
	Before uint64              `json:"before_the_chain"`
	Pruned uint64              `json:"pruned"` // number of the last event that was
	Head   adminapi.AuditPoint `json:"head"`
}

func (p *Commands) showVerified(c *check) error {
	head := c.verifier.At()
	v := verified{c.verifier.Chained(), c.verifier.Before(), c.begin.Number, adminapi.AuditPoint(head)}
	if p.AsJSON {
		return p.JSON(v)
	}
	rows := [][]string{{"verified", fmt.Sprintf("%d events", v.Events)}}
	if v.Before > 0 {
		rows = append(rows, []string{"not protected", fmt.Sprintf("%d events from before the chain began", v.Before)})
	}
	if v.Pruned > 0 {
		rows = append(rows, []string{"pruned", fmt.Sprintf("events up to %d", v.Pruned)})
	}
	if head.Hash != "" {
		rows = append(rows, []string{"head", fmt.Sprintf("%d:%s", head.Number, head.Hash)})
	}
	return p.Table("", "WHAT RESULT", rows)
}
