package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// fixture is a registry on a real store, which a test may reopen.
type fixture struct {
	*Registry
	t     *testing.T
	dir   string // of the store and the modules
	store *badger.Store
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir()}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *fixture) modules() string { return filepath.Join(f.dir, "modules") }

func (f *fixture) start() {
	f.t.Helper()
	st, err := badger.Open(badger.Config{Dir: filepath.Join(f.dir, "store"), MinFree: -1})
	if err != nil {
		f.t.Fatalf("open the store: %v", err)
	}
	f.store = st
	f.Registry, err = Open(f.t.Context(), st, f.modules(), func() time.Time { return noon }, capabilities.All(capabilities.Config{}))
	if err != nil {
		f.t.Fatalf("Open: %v", err)
	}
}

func (f *fixture) stop() {
	if err := f.store.Close(); err != nil {
		f.t.Errorf("close the store: %v", err)
	}
}

func (f *fixture) reopen() {
	f.t.Helper()
	f.stop()
	f.start()
}

// upload adds a version whose module is text.
func (f *fixture) upload(name, text string) (plugin.Plugin, plugin.Version) {
	f.t.Helper()
	p, v, err := f.AddVersion(f.t.Context(), AddVersion{Name: name, Module: []byte(text), By: "ann"})
	if err != nil {
		f.t.Fatalf("AddVersion: %v", err)
	}
	return p, v
}

func (f *fixture) activate(name string, c Change) (plugin.Plugin, plugin.Deployment) {
	f.t.Helper()
	p, d, err := f.Activate(f.t.Context(), name, c)
	if err != nil {
		f.t.Fatalf("Activate: %v", err)
	}
	return p, d
}

func (f *fixture) files() []string {
	f.t.Helper()
	entries, err := os.ReadDir(f.modules())
	if err != nil {
		f.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func file(module string) string { return plugin.DigestOf([]byte(module)).Hex() + ".wasm" }

// keys returns the records below a key space's id.
func (f *fixture) keys(space uint64) []string {
	f.t.Helper()
	var keys []string
	err := f.view(func(tx *records) error {
		return tx.List(store.Query{Prefix: []byte("registry/")}, func(key, _ []byte) bool {
			keys = append(keys, string(key))
			return true
		})
	})
	wantCode(f.t, err, "")
	return slices.DeleteFunc(keys, func(key string) bool { return !strings.Contains(key, below("/", space)) })
}

func wantCode(t *testing.T, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("error %v has code %q, want %q", err, got, want)
	}
}

// same fails the test unless got is want.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// setKey writes a key of a plugin.
func setKey(t *testing.T, st store.Store, space uint64) {
	t.Helper()
	snap, err := st.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	tx := store.Begin(snap, store.Space(space), store.Quota{}, noon)
	defer tx.Close()
	if err := tx.Set([]byte("k"), []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(t.Context(), tx.Effects()); err != nil {
		t.Fatal(err)
	}
}

func usage(t *testing.T, st store.Store, space uint64) store.Usage {
	t.Helper()
	u, err := st.Usage(store.Space(space))
	wantCode(t, err, "")
	return u
}

func TestPluginsHaveSpacesOfTheirOwn(t *testing.T) {
	f := open(t)
	seen := map[uint64]string{}
	for _, name := range []string{"c", "a", "b"} {
		p, _ := f.upload(name, "one module for all")
		if other, taken := seen[p.Space]; taken || p.Space < firstSpace {
			t.Errorf("%s has the key space %d of %q", name, p.Space, other)
		}
		seen[p.Space] = name
	}
	same(t, "files", []string{file("one module for all")}, f.files())
	plugins, err := f.Plugins(t.Context())
	wantCode(t, err, "")
	var names []string
	for _, p := range plugins {
		names = append(names, p.Name)
	}
	same(t, "names in order", []string{"a", "b", "c"}, names)
}

func TestNotFound(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Plugin":       func() error { _, err := f.Plugin(ctx, "x"); return err },
		"Versions":     func() error { _, err := f.Versions(ctx, "x"); return err },
		"Deployments":  func() error { _, err := f.Deployments(ctx, "x", 0, 0); return err },
		"Version of":   func() error { _, err := f.Version(ctx, "x", 1); return err },
		"Version":      func() error { _, err := f.Version(ctx, "shop", 2); return err },
		"Version 0":    func() error { _, err := f.Version(ctx, "shop", 0); return err },
		"Version -1":   func() error { _, err := f.Version(ctx, "shop", -1); return err },
		"Manifest":     func() error { _, err := f.Manifest(ctx, "shop", 2); return err },
		"ManifestText": func() error { _, err := f.ManifestText(ctx, "x", 1); return err },
		"Grant":        func() error { _, err := f.Grant(ctx, "x", 1, granted(kv.Terms{}), ""); return err },
		"Activate of":  func() error { _, _, err := f.Activate(ctx, "x", Change{Version: 1}); return err },
		"Activate":     func() error { _, _, err := f.Activate(ctx, "shop", Change{Version: 2}); return err },
		"Activate 0":   func() error { _, _, err := f.Activate(ctx, "shop", Change{}); return err },
		"Change":       func() error { _, _, err := f.Change(ctx, "x", Change{}); return err },
		"Delete":       func() error { return f.Delete(ctx, "x", false, "") },
		"purge":        func() error { return f.Delete(ctx, "x", true, "") },
		"Module":       func() error { _, err := f.Module(plugin.DigestOf([]byte("other"))); return err },
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, call(), fault.NotFound) })
	}
	_, err := f.Module("sha256:../../../etc/passwd")
	wantCode(t, err, fault.Invalid)
}

