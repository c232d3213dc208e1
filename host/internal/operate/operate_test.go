package operate_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/operate"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// serving is what serves, by name.
type serving map[string]deploy.Serving

func (s serving) Rollout(plugin.Plugin) (r deploy.RolloutStatus, ok bool) { return r, false }

func (s serving) Serving(name string) (deploy.Serving, bool) {
	d, ok := s[name]
	return d, ok
}

func (serving) Requests(id string) []trace.Record {
	if id != "known" {
		return nil
	}
	return []trace.Record{
		{ID: id, Plugin: "demo", Start: time.Unix(7, 0), Wait: 1500 * time.Nanosecond, Conflict: true, ConflictSpace: uint64(store.Space(16).In(store.AreaRecords)), ConflictKey: "\xff"},
		{ID: id, Plugin: "demo", Status: 200},
	}
}

func (serving) EndPreviews(context.Context, string, string) (int, error) { return 0, nil }

// counting counts commits.
type counting struct {
	store.Store
	commits int
}

func (c *counting) Commit(ctx context.Context, e *store.Effects) (store.Revision, error) {
	c.commits++
	return c.Store.Commit(ctx, e)
}

// operator is an Operator of a plugin "demo" that may have three keys.
func operator(t *testing.T) (*operate.Operator, *counting) {
	t.Helper()
	o, st, _ := operatorOf(t, nil)
	return o, st
}

