package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/durable"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func TestModulesAreTheirOwners(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	for path, want := range map[string]os.FileMode{
		f.modules():                           os.ModeDir | 0o700,
		filepath.Join(f.modules(), file("m")): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
}

func TestOpenRemovesWhatCrashesLeft(t *testing.T) {
	f := open(t)
	f.upload("shop", "named")
	for name, text := range map[string]string{
		file("never named"):  "never named",
		"0123456789ab-1.new": "half a mod",
		"readme.txt":         "an operator's note",
	} {
		if err := os.WriteFile(filepath.Join(f.modules(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.reopen()
	same(t, "files", []string{file("named"), "readme.txt"}, f.files())
}

// TestANewStoreRemovesNoModules puts a store that never had a plugin beside the
// modules of another, as when the other is lost.
func TestANewStoreRemovesNoModules(t *testing.T) {
	f := open(t)
	if err := os.WriteFile(filepath.Join(f.modules(), file("of another")), []byte("of another"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	same(t, "files", []string{file("of another")}, f.files())
}

func TestDamagedModule(t *testing.T) {
	f := open(t)
	_, v := f.upload("shop", "module")
	path := filepath.Join(f.modules(), file("module"))
	for _, c := range []struct{ name, content string }{
		{"changed", "moduLe"}, {"cut off", "mod"}, {"empty", ""}, {"longer", "module and more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			module, err := f.Module(v.Digest)
			wantCode(t, err, fault.Internal)
			if module != nil {
				t.Errorf("a damaged module was returned: %q", module)
			}
			if text := err.Error(); !strings.Contains(text, path) || !strings.Contains(text, "damaged") {
				t.Errorf("%q does not name the file and what is wrong", text)
			}
			// The same upload again heals it, and is no new version.
			if _, again := f.upload("shop", "module"); again.Number != 1 {
				t.Errorf("the upload made version %d", again.Number)
			}
			if module, err := f.Module(v.Digest); err != nil || string(module) != "module" {
				t.Errorf("after the upload: %q, %v", module, err)
			}
		})
	}
}

func TestDamagedRecord(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	f.write(func(tx *records) error { return tx.Set([]byte(prefixPlugin+"shop"), []byte("{"), 0) })
	_, err := f.Plugin(t.Context(), "shop")
	wantCode(t, err, fault.Internal)
	_, err = f.Plugins(t.Context())
	wantCode(t, err, fault.Internal)
	if !strings.Contains(err.Error(), "registry/plugin/shop") {
		t.Errorf("%q does not name the record", err)
	}
}

// write commits records behind the registry's back.
func (f *fixture) write(change func(tx *records) error) {
	f.t.Helper()
	f.changes.Lock()
	defer f.changes.Unlock()
	if err := f.change(f.t.Context(), change); err != nil {
		f.t.Fatal(err)
	}
}

// failing is a store whose calls fail, as on a full disk or at a crash.
type failing struct {
	store.Store
	commit func() error // before the commit; its error stands for the commit's
	after  error        // instead of the commit's success
	drop   error
}

func (s *failing) Commit(ctx context.Context, e *store.Effects) (store.Revision, error) {
	if s.commit != nil {
		if err := s.commit(); err != nil {
			return 0, err
		}
	}
	revision, err := s.Store.Commit(ctx, e)
	if err == nil {
		err = s.after
	}
	return revision, err
}

func (s *failing) Drop(ctx context.Context, space store.Space) error {
	if s.drop != nil {
		return s.drop
	}
	return s.Store.Drop(ctx, space)
}

// over returns a registry on the fixture's store with s between.
func (f *fixture) over(s *failing) *Registry {
	f.t.Helper()
	s.Store = f.store
	r, err := Open(f.t.Context(), s, f.modules(), func() time.Time { return noon }, capabilities.All(capabilities.Config{}))
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func TestFailedCommitLeavesTheStateBefore(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	f.upload("shop", "m1")
	before, _ := f.activate("shop", Change{Version: 1})
	events, err := f.Audit(ctx, 0, 0)
	wantCode(t, err, "")

	s := &failing{}
	r := f.over(s)
	s.commit = func() error { return fault.New(fault.Exhausted, "commit", "the disk is nearly full") }
	_, _, err = r.AddVersion(ctx, AddVersion{Name: "shop", Module: []byte("m2")})
	wantCode(t, err, fault.Exhausted)
	_, _, err = r.AddVersion(ctx, AddVersion{Name: "new", Module: []byte("m1")})
	wantCode(t, err, fault.Exhausted)
	_, _, err = r.Activate(ctx, "shop", Change{Version: 1, Mount: "/x"})
	wantCode(t, err, fault.Exhausted)
	_, _, err = r.Change(ctx, "shop", Change{Set: map[string]string{"a": "1"}})
	wantCode(t, err, fault.Exhausted)
	wantCode(t, r.Delete(ctx, "shop", false, ""), fault.Exhausted)
	wantCode(t, r.Delete(ctx, "shop", true, ""), fault.Exhausted)
	same(t, "files", []string{file("m1")}, f.files())

	f.reopen()
	plugins, err := f.Plugins(ctx)
	wantCode(t, err, "")
	same(t, "plugins", []plugin.Plugin{before}, plugins)
	after, err := f.Audit(ctx, 0, 0)
	wantCode(t, err, "")
	same(t, "events", events, after)
	_, err = f.Module(plugin.DigestOf([]byte("m1")))
	wantCode(t, err, "")
}

func TestAFailedUploadKeepsAModuleOthersName(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	_, v := f.upload("shop", "m")
	path := filepath.Join(f.modules(), file("m"))
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &failing{}
	r := f.over(s)
	s.commit = func() error { return fault.New(fault.Exhausted, "commit", "the disk is nearly full") }
	_, _, err := r.AddVersion(ctx, AddVersion{Name: "other", Module: []byte("m")})
	wantCode(t, err, fault.Exhausted)
	module, err := f.Module(v.Digest)
	wantCode(t, err, "")
	same(t, "the module, healed by the upload", "m", string(module))
}

// TestANameThatMayNotBeDurable repeats an upload whose file was renamed, but
// whose directory could not be synced.
func TestANameThatMayNotBeDurable(t *testing.T) {
	f := open(t)
	broken := errors.New("the disk does not answer")
	f.Registry.modules.SyncDir = func(string) error { return broken }
	for _, try := range []string{"the first upload", "the same again"} {
		_, _, err := f.AddVersion(t.Context(), AddVersion{Name: "shop", Module: []byte("m")})
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v, want the failed sync", try, err)
		}
	}
	f.Registry.modules.SyncDir = durable.SyncDir
	f.upload("shop", "m")
}

func TestUnknownOutcomeKeepsTheModule(t *testing.T) {
	f := open(t)
	s := &failing{}
	r := f.over(s)
	s.after = fault.New(fault.Unknown, "commit", "the sync failed")
	_, _, err := r.AddVersion(t.Context(), AddVersion{Name: "shop", Module: []byte("m")})
	wantCode(t, err, fault.Unknown)
	f.reopen() // it was durable after all
	v, err := f.Version(t.Context(), "shop", 1)
	wantCode(t, err, "")
	_, err = f.Module(v.Digest)
	wantCode(t, err, "")
}

func TestOpenFinishesAPurge(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	p, _ := f.upload("shop", "m")
	f.activate("shop", Change{Version: 1})
	setKey(t, f.store, p.Space)
	s := &failing{}
	r := f.over(s)
	s.drop = fault.New(fault.Unavailable, "drop", "the store is read-only")
	wantCode(t, r.Delete(ctx, "shop", true, "ann"), "")
	wantCode(t, r.Clean(ctx), fault.Unavailable)
	_, err := f.Plugin(ctx, "shop")
	wantCode(t, err, fault.NotFound)
	if len(f.keys(p.Space)) == 0 {
		t.Fatal("nothing is left to clean")
	}
	// A start while the store cannot write works, and leaves it for the next.
	_, err = Open(ctx, s, f.modules(), time.Now, capabilities.All(capabilities.Config{}))
	wantCode(t, err, "")
	f.reopen()
	same(t, "records", 0, len(f.keys(p.Space)))
	same(t, "files", []string(nil), f.files())
	_, err = f.store.Usage(store.Space(p.Space))
	wantCode(t, err, fault.NotFound)
}

func TestOpenFinishesAPurgeWhoseSpaceIsGone(t *testing.T) {
	f := open(t)
	p, _ := f.upload("shop", "m")
	s := &failing{}
	r := f.over(s)
	commits := 0
	s.commit = func() error {
		if commits++; commits > 1 { // the decision passes, the cleaning does not
			return fault.New(fault.Unavailable, "commit", "the store is read-only")
		}
		return nil
	}
	wantCode(t, r.Delete(t.Context(), "shop", true, ""), "")
	wantCode(t, r.Clean(t.Context()), fault.Unavailable)
	if len(f.keys(p.Space)) == 0 {
		t.Fatal("nothing is left to clean")
	}
	f.reopen()
	same(t, "records", 0, len(f.keys(p.Space)))
}

func TestPurgeRemovesManyRecords(t *testing.T) {
	f := open(t)
	p, _ := f.upload("shop", "m")
	f.write(func(tx *records) error {
		for i := range 2*removeStep + 1 {
			if err := put(tx, numbered(prefixDeployment, p.Space, i+1), newDeploymentRecord(plugin.Deployment{Number: i + 1})); err != nil {
				return err
			}
		}
		return nil
	})
	wantCode(t, f.Delete(t.Context(), "shop", true, ""), "")
	wantCode(t, f.Clean(t.Context()), "")
	same(t, "records", 0, len(f.keys(p.Space)))
}

func TestConflictIsRetried(t *testing.T) {
	f := open(t)
	f.upload("shop", "m")
	s := &failing{}
	r := f.over(s)
	// Another process changes the same record between snapshot and commit.
	meddled := 0
	s.commit = func() error {
		if meddled == 2 {
			return nil
		}
		meddled++
		_, _, err := f.Activate(t.Context(), "shop", Change{Version: 1, By: "other"})
		return err
	}
	_, d, err := r.Activate(t.Context(), "shop", Change{Version: 1, By: "me"})
	wantCode(t, err, "")
	same(t, "number after two conflicts", 3, d.Number)
	same(t, "who", "me", d.By)

	attempts := 0
	s.commit = func() error { attempts++; return fault.New(fault.Conflict, "commit", "again") }
	_, _, err = r.Activate(t.Context(), "shop", Change{Version: 1})
	wantCode(t, err, fault.Conflict)
	same(t, "attempts", maxAttempts, attempts)
}

// TestHammer changes two plugins from many goroutines, and then counts: nothing
// is lost, nothing is there twice.
func TestHammer(t *testing.T) {
	const workers, rounds = 6, 10
	f := open(t)
	ctx := t.Context()
	names := []string{"a", "b"}
	for _, name := range names {
		f.upload(name, "first")
	}
	var wg sync.WaitGroup
	for w := range workers {
		name, key := names[w%2], fmt.Sprintf("w%d", w)
		wg.Go(func() {
			for i := range rounds {
				_, v, err := f.AddVersion(ctx, AddVersion{Name: name, Module: fmt.Appendf(nil, "%d/%d", w, i)})
				if err != nil {
					t.Errorf("AddVersion: %v", err)
				}
				_, d, err := f.Activate(ctx, name, Change{Version: v.Number, Set: map[string]string{key: fmt.Sprint(i)}})
				if err != nil || d.Version != v.Number || d.Vars[key] != fmt.Sprint(i) {
					t.Errorf("Activate: %+v, %v", d, err)
				}
				if p, err := f.Plugin(ctx, name); err != nil || p.Deployment < d.Number || p.Active == 0 {
					t.Errorf("Plugin: %+v, %v after deployment %d", p, err, d.Number)
				}
			}
		})
	}
	wg.Wait()
	f.reopen()
	for _, name := range names {
		checkHistory(t, f, name, workers/2*rounds, fmt.Sprint(rounds-1))
	}
	events, err := f.Audit(ctx, 0, 0)
	wantCode(t, err, "")
	same(t, "events", len(names)+2*workers*rounds, len(events))
	for i, e := range events {
		same(t, "event", uint64(i+1), e.Number)
	}
}

// checkHistory checks that a plugin's versions and deployments have no gap, and
// that the last deployment is what the plugin says.
func checkHistory(t *testing.T, f *fixture, name string, changes int, last string) {
	t.Helper()
	ctx := t.Context()
	p, err := f.Plugin(ctx, name)
	wantCode(t, err, "")
	versions, err := f.Versions(ctx, name)
	wantCode(t, err, "")
	same(t, "versions", []int{1 + changes, 1 + changes}, []int{p.Versions, len(versions)})
	for i, v := range versions {
		same(t, "version", len(versions)-i, v.Number)
		_, err := f.Module(v.Digest)
		wantCode(t, err, "")
	}
	deployments, err := f.Deployments(ctx, name, 0, 0)
	wantCode(t, err, "")
	same(t, "deployments", changes, len(deployments))
	for i, d := range deployments {
		same(t, "deployment", len(deployments)-i, d.Number)
	}
	newest := deployments[0]
	same(t, "what serves", []int{newest.Number, newest.Version}, []int{p.Deployment, p.Active})
	same(t, "its vars", newest.Vars, p.Vars)
	for key, value := range p.Vars {
		same(t, "last value of "+key, last, value)
	}
}
