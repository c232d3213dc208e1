package remote

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// maxValue is more than any value the store takes, in bytes: the server says
// where its limit is.
const maxValue = 8 << 20

// KVCommand returns `wasmoor kv`.
func (p *Commands) KVCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "kv",
		Short: "Read and write the key space of a plugin",
		Long: `The key space of a plugin, as its handlers see it. Each command is one
transaction among theirs. A key is text, or base64: and its bytes in base64: list
writes keys so where they do not print, and every command takes them so.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.quick(p.kvListCommand()), p.quick(p.kvGetCommand()), p.quick(p.kvPutCommand()), p.quick(p.kvDeleteCommand()))
	return cmd
}

func (p *Commands) kvListCommand() *cobra.Command {
	query := adminapi.KeysQuery{}
	var prefix, after string
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "list NAME",
		Short: "List keys in order",
		Example: `  wasmoor kv list guestbook --prefix entry/ --limit 20
  wasmoor kv list guestbook --reverse`,
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		query.Name = args[0]
		if err := setKeys(&query, prefix, after); err != nil {
			return err
		}
		return p.listKeys(cmd, query)
	}))
	flags := cmd.Flags()
	flags.StringVar(&prefix, "prefix", "", "only keys that start with this")
	flags.StringVar(&after, "after", "", "only keys after this one")
	flags.IntVar(&query.Limit, "limit", 100, "how many keys at most")
	flags.BoolVar(&query.Reverse, "reverse", false, "from the highest key down")
	return cmd
}

func (p *Commands) listKeys(cmd *cobra.Command, query adminapi.KeysQuery) error {
	if query.Limit < 1 || query.Limit > adminapi.MaxKeys {
		return cli.Usage("--limit must be 1 to %d, not %d; go on from there with --after", adminapi.MaxKeys, query.Limit)
	}
	return p.about(cmd.Context(), query.Name, func(c *client.Client) error {
		page, err := c.KVList(cmd.Context(), query)
		page.Entries = term.List(page.Entries)
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, page)
		}
		var rows [][]string
		for _, e := range page.Entries {
			rows = append(rows, []string{shownKey(e), term.Size(e.Size)})
		}
		if err := p.Table("no keys", "KEY SIZE", rows); err != nil {
			return err
		}
		if page.More {
			p.Note("there are more: add --after %q", shownKey(page.Entries[len(page.Entries)-1]))
		}
		return nil
	})
}

// shownKey writes a key so that cli.Key reads it: in base64 unless it prints as it
// is and could be nothing else.
func shownKey(e adminapi.KeyEntry) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	plain := e.Text != "" && !strings.ContainsFunc(e.Text, odd) && strings.TrimSpace(e.Text) == e.Text &&
		!strings.HasPrefix(e.Text, cli.AsBase64) && !strings.HasPrefix(e.Text, "-")
	switch {
	case plain:
		return e.Text
	case e.Base64 != "":
		return cli.AsBase64 + e.Base64
	}
	return cli.AsBase64 + base64.StdEncoding.EncodeToString([]byte(e.Text))
}

// setKeys sets the bounds of a query.
func setKeys(q *adminapi.KeysQuery, prefix, after string) error {
	for _, b := range []struct {
		arg           string
		text, encoded *string
	}{{prefix, &q.Prefix, &q.PrefixBase64}, {after, &q.After, &q.AfterBase64}} {
		raw, err := cli.Key(b.arg)
		if err != nil {
			return err
		}
		key := adminapi.KeyOf(raw)
		*b.text, *b.encoded = key.Text, key.Base64
	}
	return nil
}

func (p *Commands) kvGetCommand() *cobra.Command {
	return p.Does(&cobra.Command{
		Use:               "get NAME KEY",
		Short:             "Write the value of a key to standard output, byte for byte",
		Args:              cli.Takes("NAME", "KEY"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		k, err := cli.Key(args[1])
		if err != nil {
			return err
		}
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			value, err := c.KVGet(cmd.Context(), args[0], k)
			if err != nil {
				return err
			}
			return p.Data(value)
		})
	})
}

func (p *Commands) kvPutCommand() *cobra.Command {
	var file string
	var ttl time.Duration
	cmd := p.Does(&cobra.Command{
		Use:   "put NAME KEY",
		Short: "Write the value of a key, from --file or standard input",
		Example: `  printf %s hello | wasmoor kv put guestbook greeting
  wasmoor kv put guestbook logo --file logo.png --ttl 24h`,
		Args:              cli.Takes("NAME", "KEY"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("ttl") && ttl <= 0 {
			return cli.Usage("--ttl must be above zero, not %s", ttl)
		}
		k, err := cli.Key(args[1])
		if err != nil {
			return err
		}
		value, err := p.kvValue(file)
		if err != nil {
			return err
		}
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			if err := c.KVPut(cmd.Context(), args[0], k, value, ttl); err != nil {
				return err
			}
			p.Note("put %s: %s", strconv.Quote(args[1]), term.Size(int64(len(value))))
			return nil
		})
	})
	cmd.Flags().StringVar(&file, "file", "", "file with the value, taken byte for byte")
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "let the value expire after this time, e.g. 24h")
	return cmd
}

func (p *Commands) kvValue(file string) ([]byte, error) {
	if file != "" {
		return cli.ReadFile(p.Context(), file, "read the value", maxValue)
	}
	return cli.ReadBounded(p.Stdin, "standard input", "read the value", maxValue)
}

func (p *Commands) kvDeleteCommand() *cobra.Command {
	return p.Does(&cobra.Command{
		Use:               "delete NAME KEY",
		Short:             "Remove a key; one that is absent is an error",
		Args:              cli.Takes("NAME", "KEY"),
		ValidArgsFunction: p.completePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		k, err := cli.Key(args[1])
		if err != nil {
			return err
		}
		return p.about(cmd.Context(), args[0], func(c *client.Client) error {
			if err := c.KVDelete(cmd.Context(), args[0], k); err != nil {
				return err
			}
			p.Note("deleted %s", strconv.Quote(args[1]))
			return nil
		})
	})
}