func operatorOf(t *testing.T, s serving) (*operate.Operator, *counting, *registry.Registry) {
	t.Helper()
	dir := t.TempDir()
	opened, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	st := &counting{Store: opened}
	reg, err := registry.Open(t.Context(), st, filepath.Join(dir, "modules"), time.Now, capabilities.All(capabilities.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	manifest := "manifest_version = 1\nname = \"demo\"\n[kv]\nkeys = 3\n"
	if _, _, err := reg.AddVersion(t.Context(), registry.AddVersion{Name: "demo", Module: []byte("module"), Manifest: []byte(manifest)}); err != nil {
		t.Fatal(err)
	}
	return operate.New(st, reg, s, nil, time.Now, capabilities.All(capabilities.Config{})), st, reg
}

func TestStates(t *testing.T) {
	version := plugin.Version{Number: 1, Digest: "sha256:00", Label: "one"}
	at := func(change func(*deploy.Serving)) serving {
		d := deploy.Serving{Version: version, Routes: []string{"GET /"}, InFlight: 1, Idle: 2, Busy: 3}
		change(&d)
		return serving{"demo": d}
	}
	for _, tt := range []struct {
		serving serving
		want    adminapi.Plugin // beyond what every one has
	}{
		{nil, adminapi.Plugin{State: adminapi.StateStopped, Routes: []string{}}},
		{at(func(*deploy.Serving) {}), adminapi.Plugin{State: adminapi.StateAsleep}},
		{at(func(d *deploy.Serving) { d.Loaded, d.Stateful = true, true }), adminapi.Plugin{State: adminapi.StateServing, Stateful: true}},
		{at(func(d *deploy.Serving) { d.Loaded, d.Making = true, time.Second }), adminapi.Plugin{State: adminapi.StateServing}},
		{
			at(func(d *deploy.Serving) { d.Loaded, d.Fresh, d.Making = true, "it must be", 1500*time.Microsecond }),
			adminapi.Plugin{State: adminapi.StateServing, Fresh: "it must be", Making: 1.5},
		},
		{
			at(func(d *deploy.Serving) { d.Loaded, d.Failure = true, fault.New(fault.Invalid, "op", "why") }),
			adminapi.Plugin{State: adminapi.StateFailed, Error: "why"},
		},
	} {
		o, _, reg := operatorOf(t, tt.serving)
		want := tt.want
		want.Name, want.Mount, want.Versions = "demo", []string{"/demo"}, 1
		if tt.serving != nil {
			want.Version, want.Digest, want.Label, want.Routes = 1, "sha256:00", "one", []string{"GET /"}
			want.InFlight, want.Idle, want.Busy = 1, 2, 3
		}
		got, err := o.Plugin(t.Context(), "demo")
		got.Created = time.Time{}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", want.State, err, diff)
		}
		if err := reg.Delete(t.Context(), "demo", false, "ann"); err != nil {
			t.Fatal(err)
		}
		if got, err := o.Plugin(t.Context(), "demo"); err != nil || got.State != adminapi.StateDeleted || got.Version != 0 {
			t.Errorf("once it is deleted: %+v, %v", got, err)
		}
	}
}

func TestKV(t *testing.T) {
	o, _ := operator(t)
	ctx := t.Context()
	for _, key := range []string{"b", "a", "c"} {
		if err := o.KVPut(ctx, "demo", []byte(key), []byte(key+key), 0, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.KVPut(ctx, "demo", []byte("d"), nil, 0, "ann"); fault.CodeOf(err) != fault.Exhausted {
		t.Errorf("a key over the quota: %v, want exhausted", err)
	}
	page, err := o.KVList(ctx, "demo", store.Query{Limit: 2})
	if err != nil || !page.More || len(page.Entries) != 2 || page.Entries[0].Text != "a" || page.Entries[1].Size != 2 {
		t.Errorf("list: %+v, %v", page, err)
	}
	if got, err := o.KVGet(ctx, "demo", []byte("c")); err != nil || string(got) != "cc" {
		t.Errorf("get: %q, %v", got, err)
	}
	if err := o.KVDelete(ctx, "demo", []byte("c"), "ann"); err != nil {
		t.Error(err)
	}
	for _, err := range []error{o.KVDelete(ctx, "demo", []byte("c"), "ann"), o.KVPut(ctx, "nobody", []byte("k"), nil, 0, "ann")} {
		if fault.CodeOf(err) != fault.NotFound {
			t.Errorf("got %v, want not found", err)
		}
	}
}

// TestKeysAreAudited: each change of a key is told with the change, in one
// commit, and what was refused is not.
func TestKeysAreAudited(t *testing.T) {
	o, st := operator(t)
	ctx := t.Context()
	before, err := o.Audit(ctx, adminapi.EventsQuery{}, everyPlugin)
	if err != nil {
		t.Fatal(err)
	}
	st.commits = 0
	for _, err := range []error{
		o.KVPut(ctx, "demo", []byte("a"), []byte("secret"), 0, "ann"),
		o.KVPut(ctx, "demo", []byte("\xff"), nil, 90*time.Second, "ann"),
		o.KVDelete(ctx, "demo", []byte("a"), "bob"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if st.commits != 3 {
		t.Errorf("three changes took %d commits", st.commits)
	}
	for i, key := range []string{"b", "c", "d"} {
		if err := o.KVPut(ctx, "demo", []byte(key), nil, 0, "ann"); (fault.CodeOf(err) == fault.Exhausted) != (i == 2) {
			t.Errorf("key %q: %v; the quota takes two more", key, err)
		}
	}
	if err := o.KVDelete(ctx, "demo", []byte("a"), "ann"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("deleting an absent key: %v", err)
	}
	if _, err := o.KVGet(ctx, "demo", []byte("b")); err != nil {
		t.Error(err)
	}
	events, err := o.Audit(ctx, adminapi.EventsQuery{After: before[len(before)-1].Number}, everyPlugin)
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		events[i].Number, events[i].Time = 0, time.Time{}
	}
	want := []adminapi.Event{
		{By: "ann", Action: "kv-put", Plugin: "demo", Detail: `key "a", 6 bytes`},
		{By: "ann", Action: "kv-put", Plugin: "demo", Detail: `key "\xff", 0 bytes, for 1m30s`},
		{By: "bob", Action: "kv-delete", Plugin: "demo", Detail: `key "a", 6 bytes`},
		{By: "ann", Action: "kv-put", Plugin: "demo", Detail: `key "b", 0 bytes`},
		{By: "ann", Action: "kv-put", Plugin: "demo", Detail: `key "c", 0 bytes`},
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestKeysOfManyOperators: changes at the same time are all kept and all told.
func TestKeysOfManyOperators(t *testing.T) {
	o, _ := operator(t)
	const writers, rounds = 4, 25
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for range rounds {
				if err := o.KVPut(t.Context(), "demo", []byte("k"), []byte{byte(w)}, 0, "ann"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	events, err := o.Audit(t.Context(), adminapi.EventsQuery{After: 1}, everyPlugin)
	if err != nil || len(events) != writers*rounds {
		t.Errorf("%d events, %v; want %d", len(events), err, writers*rounds)
	}
}

func TestRequests(t *testing.T) {
	o, _ := operator(t)
	if _, err := o.Requests(t.Context(), "unknown"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("got %v, want not found", err)
	}
	got, err := o.Requests(t.Context(), "known")
	if err != nil || len(got) != 2 || got[0].Times.Wait != 0.0015 || got[1].Status != 200 || got[1].Conflict != nil {
		t.Fatalf("got %+v, %v", got, err)
	}
	if c := got[0].Conflict; c.Space != 16 || c.Area != "records" || c.Base64 != "/w==" {
		t.Errorf("conflict %+v", c)
	}
}

func everyPlugin(string) bool { return true }
