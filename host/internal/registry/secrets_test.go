package registry

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/secret"
	"github.com/wasmoor/wasmoor/host/internal/store/badger/database"
)

// sampleRing has the key of the records in testdata.
func sampleRing(t *testing.T) *secret.Ring {
	t.Helper()
	ring, err := secret.Parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "the test")
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// ringIn returns the ring of a file in the fixture's folder.
func (f *fixture) ringIn(name string) *secret.Ring {
	f.t.Helper()
	ring, err := secret.Load(filepath.Join(f.dir, name), true)
	if err != nil {
		f.t.Fatal(err)
	}
	return ring
}

func (f *fixture) unlock(ring *secret.Ring) Unlocked {
	f.t.Helper()
	u, err := f.Unlock(f.t.Context(), ring)
	if err != nil {
		f.t.Fatalf("Unlock: %v", err)
	}
	return u
}

func (f *fixture) plugin(name string) plugin.Plugin {
	f.t.Helper()
	p, err := f.Plugin(f.t.Context(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

const withSecrets = "manifest_version = 1\nname = \"shop\"\n[config]\ntoken = { secret = true }\nother = { secret = true }\ngreeting = {}\n"

func (f *fixture) shop(manifest string) plugin.Version {
	f.t.Helper()
	_, v, err := f.AddVersion(f.t.Context(), AddVersion{Name: "shop", Module: []byte("module"), Manifest: []byte(manifest), By: "ann"})
	if err != nil {
		f.t.Fatalf("AddVersion: %v", err)
	}
	return v
}

var secrets = map[string]bool{"token": true, "other": true}

// holding returns the files below the fixture's folder that hold a part of a text of
// random letters: what was compressed may have no more.
func (f *fixture) holding(text string) (files []string) {
	f.t.Helper()
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for i := range len(text) - 11 {
			if strings.Contains(string(data), text[i:i+12]) {
				files = append(files, filepath.Base(path))
				break
			}
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return files
}

// TestSecretsAreSealed: no file of the data folder holds one, and what is read has it.
func TestSecretsAreSealed(t *testing.T) {
	f := open(t)
	f.unlock(f.ringIn("secrets.key"))
	f.shop(withSecrets)
	value, plain := rand.Text(), rand.Text()
	p, d := f.activate("shop", Change{Version: 1, Set: map[string]string{"token": value, "greeting": plain}, Secret: secrets, By: "ann"})
	if len(d.Vars) != 1 || p.Values()["token"] != value {
		t.Errorf("the deployment has the vars %v, the plugin %v", d.Vars, p)
	}
	f.stop()
	if files := f.holding(value); len(files) > 0 {
		t.Errorf("the secret stands in %v", files)
	}
	if files := f.holding(plain); len(files) == 0 {
		t.Error("the var that is no secret stands nowhere: the test looks in the wrong place")
	}
	f.start()
	f.unlock(f.ringIn("secrets.key"))
	got := f.plugin("shop")
	want := map[string]plugin.Secret{"token": {Value: plugin.Hidden(value), Set: noon, By: "ann"}}
	if diff := cmp.Diff(want, got.Secrets); diff != "" || got.Vars["greeting"] != plain {
		t.Errorf("after a restart: %v (-want +got)\n%s", got, diff)
	}
	if !cmp.Equal(got, p) {
		t.Errorf("what Activate returned differs from what is read:\n%s", cmp.Diff(p, got))
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, value) {
		t.Errorf("a plugin is printed with its secret: %s", text)
	}
}

// TestOldRecordsAreSealed: the values that older formats hold in the open are sealed,
// in deployments they go, and once the store is compacted no file has them.
func TestOldRecordsAreSealed(t *testing.T) {
	value, old := rand.Text(), storedIn(t, 2)
	for i := range old {
		old[i].Value = strings.ReplaceAll(old[i].Value, "secret-1", value)
	}
	f := openWith(t, old)
	if files := f.holding(value); len(files) == 0 {
		t.Error("the value stands nowhere: the test looks in the wrong place")
	}
	ring := f.ringIn("secrets.key")
	if u := f.unlock(ring); u.Sealed != 6 { // of the plugin, and of five deployments
		t.Errorf("%+v", u)
	}
	f.stop()
	if err := database.Compact(filepath.Join(f.dir, "store")); err != nil {
		t.Fatal(err)
	}
	if files := f.holding(value); len(files) > 0 {
		t.Errorf("the secret stands in %v", files)
	}
	f.start()
	f.unlock(ring)
	p := f.plugin("links")
	if p.Secrets["api_key"].Value.Reveal() != value || len(p.Vars) != 1 {
		t.Errorf("the plugin has %v", p)
	}
	deployments, err := f.Deployments(t.Context(), "links", 0, 0)
	for _, d := range deployments {
		if _, open := d.Vars["api_key"]; open || err != nil {
			t.Errorf("deployment %d has the vars %v, %v", d.Number, d.Vars, err)
		}
	}
	if u := f.unlock(ring); u.Sealed != 0 {
		t.Errorf("again: %+v", u)
	}
}

// TestAVarThatBecomesASecret is sealed with the upload that calls it so, in what was
// deployed before too.
func TestAVarThatBecomesASecret(t *testing.T) {
	f := open(t)
	f.shop(strings.ReplaceAll(withSecrets, "secret = true", ""))
	f.activate("shop", Change{Version: 1, Set: map[string]string{"token": "value"}})
	if p := f.plugin("shop"); p.Vars["token"] != "value" {
		t.Fatalf("%v", p)
	}
	f.shop(withSecrets)
	p := f.plugin("shop")
	if p.Secrets["token"].Value.Reveal() != "value" || len(p.Vars) != 0 {
		t.Errorf("the plugin has %v", p)
	}
	deployments, err := f.Deployments(t.Context(), "shop", 0, 0)
	if err != nil || len(deployments) != 1 || len(deployments[0].Vars) != 0 {
		t.Errorf("the deployments have %v, %v", deployments, err)
	}
	// A later version that calls it none does not open it again.
	f.shop(strings.ReplaceAll(withSecrets, "secret = true", "description = \"again\""))
	f.activate("shop", Change{Version: 3, Set: map[string]string{"token": "value2"}})
	if p := f.plugin("shop"); p.Secrets["token"].Value.Reveal() != "value2" || len(p.Vars) != 0 {
		t.Errorf("the plugin has %v", p)
	}
}

// TestALostKey: all is read, the secrets are named as lost, a new one can be set beside
// them, and the old ones open again with their key.
func TestALostKey(t *testing.T) {
	f := open(t)
	f.unlock(f.ringIn("one.key"))
	f.shop(withSecrets)
	f.activate("shop", Change{Version: 1, Set: map[string]string{"token": "first", "other": "second"}, Secret: secrets})
	f.reopen()
	other := f.ringIn("two.key")
	if u := f.unlock(other); !cmp.Equal(u.Lost, map[string][]string{"shop": {"other", "token"}}) {
		t.Errorf("%+v", u)
	}
	if p := f.plugin("shop"); !strings.Contains(p.Secrets["token"].Lost, "sealed with another key") || len(p.Values()) != 0 || !p.IsSet("token") {
		t.Errorf("%v", p.Secrets)
	}
	f.activate("shop", Change{Version: 1, Set: map[string]string{"token": "third"}, Secret: secrets})
	if p := f.plugin("shop"); p.Values()["token"] != "third" || p.Secrets["other"].Lost == "" {
		t.Errorf("%v", p.Secrets)
	}
	f.reopen()
	f.unlock(f.ringIn("one.key"))
	if p := f.plugin("shop"); p.Values()["other"] != "second" || p.Secrets["token"].Lost == "" {
		t.Errorf("with the first key again: %v", p.Secrets)
	}
	f.activate("shop", Change{Version: 1, Unset: []string{"token"}})
	if p := f.plugin("shop"); p.IsSet("token") {
		t.Errorf("%v", p.Secrets)
	}
}

func TestARotationWrapsEveryKey(t *testing.T) {
	f := open(t)
	ring := f.ringIn("secrets.key")
	f.unlock(ring)
	f.shop(withSecrets)
	f.activate("shop", Change{Version: 1, Set: map[string]string{"token": "first"}, Secret: secrets})
	before := ring.Current()
	done, err := f.RotateKey(t.Context(), "ann")
	if err != nil || done.Keys != 1 || done.Key == before || done.Key != ring.Current() {
		t.Fatalf("%+v, %v", done, err)
	}
	f.reopen()
	if u := f.unlock(f.ringIn("secrets.key")); len(u.Lost) > 0 || u.Rewrapped != 0 {
		t.Errorf("%+v", u)
	}
	if p := f.plugin("shop"); p.Values()["token"] != "first" {
		t.Errorf("%v", p.Secrets)
	}
	events, err := f.Audit(t.Context(), 0, 0)
	if last := events[len(events)-1]; err != nil || last.Action != plugin.ActionKey || last.By != "ann" {
		t.Errorf("%+v, %v", last, err)
	}
}

// TestARotationThatCrashed is finished by the next start, whichever step it had come to.
func TestARotationThatCrashed(t *testing.T) {
	f := open(t)
	ring := f.ringIn("secrets.key")
	f.unlock(ring)
	f.shop(withSecrets)
	f.activate("shop", Change{Version: 1, Set: map[string]string{"token": "first"}, Secret: secrets})
	for step := range 2 {
		_, err := ring.Rotate(func() (err error) {
			if step == 1 {
				_, err = f.rewrap(t.Context())
			}
			if err == nil {
				err = fault.New(fault.Internal, "", "crash")
			}
			return err
		})
		if err == nil || !ring.Old() {
			t.Fatalf("step %d: %v", step, err)
		}
		f.reopen()
		ring = f.ringIn("secrets.key")
		if u := f.unlock(ring); len(u.Lost) > 0 || ring.Old() || u.Rewrapped != 1-step {
			t.Errorf("step %d: %+v, old keys left: %v", step, u, ring.Old())
		}
		if p := f.plugin("shop"); p.Values()["token"] != "first" {
			t.Errorf("step %d: %v", step, p.Secrets)
		}
	}
}

// TestAPurgeTakesSecretsAlong, and what comes back under the name opens none of them.
func TestAPurgeTakesSecretsAlong(t *testing.T) {
	f := open(t)
	f.shop(withSecrets)
	f.activate("shop", Change{Version: 1, Set: map[string]string{"token": "first"}, Secret: secrets})
	space := f.plugin("shop").Space
	if err := f.Delete(t.Context(), "shop", false, "ann"); err != nil {
		t.Fatal(err)
	}
	f.shop(withSecrets)
	if p := f.plugin("shop"); p.Values()["token"] != "first" {
		t.Errorf("after a delete that keeps the data: %v", p.Secrets)
	}
	if err := f.Delete(t.Context(), "shop", true, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := f.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := f.keys(space); len(left) > 0 {
		t.Errorf("the purge left %q", left)
	}
}

// TestAMovedSecretDoesNotOpen: a record that is copied to another plugin, or under
// another name, is lost there.
func TestAMovedSecretDoesNotOpen(t *testing.T) {
	f := open(t)
	f.shop(withSecrets)
	f.activate("shop", Change{Version: 1, Set: map[string]string{"token": "first"}, Secret: secrets})
	space := f.plugin("shop").Space
	f.write(func(tx *records) error {
		r, _, err := get[secretRecord](tx, below(prefixSecret, space)+"token")
		r.Name = "other"
		if err == nil {
			err = put(tx, below(prefixSecret, space)+"other", r)
		}
		return err
	})
	if p := f.plugin("shop"); p.Secrets["other"].Lost == "" || p.Secrets["token"].Lost != "" {
		t.Errorf("%v", p.Secrets)
	}
}
