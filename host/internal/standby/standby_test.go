package standby

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// TestBlobsGoWhereTheServerLooks: into the folder of the setting blobs; what is in S3 is
// not brought there.
func TestBlobsGoWhereTheServerLooks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for setting, want := range map[string]string{"": "", folder: folder, "s3://bucket/prefix?region=eu-central-1": ""} {
		dir := t.TempDir()
		if want == "" {
			want = filepath.Join(dir, "blobs")
		}
		from, err := bucket.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{
			From: from, DataDir: dir, Store: filepath.Join(dir, "store"), Modules: filepath.Join(dir, "modules"), Blobs: setting,
			Layout: badger.Format, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatalf("blobs = %q: %v", setting, err)
		}
		if got := s.copy.Blobs.String(); got != want {
			t.Errorf("blobs = %q: they go to %s, want %s", setting, got, want)
		}
		if err := s.to.Close(); err != nil {
			t.Error(err)
		}
	}
}