func TestAudit(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	const secret = "s3cret"
	_, v := f.upload("shop", "m1")
	f.upload("shop", "m1") // the same: no change, no event
	_, w := f.upload("shop", "m2")
	_, _, err := f.Change(ctx, "shop", Change{Set: map[string]string{"key": secret}, By: "bob"})
	wantCode(t, err, "")
	f.activate("shop", Change{Version: 1, Mount: "/new", Grant: new(granted(kv.Terms{})), Set: map[string]string{"key": secret + "2"}, By: "bob"})
	wantCode(t, f.Delete(ctx, "shop", false, "ann"), "")
	f.upload("shop", "m2")
	wantCode(t, f.Delete(ctx, "shop", true, "ann"), "")

	f.reopen()
	events, err := f.Audit(ctx, 0, 0)
	wantCode(t, err, "")
	want := []plugin.Event{
		{Action: plugin.ActionInstall, By: "ann", Version: 1, Detail: string(v.Digest)},
		{Action: plugin.ActionUpload, By: "ann", Version: 2, Detail: string(w.Digest)},
		{Action: plugin.ActionVars, By: "bob", Changes: []plugin.Difference{{What: "var key", After: "set"}}},
		{Action: plugin.ActionActivate, By: "bob", Version: 1, Deployment: 1, Changes: []plugin.Difference{
			{What: "grant.kv", After: "true"}, {What: "mount", Before: "/shop", After: "/new"}, {What: "var key", Before: "set", After: "set anew"},
		}},
		{Action: plugin.ActionDelete, By: "ann"},
		{Action: plugin.ActionRestore, By: "ann", Version: 3, Detail: string(w.Digest)},
		{Action: plugin.ActionPurge, By: "ann"},
	}
	for i := range want {
		want[i].Number, want[i].Plugin, want[i].Time, want[i].Prev = uint64(i+1), "shop", noon, events[i].Prev
	}
	same(t, "events", want, events)
	for _, e := range events {
		if strings.Contains(fmt.Sprintf("%+v", e), secret) {
			t.Errorf("event %d shows the value of a var: %+v", e.Number, e)
		}
	}
	page, err := f.Audit(ctx, 2, 3)
	wantCode(t, err, "")
	same(t, "page", want[2:5], page)
}

func TestGivenUpUploadLeavesNothing(t *testing.T) {
	f := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := f.AddVersion(ctx, AddVersion{Name: "a", Module: []byte("m")})
	wantCode(t, err, fault.Unavailable)
	same(t, "files", []string(nil), f.files())
}

func TestAddVersionRefuses(t *testing.T) {
	f := open(t)
	for _, c := range []struct {
		name string
		a    AddVersion
		code fault.Code
	}{
		{"name", AddVersion{Name: "../x", Module: []byte("m")}, fault.Invalid},
		{"manifest", AddVersion{Name: "a", Module: []byte("m"), Manifest: []byte("nonsense")}, fault.Invalid},
		{"label", AddVersion{Name: "a", Module: []byte("m"), Label: "\x00"}, fault.Invalid},
		{"module", AddVersion{Name: "a", Module: make([]byte, limit.Module+1)}, fault.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := f.AddVersion(t.Context(), c.a)
			wantCode(t, err, c.code)
		})
	}
	same(t, "files", []string(nil), f.files())
	plugins, err := f.Plugins(t.Context())
	wantCode(t, err, "")
	same(t, "plugins", []plugin.Plugin(nil), plugins)
}
