package badger

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/layout"
)

// formatOne unpacks a store of format 1, as the last program of that format left
// it: closed, or killed. Spaces 0 to 2 got key00 to key39, counter, expires and
// the record once; space 1 lost key00 and got long; space 2 was dropped.
func formatOne(t *testing.T, how string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	f, err := os.Open(filepath.Join("testdata", "format1-"+how+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(h.Name)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// openLogged opens a store and returns how often it said that it was upgraded.
func openLogged(t *testing.T, dir string) (s *Store, upgrades int) {
	t.Helper()
	var log bytes.Buffer
	s = open(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil)), SweepEvery: time.Hour, ScrubEvery: -1})
	return s, strings.Count(log.String(), "upgraded the store")
}

func wantVerified(t *testing.T, dir string) {
	t.Helper()
	r, err := Verify(t.Context(), Config{Dir: dir}, nil)
	if err != nil || len(r.Damage) > 0 {
		t.Fatalf("verify: %v, %v", r.Damage, err)
	}
}

func TestUpgrade(t *testing.T) {
	for _, how := range []string{"closed", "killed"} {
		t.Run(how, func(t *testing.T) {
			dir := formatOne(t, how)
			wantVerified(t, dir)
			s, upgrades := openLogged(t, dir)
			if upgrades != 1 {
				t.Errorf("upgraded %d times", upgrades)
			}
			wantFormatOneData(t, s)
			sql := store.Part{Space: store.Space(1).In(store.AreaSQL), Ops: []store.Op{{Key: []byte("page")}}}
			_, err := s.Commit(t.Context(), &store.Effects{Now: time.Now(), Parts: []store.Part{sql}})
			wantCode(t, "commit to a new area", err, "")
			closeStore(t, s)
			wantVerified(t, dir)

			s, upgrades = openLogged(t, dir)
			if upgrades != 0 {
				t.Error("upgraded again")
			}
			if u, err := s.Usage(1); err != nil || u.Keys != 44 {
				t.Errorf("usage %+v, %v", u, err)
			}
			closeStore(t, s)
		})
	}
}

func wantFormatOneData(t *testing.T, s *Store) {
	t.Helper()
	snap, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for space := range store.Space(2) {
		tx := store.Begin(snap, space, store.Quota{}, time.Now())
		got := map[string]string{}
		err := tx.List(store.Query{}, func(key, data []byte) bool {
			got[string(key)] = string(data)
			return true
		})
		wantCode(t, "list", err, "")
		want := map[string]string{"counter": string(store.AppendCounter(nil, int64(space)+7)), "expires": "soon"}
		for i := range 40 {
			want[fmt.Sprintf("key%02d", i)] = fmt.Sprintf("value %d of space %d", i, space)
		}
		if space == 1 {
			delete(want, "key00")
			want["long"] = strings.Repeat("0123456789abcdef", 1<<16)
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("space %d: %s is %.40q, want %.40q", space, key, got[key], value)
			}
		}
		if record, err := tx.Record([]byte("once")); err != nil || string(record) != "record" {
			t.Errorf("space %d: record %q, %v", space, record, err)
		}
		if u, err := s.Usage(space); err != nil || len(got) != len(want) || u.Keys != int64(len(want)+1) {
			t.Errorf("space %d: %d keys, usage %+v, %v; want %d and a record", space, len(got), u, err, len(want))
		}
	}
	snap.Release()
	_, err = s.Usage(2)
	wantCode(t, "usage of the dropped space", err, fault.NotFound)
}

// TestUpgradeKilled cuts the log of the upgrade anywhere, as a crash does: the
// next start upgrades, if the one before has not, and nothing is lost.
func TestUpgradeKilled(t *testing.T) {
	s, _ := openLogged(t, formatOne(t, "closed"))
	after := copyStore(t, s.dir)
	closeStore(t, s)
	logs, err := filepath.Glob(filepath.Join(after, "*.mem"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs %v, %v", logs, err)
	}
	whole, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	const header = 20
	upgraded := 0
	for at := header; at <= len(whole); at += often(7, 1) {
		cut := bytes.Clone(whole[:at])
		if at%2 == 0 { // a file that grew before its data came
			cut = append(cut, make([]byte, len(whole)-at+100)...)
		}
		if err := os.WriteFile(logs[0], cut, 0o600); err != nil {
			t.Fatal(err)
		}
		s, upgrades := openLogged(t, copyStore(t, after))
		upgraded += upgrades
		wantFormatOneData(t, s)
		closeStore(t, s)
		wantVerified(t, s.dir)
	}
	if upgraded == 0 {
		t.Error("no cut undid the upgrade")
	}
}

// TestUpgradeRefusesOtherAreas: what format 1 cannot have written is damage.
func TestUpgradeRefusesOtherAreas(t *testing.T) {
	for _, area := range []store.Area{0x01, 0x7f, store.AreaQueue, 0xff} {
		dir := formatOne(t, "closed")
		db, err := badger.OpenManaged(badgerOptions(Config{Dir: dir}.withDefaults(), newHalt()))
		if err != nil {
			t.Fatal(err)
		}
		revision := db.MaxVersion()
		txn := db.NewTransactionAt(revision, true)
		err = txn.Set(layout.Key(layout.KindData, store.Space(1).In(area), []byte("k")), []byte{0})
		if err := errors.Join(err, txn.CommitAt(revision+1, nil), db.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = Open(Config{Dir: dir, Reserve: -1})
		wantCode(t, fmt.Sprintf("Open with a key of area %#x", area), err, fault.Invalid)
	}
}
