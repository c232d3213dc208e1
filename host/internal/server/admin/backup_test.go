package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// backupRecorder is a Backups that notes its last call.
type backupRecorder struct {
	note func(string, ...any) error
}

var theBackup = strings.Repeat("all that is stored", 200_000)

func (r backupRecorder) Stream(_ context.Context, w io.Writer) error {
	for i := 0; i < len(theBackup); i += 3600 {
		if i == 1800_000 {
			if err := r.note("backup"); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(w, theBackup[i:i+3600]); err != nil {
			return err
		}
	}
	return nil
}

func (r backupRecorder) Announce(_ context.Context, by string) error {
	if by == "" {
		return errors.New("a backup for nobody")
	}
	return nil
}

func (r backupRecorder) Begin(_ context.Context, by string) error {
	return r.note("begin backup by %s", by)
}

func (r backupRecorder) List(context.Context) (adminapi.Backups, error) {
	return adminapi.Backups{Place: "/backups", Backups: []adminapi.Backup{}, Unfinished: []string{}}, r.note("backups")
}

func wantText(r io.Reader, want string) error {
	got, err := io.ReadAll(r)
	if err == nil && string(got) != want {
		err = fmt.Errorf("%d bytes, want %d", len(got), len(want))
	}
	return err
}

// TestHalfABackupIsNone: one that fails in the middle does not look as if it were whole.
func TestHalfABackupIsNone(t *testing.T) {
	d := &recorder{err: errors.New(secret)}
	c, err := client.New(client.Config{Server: "http://" + adminFor(t, d), Token: "right"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	err = c.Backup(t.Context(), func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "is not whole") || strings.Contains(err.Error(), secret) {
		t.Errorf("it ended with %v", err)
	}
}
