package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestANewerFolderIsRefused: a folder that a program of newer formats has used is
// refused before anything in it is opened, and by name.
func TestANewerFolderIsRefused(t *testing.T) {
	cfg := DefaultConfig()
	cfg.DataDir, cfg.PublicAddr, cfg.AdminAddr = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	cfg.MinFreeDisk = 0
	starts := func() error {
		h, err := New(t.Context(), cfg)
		if err == nil {
			_, err = ReadDataVersion(cfg) // it takes no lock
			err = errors.Join(err, h.Close())
		}
		return err
	}
	if _, err := ReadDataVersion(cfg); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a folder without data: %v", err)
	}
	if err := starts(); err != nil {
		t.Fatal(err)
	}
	own := ownFormats()
	if own.ABI < 1 || own.Store < 2 || own.Registry < 1 || own.Artefact < 2 {
		t.Errorf("this program has the formats %+v", own)
	}
	v, err := ReadDataVersion(cfg)
	if diff := cmp.Diff(DataVersion{Binary: own, Folder: own}, v); err != nil || diff != "" {
		t.Errorf("after a start: %v (-want +got):\n%s", err, diff)
	}
	for part, raise := range map[string]func(*Formats){
		"its store (format":    func(f *Formats) { f.Store++ },
		"its registry (format": func(f *Formats) { f.Registry++ },
		"its ABI (format":      func(f *Formats) { f.ABI++ },
	} {
		newer := own
		newer.Program = "v99.0.0"
		raise(&newer)
		if err := newer.Write(cfg.DataDir); err != nil {
			t.Fatal(err)
		}
		err := starts()
		if told := fault.MessageOf(err); fault.CodeOf(err) != fault.Invalid || !strings.Contains(told, part) || !strings.Contains(told, "v99.0.0") {
			t.Errorf("%s ...: %v", part, err)
		}
		if v, err := ReadDataVersion(cfg); err != nil || v.Folder != newer || !strings.Contains(v.Refused, part) {
			t.Errorf("%s ...: the version is %+v, %v", part, v, err)
		}
	}
	older := own
	older.Artefact++ // another's artefacts are built again
	older.Store--
	if err := older.Write(cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	if err := starts(); err != nil {
		t.Errorf("a folder of other artefacts: %v", err)
	}
	if v, err := ReadDataVersion(cfg); err != nil || v.Folder != own {
		t.Errorf("after that start: %+v, %v", v, err)
	}
}
