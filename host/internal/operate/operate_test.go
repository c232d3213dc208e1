package operate_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/operate"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

// nothing serves nothing.
type nothing struct{}

func (nothing) Serving(string) (deploy.Serving, bool) { return deploy.Serving{}, false }

// operator is an Operator of a plugin "demo" that may have three keys.
func operator(t *testing.T) *operate.Operator {
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
	reg, err := registry.Open(t.Context(), st, filepath.Join(dir, "modules"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	manifest := "manifest_version = 1\nname = \"demo\"\n[kv]\nkeys = 3\n"
	if _, _, err := reg.AddVersion(t.Context(), registry.AddVersion{Name: "demo", Module: []byte("module"), Manifest: []byte(manifest)}); err != nil {
		t.Fatal(err)
	}
	return operate.New(st, reg, nothing{}, time.Now)
}

func TestKV(t *testing.T) {
	o := operator(t)
	ctx := t.Context()
	for _, key := range []string{"b", "a", "c"} {
		if err := o.KVPut(ctx, "demo", []byte(key), []byte(key+key), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.KVPut(ctx, "demo", []byte("d"), nil, 0); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("a key over the quota: %v, want exhausted", err)
	}
	page, err := o.KVList(ctx, "demo", store.Query{Limit: 2})
	if err != nil || !page.More || len(page.Entries) != 2 || page.Entries[0].Text != "a" || page.Entries[1].Size != 2 {
		t.Errorf("list: %+v, %v", page, err)
	}
	if got, err := o.KVGet(ctx, "demo", []byte("c")); err != nil || string(got) != "cc" {
		t.Errorf("get: %q, %v", got, err)
	}
	if err := o.KVDelete(ctx, "demo", []byte("c")); err != nil {
		t.Error(err)
	}
	for _, err := range []error{o.KVDelete(ctx, "demo", []byte("c")), o.KVPut(ctx, "nobody", []byte("k"), nil, 0)} {
		if fault.CodeOf(err) != fault.NotFound {
			t.Errorf("got %v, want not found", err)
		}
	}
}
