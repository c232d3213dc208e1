// Package backup holds the commands of backups: backup create, list and verify, and
// restore. They ask a server, or work on a folder that none serves.
package backup

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/remote"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/agekey"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/backup"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Commands are the commands of one run of the program.
type Commands struct {
	*cli.Program

	remote *remote.Commands
}

// New returns the commands.
func New(p *cli.Program, remote *remote.Commands) *Commands {
	return &Commands{Program: p, remote: remote}
}

// BackupCommand returns `wasmoor backup`.
func (p *Commands) BackupCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "backup",
		Short: "Make, list and verify backups",
		Long: `A backup holds all records at one revision, the modules, the bytes of blobs unless
they are in S3, and what the server was told. It is a tar archive in zstd, perhaps
encrypted with age. The key of the secrets is not in it: keep that elsewhere. Nor
is admin.token: a restored server makes one.`,
	})
	cmd.AddCommand(p.createCommand(), p.listCommand(), p.verifyCommand())
	return cmd
}

// placesText says how a place is written.
const placesText = `A folder or s3://bucket/prefix holds many backups: ?endpoint=https://HOST and
&region=NAME say which service; credentials come from AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, or from the file of AWS_SHARED_CREDENTIALS_FILE.`

func (p *Commands) createCommand() *cobra.Command {
	var data string
	var recipients []string
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "create [DEST]",
		Short: "Make a backup of a server that serves, or of a folder",
		Long: `Create makes a backup while the server serves; no request waits for it. DEST is a
file that is not there yet, - for standard output, a folder, or s3://bucket/prefix.
Without DEST the server makes one in its own place (backup_to).

` + placesText,
		Example: `  wasmoor backup create before-upgrade.tar.zst
  wasmoor backup create s3://backups/shop --age-recipient age1...
  wasmoor backup create - | ssh other 'cat > wasmoor.tar.zst'
  wasmoor backup create /mnt/backups --data /var/lib/wasmoor     no server runs`,
		Args: cli.MayTake("DEST"),
	}, func(cmd *cobra.Command, args []string) error {
		keys, err := agekey.Recipients(strings.Join(recipients, ","))
		if err != nil {
			return cli.Usage("--age-recipient: %s", fault.MessageOf(err))
		}
		if len(args) == 0 {
			if data != "" || len(keys) > 0 {
				return cli.Usage("DEST is missing: without one the server makes a backup as its settings say")
			}
			return p.begin(cmd.Context())
		}
		return p.create(cmd.Context(), args[0], data, keys)
	}))
	p.remote.Flags(cmd.Flags())
	cmd.Flags().StringVar(&data, "data", "", "data folder of a server that does not run; DEST gets a backup of it")
	cmd.Flags().StringArrayVar(&recipients, "age-recipient", nil, "encrypt it for this public key of age; may be repeated")
	return cmd
}

// create makes a backup in dest.
func (p *Commands) create(ctx context.Context, dest, data string, keys []age.Recipient) error {
	var made backup.Kept
	where, err := p.destination(dest)
	if err != nil {
		return err
	}
	take := func(r io.Reader) (err error) {
		made, err = where.take(ctx, &counting{Reader: r, show: p.Progress()}, keys)
		return err
	}
	if data != "" {
		err = fromFolder(ctx, data, take)
	} else {
		err = p.remote.Talk(func(c *client.Client) error { return c.Backup(ctx, take) })
	}
	if err != nil {
		return err
	}
	if dest == "-" {
		p.Note("%s", summary(made.Info))
		return p.created(nil)
	}
	return p.created(p.show(made.Info, where.name(made)))
}

// created says after err, if that is nil, what a backup has not.
func (p *Commands) created(err error) error {
	if err == nil {
		p.Note("the key of the secrets is not in it: keep a copy of secrets.key elsewhere")
	}
	return err
}

// fromFolder gives take a backup of a data folder.
func fromFolder(ctx context.Context, data string, take func(io.Reader) error) error {
	cfg := host.DefaultConfig()
	cfg.DataDir = data
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := host.BackupFolder(ctx, cfg, w)
		_ = w.CloseWithError(err)
		done <- err
	}()
	err := take(r)
	_ = r.CloseWithError(io.ErrClosedPipe)
	if folder := <-done; folder != nil && (err == nil || fault.CodeOf(folder) != fault.Internal) {
		return folder
	}
	return err
}

// begin has the server make one.
func (p *Commands) begin(ctx context.Context) error {
	return p.remote.Talk(func(c *client.Client) error {
		before, err := c.Backups(ctx)
		if err == nil {
			err = c.BeginBackup(ctx)
		}
		for err == nil {
			var now adminapi.Backups
			if now, err = c.Backups(ctx); err != nil || now.Running {
				time.Sleep(200 * time.Millisecond)
				continue
			}
			if now.Made == before.Made || len(now.Backups) == 0 {
				return fault.New(fault.Unavailable, "", "the backup failed: "+now.LastError)
			}
			newest := now.Backups[len(now.Backups)-1]
			return p.created(p.showMade(newest, now.Place+"/"+newest.Name))
		}
		return err
	})
}

// counting shows how much was read.
type counting struct {
	io.Reader

	n    int64
	show func(done, total int64)
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	if c.show != nil {
		end := c.n + 1 // nobody knows
		if err != nil {
			end = c.n
		}
		c.show(c.n, end)
	}
	return n, err
}

