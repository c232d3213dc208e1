package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/transfer/lines"
)

func (p *Commands) exportCommand() *cobra.Command {
	var prefix, out string
	cmd := p.Does(&cobra.Command{
		Use:   "export NAME",
		Short: "Write the keys of a plugin as lines of JSON",
		Long: `Export writes all keys of one revision, or those that start with --prefix, while the
plugin serves. The first line says the format, the plugin and the revision, each of the
others holds a key, and the last one says how many there were:

  {"wasmoor_kv":1,"plugin":"shop","revision":4711,"time":"2026-11-30T15:00:00Z"}
  {"key":"entry/1","value":"hello"}
  {"key_base64":"/wA=","value_base64":"AAE=","expires":"2026-12-01T15:00:00.123Z"}
  {"keys":2}

Text is as it is, what is not UTF-8 is in base64. Databases, blobs and queues are not
among the keys: ` + "`wasmoor data export`" + ` has all of a plugin. While others write, an
export has to be over within five minutes.`,
		Example: `  wasmoor kv export guestbook --out guestbook.jsonl
  wasmoor kv export guestbook --prefix entry/ | jq -r .value`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		first, err := cli.Key(prefix)
		if err != nil {
			return err
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			return p.ToFile(out, false, func(w io.Writer) error {
				return c.ExportKeys(cmd.Context(), args[0], first, func(r io.Reader) error { return p.takeKeys(r, w) })
			})
		})
	})
	cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that start with this")
	cmd.Flags().StringVar(&out, "out", "-", "file that is not there yet; - = standard output")
	return cmd
}

// takeKeys copies lines, and is content only with all of them.
func (p *Commands) takeKeys(r io.Reader, w io.Writer) error {
	in, _, err := lines.NewReader(io.TeeReader(p.Passing(r, 0), w))
	if err != nil {
		return err
	}
	n := 0
	for ; err == nil; n++ {
		_, err = in.Next()
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	p.Note("%d keys", n-1)
	return nil
}

func (p *Commands) importCommand() *cobra.Command {
	var file string
	in := adminapi.KeysImport{}
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "import NAME",
		Short: "Set the keys of an export",
		Long: `Import sets the keys of a file as ` + "`wasmoor kv export`" + ` writes it, while the plugin
serves: up to 1000 lines, or a megabyte of them, in each commit, with an event of the
audit. Keys that are not in the file stay. Those that would have expired are left out.

A line that is wrong ends it: the error names the line and the reason, the commits before
it stay, and nothing of its own commit does. The same command again goes on from there,
as a key that has its value already is no conflict. --dry-run reads all of the file, and
says what would happen.`,
		Example: `  wasmoor kv import guestbook --in guestbook.jsonl --dry-run
  wasmoor kv import guestbook --in guestbook.jsonl --on-conflict replace
  wasmoor kv export shop --prefix price/ | wasmoor kv import shop-staging`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		switch in.OnConflict {
		case adminapi.ConflictFail, adminapi.ConflictSkip, adminapi.ConflictReplace:
		default:
			return cli.Usage("--on-conflict is fail, skip or replace, not %q", in.OnConflict)
		}
		in.Name = args[0]
		from, err := p.FromFile(cmd.Context(), file)
		if err != nil {
			return err
		}
		defer func() { _ = from.Close() }() // only read
		return p.About(cmd.Context(), in.Name, func(c *client.Client) error {
			done, err := p.sendKeys(cmd.Context(), c, in, from)
			if err != nil {
				return err
			}
			return p.imported(done, in.DryRun)
		})
	}))
	cmd.Flags().StringVar(&file, "in", "-", "file; - = standard input")
	cmd.Flags().StringVar(&in.OnConflict, "on-conflict", adminapi.ConflictFail, "what becomes of a key that is there with another value: fail, skip (it stays) or replace")
	cmd.Flags().BoolVar(&in.DryRun, "dry-run", false, "change nothing, and say what would happen")
	return cmd
}

// imported says what became of the keys.
func (p *Commands) imported(done adminapi.KeysImported, dry bool) error {
	if p.AsJSON {
		return p.JSON(done)
	}
	would := ""
	if dry {
		would = "nothing is changed; would be "
	}
	p.Note("%s%d added, %d replaced, %d unchanged, %d skipped, %d expired: %s more", would, done.Added, done.Replaced, done.Unchanged, done.Skipped, done.Expired, term.Size(done.Bytes))
	return nil
}

// importSize is how many bytes of lines a request of an import has, unless one line has
// more.
const importSize = 1 << 20

// sendKeys sends the lines of a file, some at a time.
func (p *Commands) sendKeys(ctx context.Context, c *client.Client, in adminapi.KeysImport, from io.Reader) (done adminapi.KeysImported, err error) {
	b := &batch{ctx: ctx, client: c, query: in}
	defer func() {
		if err != nil {
			err = b.stopped(err)
		}
	}()
	r, _, err := lines.NewReader(p.Passing(from, 0))
	for err == nil {
		if _, err = r.Next(); err == nil {
			err = b.add(r.Line(), r.Raw())
		}
	}
	if errors.Is(err, io.EOF) {
		err = b.send()
	}
	return b.done, err
}

// batch is lines that are sent together.
type batch struct {
	ctx    context.Context //nolint:containedctx // of the command
	client *client.Client
	query  adminapi.KeysImport
	lines  bytes.Buffer
	n      int // of them
	done   adminapi.KeysImported
	taken  int // the last line that the server has taken
}

// add adds a line, and sends those before it where there is no room.
func (b *batch) add(number int, line []byte) error {
	if b.n == adminapi.MaxImportLines || b.n > 0 && b.lines.Len()+len(line) > importSize {
		if err := b.send(); err != nil {
			return err
		}
	}
	if b.n == 0 {
		b.query.Line = number
	}
	b.n++
	_, _ = b.lines.Write(line)
	return nil
}

func (b *batch) send() error {
	if b.n == 0 {
		return nil
	}
	did, err := b.client.ImportKeys(b.ctx, b.query, b.lines.Bytes())
	if err != nil {
		return err
	}
	b.done.Add(did)
	b.taken = b.query.Line + b.n - 1
	b.lines.Reset()
	b.n = 0
	return nil
}

// stopped says with an error how far it came.
func (b *batch) stopped(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); !ok || b.query.DryRun || fault.CodeOf(err) == fault.NotFound {
		return err
	}
	how := "no key was set"
	if b.taken > 0 {
		how = fmt.Sprintf("the keys up to line %d are set", b.taken)
	}
	return fault.New(fault.CodeOf(err), "", fault.MessageOf(err)+"; "+how+", and the same command goes on from there once that is mended")
}
