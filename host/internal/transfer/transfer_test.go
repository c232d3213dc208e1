package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/transfer"
)

// world is a store with plugins in it.
type world struct {
	*testing.T

	store    *badger.Store
	blobs    *blob.Store
	registry *registry.Registry
	service  *transfer.Service
	shared   *store.Shared
	before   func() // data is put in place
}

// newWorld has plugins of these names, each of which may have 3000 keys of 10 MiB.
func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	dir := t.TempDir()
	st, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	reg, err := registry.Open(t.Context(), st, filepath.Join(dir, "modules"), time.Now, capabilities.All(capabilities.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.OpenStore(blob.Config{Dir: filepath.Join(dir, "blobs")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		manifest := fmt.Sprintf("manifest_version = 1\nname = %q\n[kv]\nkeys = 3000\nbytes = \"10MiB\"\n[blobs]\n", name)
		if _, _, err := reg.AddVersion(t.Context(), registry.AddVersion{Name: name, Module: []byte("module"), Manifest: []byte(manifest)}); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{T: t, store: st, blobs: blobs, registry: reg}
	w.service = transfer.New(transfer.Config{
		Store: st, Blobs: blobs, Registry: reg, Deployer: w, Header: archive.Header{Program: "v1", Layout: 1, ABI: 1},
		Shared: func(string) *store.Shared { return w.shared }, Clock: time.Now,
	})
	return w
}

// MoveData implements transfer.Deployer, for plugins that do not serve.
func (w *world) MoveData(ctx context.Context, name string, data registry.Data, by string) error {
	if w.before != nil {
		w.before()
	}
	_, _, err := w.registry.Change(ctx, name, registry.Change{Data: &data, By: by})
	return err
}

// put sets a key in an area of a plugin.
func (w *world) put(name string, area store.Area, key, value string, ttl time.Duration) {
	w.Helper()
	_, err := w.registry.ChangeKeys(w.Context(), name, func(tx *store.Tx) (plugin.Event, error) {
		p, err := w.registry.Plugin(w.Context(), name)
		e := plugin.Event{Action: plugin.ActionKVPut, Plugin: name}
		if area == store.AreaRecords {
			return e, errors.Join(err, tx.SetRecord([]byte(key), []byte(value), ttl))
		}
		return e, errors.Join(err, tx.Part(store.Space(p.Keys()).In(area), store.Quota{}).Set([]byte(key), []byte(value), ttl))
	})
	if err != nil {
		w.Fatal(err)
	}
}

// export returns the keys of a plugin as lines, without the first one.
func (w *world) export(name, prefix string) string {
	w.Helper()
	var b bytes.Buffer
	send, err := w.service.ExportKeys(w.Context(), name, []byte(prefix), "ann")
	if err == nil {
		err = send(w.Context(), &b)
	}
	if err != nil {
		w.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), "\n")
	return rest
}

func TestKeysComeOutAndIn(t *testing.T) {
	w := newWorld(t, "shop", "other")
	w.put("shop", store.AreaKV, "a/1", "hello", 0)
	w.put("shop", store.AreaKV, "a/\xff", "\x00\xff", time.Hour)
	w.put("shop", store.AreaKV, "b", "", 0)
	w.put("shop", store.AreaKV, "gone", "", time.Millisecond)
	w.put("shop", store.AreaRecords, "r", "not a key", 0)
	time.Sleep(5 * time.Millisecond)
	all := w.export("shop", "")
	if n := strings.Count(all, "\n"); n != 4 || !strings.HasSuffix(all, "{\"keys\":3}\n") || strings.Contains(all, "gone") {
		t.Fatalf("%d lines:\n%s", n, all)
	}
	if got := w.export("shop", "a/"); strings.Count(got, "\n") != 3 || strings.Contains(got, `"b"`) {
		t.Errorf("those of a prefix:\n%s", got)
	}
	body := strings.TrimSuffix(all, "{\"keys\":3}\n")
	in := adminapi.KeysImport{PluginRef: adminapi.PluginRef{Name: "other"}, OnConflict: adminapi.ConflictFail, Line: 2}
	for _, want := range []adminapi.KeysImported{{Added: 3, Bytes: 14}, {Unchanged: 3}} {
		got, err := w.service.ImportKeys(t.Context(), in, []byte(body), "ann")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if got := w.export("other", ""); got != all {
		t.Errorf("came back as\n%s\nand was\n%s", got, all)
	}
}

func TestConflictsOfAnImport(t *testing.T) {
	w := newWorld(t, "shop")
	w.put("shop", store.AreaKV, "b", "mine", 0)
	const body = `{"key":"a","value":"1"}` + "\n" + `{"key":"b","value":"theirs"}` + "\n" + `{"key":"c","value":"","expires":"2001-01-01T00:00:00Z"}` + "\n"
	try := func(onConflict string, dry bool) (adminapi.KeysImported, error) {
		return w.service.ImportKeys(t.Context(), adminapi.KeysImport{PluginRef: adminapi.PluginRef{Name: "shop"}, OnConflict: onConflict, Line: 7, DryRun: dry}, []byte(body), "ann")
	}
	before := w.export("shop", "")
	if _, err := try(adminapi.ConflictFail, false); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), `line 8: the key "b" is there with another value`) {
		t.Errorf("a conflict: %v", err)
	}
	if got, err := try(adminapi.ConflictReplace, true); err != nil || (got != adminapi.KeysImported{Added: 1, Replaced: 1, Expired: 1, Bytes: 4}) {
		t.Errorf("a dry run: %+v, %v", got, err)
	}
	if got := w.export("shop", ""); got != before {
		t.Errorf("a conflict or a dry run has left\n%s", got)
	}
	if got, err := try(adminapi.ConflictSkip, false); err != nil || (got != adminapi.KeysImported{Added: 1, Skipped: 1, Expired: 1, Bytes: 2}) {
		t.Errorf("skip: %+v, %v", got, err)
	}
	if got, err := try(adminapi.ConflictReplace, false); err != nil || (got != adminapi.KeysImported{Unchanged: 1, Replaced: 1, Expired: 1, Bytes: 2}) {
		t.Errorf("replace: %+v, %v", got, err)
	}
	if got, want := w.export("shop", ""), `{"key":"a","value":"1"}`+"\n"+`{"key":"b","value":"theirs"}`+"\n"+`{"keys":2}`+"\n"; got != want {
		t.Errorf("it has\n%s", got)
	}
}

// TestAnImportKeepsToItsBounds: to the quota of the plugin, and to what a commit takes.
func TestAnImportKeepsToItsBounds(t *testing.T) {
	w := newWorld(t, "shop")
	send := func(from, n int, value string) error {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "{\"key\":\"%06d\",\"value\":\"%s\"}\n", from+i, value)
		}
		_, err := w.service.ImportKeys(t.Context(), adminapi.KeysImport{PluginRef: adminapi.PluginRef{Name: "shop"}, OnConflict: adminapi.ConflictReplace, Line: 2}, []byte(b.String()), "ann")
		return err
	}
	for i := range 3 {
		if err := send(1000*i, 1000, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(3000, 1, ""); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("a key over the quota: %v", err)
	}
	if err := send(0, 1001, ""); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("too many lines: %v", err)
	}
	if err := send(0, 5, strings.Repeat("x", 1<<20)); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("more than a commit takes: %v", err)
	}
	if _, err := w.service.ImportKeys(t.Context(), adminapi.KeysImport{PluginRef: adminapi.PluginRef{Name: "shop"}, Line: 2}, []byte("{}\n"), "ann"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("what is no line: %v", err)
	}
}