// backupShown is a backup as --json shows it.
type backupShown struct {
	adminapi.Backup

	At string `json:"at,omitempty"`
}

// show writes what a backup holds.
func (p *Commands) show(i archive.Info, at string) error { return p.showMade(backup.Show("", i), at) }

func (p *Commands) showMade(b adminapi.Backup, at string) error {
	if p.AsJSON {
		return p.JSON(backupShown{b, at})
	}
	encrypted := "no"
	if b.Encrypted {
		encrypted = "yes"
	}
	if b.BlobsMissing > 0 {
		p.Complain(fmt.Sprintf("the bytes of %d blobs were missing or damaged where the backup was made, and are not in it", b.BlobsMissing))
	}
	return p.Table("", "BACKUP "+strings.ReplaceAll(at, " ", "_"), [][]string{
		{"made", term.Date(b.Created)},
		{"revision", strconv.FormatUint(b.Revision, 10)},
		{"entries", strconv.FormatInt(b.Entries, 10)},
		{"modules", strconv.Itoa(b.Modules)},
		{"blobs", blobs(b)},
		{"size", term.Size(b.Size)},
		{"encrypted", encrypted},
		{"sha256", b.SHA256},
		{"by", b.Program},
	})
}

// blobs says what a backup has of them.
func blobs(b adminapi.Backup) string {
	if b.BlobsIn != "" {
		return "in " + b.BlobsIn
	}
	return strconv.FormatInt(b.Blobs, 10) + ", " + term.Size(b.BlobBytes)
}

func summary(b archive.Info) string {
	return "a backup of revision " + strconv.FormatUint(b.Revision, 10) + ", " + term.Size(b.Size) + ", sha256 " + b.SHA256
}

func (p *Commands) listCommand() *cobra.Command {
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "list [PLACE]",
		Short: "List the backups in a place, the newest last",
		Long: `List shows the backups in a folder or in s3://bucket/prefix; without PLACE those in
the server's own place (backup_to), and whether its schedule keeps up.

` + placesText,
		Example: `  wasmoor backup list
  wasmoor backup list /mnt/backups`,
		Args: cli.MayTake("PLACE"),
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return p.listOwn(cmd.Context())
		}
		in, err := place(args[0])
		if err != nil {
			return err
		}
		if path, folder := bucket.Folder(in); folder {
			if _, err := os.Stat(path); err != nil {
				return cli.FileError("list backups", err)
			}
		}
		list := adminapi.Backups{Place: in.String()}
		if err := backup.Shown(cmd.Context(), in, &list); err != nil || p.AsJSON {
			return p.JSONUnless(err, list)
		}
		return p.table(list)
	}))
	p.remote.Flags(cmd.Flags())
	return cmd
}

func (p *Commands) listOwn(ctx context.Context) error {
	return p.remote.Talk(func(c *client.Client) error {
		list, err := c.Backups(ctx)
		if err != nil || p.AsJSON {
			return p.JSONUnless(err, list)
		}
		if err := p.table(list); err != nil {
			return err
		}
		p.Note("one every %s in %s, the newest %d are kept", list.Every, list.Place, list.Keep)
		if list.LastError != "" {
			p.Complain("the last attempt failed: " + list.LastError)
		}
		if list.Late {
			p.Complain("the newest backup is older than it should be")
		}
		return nil
	})
}

func (p *Commands) table(list adminapi.Backups) error {
	var rows [][]string
	for _, b := range list.Backups {
		encrypted := "-"
		if b.Encrypted {
			encrypted = "age"
		}
		rows = append(rows, []string{b.Name, term.Date(b.Created), strconv.FormatUint(b.Revision, 10), term.Size(b.Size), encrypted, b.Program})
	}
	err := p.Table("there is no backup", "NAME MADE REVISION SIZE ENCRYPTED BY", rows)
	for _, name := range list.Unfinished {
		p.Note("%s is being made, or did not finish", name)
	}
	for _, why := range list.Damaged {
		p.Complain(why)
	}
	return err
}

func (p *Commands) verifyCommand() *cobra.Command {
	var identity string
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "verify SRC",
		Short: "Read a backup to its end and say whether it can be restored",
		Long: `Verify checks the SHA-256 of each part and of the whole, that nothing is missing, and
that this program can restore it. SRC is a file, - for standard input, a folder or
s3://bucket/prefix, of which it takes the newest backup, or one of its backups by name.`,
		Example: `  wasmoor backup verify before-upgrade.tar.zst
  wasmoor backup verify s3://backups/shop --identity key.txt`,
		Args: cli.Takes("SRC"),
	}, func(cmd *cobra.Command, args []string) error {
		src, err := p.open(cmd.Context(), args[0], identity)
		if err != nil {
			return err
		}
		defer src.close()
		b, err := backup.Verify(cmd.Context(), &counting{Reader: src.r, show: p.Progress()}, host.BackupFormats(), src.keys...)
		if err == nil {
			err = src.check(b)
		}
		if err != nil {
			return err
		}
		return p.show(b, src.name)
	}))
	identityFlag(cmd, &identity)
	return cmd
}

func identityFlag(cmd *cobra.Command, identity *string) {
	cmd.Flags().StringVar(identity, "identity", "", "file with the identity of age that an encrypted backup was made for")
}

// isDir reports whether there is a folder.
func isDir(path string) bool {
	info, err := os.Stat(filepath.Clean(path))
	return err == nil && info.IsDir()
}