// TestSizesAddUp: what the areas hold, counted in several parts, is what the store's own
// counters say.
func TestSizesAddUp(t *testing.T) {
	w := newWorld(t, "shop")
	for i, a := range store.Areas() {
		for n := range i + 1 {
			w.put("shop", a, fmt.Sprint("key", n), strings.Repeat("x", i), 0)
		}
	}
	w.service.CountAtMost(3)
	got, total, calls := map[string]adminapi.Usage{}, adminapi.Usage{}, 0
	for after := ""; ; calls++ {
		s, err := w.service.Sizes(t.Context(), "shop", after)
		if err != nil || calls > 100 {
			t.Fatal(err, calls)
		}
		for _, a := range s.Areas {
			sum := got[a.Area]
			got[a.Area] = adminapi.Usage{Keys: sum.Keys + a.Keys, Bytes: sum.Bytes + a.Bytes}
			total = adminapi.Usage{Keys: total.Keys + a.Keys, Bytes: total.Bytes + a.Bytes}
		}
		if after = s.Next; after == "" {
			if s.Total != total {
				t.Errorf("counted %+v, the store has %+v", total, s.Total)
			}
			break
		}
	}
	if calls < 9 || len(got) != 7 || got["kv"] != (adminapi.Usage{Keys: 1, Bytes: 4}) || got["blobs"] != (adminapi.Usage{Keys: 7, Bytes: 70}) {
		t.Errorf("%d calls: %+v", calls, got)
	}
	for _, cursor := range []string{"x", "AA", "IA", "aaaa", "A!", strings.Repeat("AAAA", 400)} {
		if _, err := w.service.Sizes(t.Context(), "shop", cursor); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("cursor %.20q: %v", cursor, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.service.Sizes(ctx, "shop", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
