package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/secret"
)

var here = secret.Place{What: "value", Space: 16, Name: "token"}

// TestASealOpensInItsPlaceAlone: neither under another name, in another plugin, as
// another thing, nor with a byte changed.
func TestASealOpensInItsPlaceAlone(t *testing.T) {
	key, other := secret.NewKey(), secret.NewKey()
	sealed := key.Seal(here, []byte("s3cret"))
	if got, err := key.Open(here, sealed); err != nil || string(got) != "s3cret" {
		t.Fatalf("opened %q, %v", got, err)
	}
	if bytes.Equal(sealed, key.Seal(here, []byte("s3cret"))) {
		t.Error("the same value is sealed the same twice")
	}
	for _, place := range []secret.Place{
		{What: "value", Space: 17, Name: "token"},
		{What: "value", Space: 16, Name: "tokens"},
		{What: "key", Space: 16, Name: "token"},
		{What: "valuet", Space: 16, Name: "oken"},
	} {
		if got, err := key.Open(place, sealed); err == nil {
			t.Errorf("opened at %+v as %q", place, got)
		}
	}
	if got, err := other.Open(here, sealed); err == nil {
		t.Errorf("opened with another key as %q", got)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := key.Open(here, changed); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
	}
	for n := range len(sealed) {
		if _, err := key.Open(here, sealed[:n]); err == nil {
			t.Errorf("opened when cut to %d bytes", n)
		}
	}
}

func TestAKeyIsNotPrinted(t *testing.T) {
	key := secret.NewKey()
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s", key, key, key, key)} {
		if strings.Contains(text, fmt.Sprint(key[0], " ", key[1])) || len(text) > 60 {
			t.Errorf("printed as %s", text)
		}
	}
}

func load(t *testing.T, path string) *secret.Ring {
	t.Helper()
	r, err := secret.Load(path, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAFileIsMadeOnceForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.key")
	first := load(t, path)
	if again := load(t, path); again.Current() != first.Current() {
		t.Error("the second start has another key")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Load(path, true); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file others can read: %v", err)
	}
	if _, err := secret.Load(path, false); err != nil {
		t.Errorf("a file that somebody else keeps: %v", err)
	}
	if _, err := secret.Load(filepath.Join(t.TempDir(), "none"), false); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a file that is not there and not ours to make: %v", err)
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	good := "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	for _, text := range []string{"", "# only a comment\n", "short", good + "x", good + "\nnonsense", strings.Repeat("a", 5000)} {
		if _, err := secret.Parse(text, "WASMOOR_SECRETS_KEY"); fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), good) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
	r, err := secret.Parse(good+", "+good+"\n", "here")
	if err != nil || r.Old() {
		t.Errorf("the same key twice: %v, %v", r.Old(), err)
	}
}

// TestARotationMayEndAnywhere: at each point what was wrapped before opens with what
// is in the file.
func TestARotationMayEndAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.key")
	r, plugin := load(t, path), secret.NewKey()
	w := r.Wrap(here, plugin)
	opens := func(when string, w secret.Wrapped) {
		t.Helper()
		if got, err := load(t, path).Unwrap(here, w); err != nil || got != plugin {
			t.Errorf("%s: %v", when, err)
		}
	}
	crash := errors.New("crash")
	if _, err := r.Rotate(func() error {
		opens("before anything is wrapped anew", w)
		return crash
	}); !errors.Is(err, crash) {
		t.Errorf("Rotate = %v", err)
	}
	opens("after a crash", w)
	if r = load(t, path); !r.Old() {
		t.Error("the old key is gone after a crash")
	}
	var fresh secret.Wrapped
	id, err := r.Rotate(func() error {
		fresh = r.Wrap(here, plugin)
		opens("old, half way", w)
		opens("new, half way", fresh)
		return nil
	})
	if err != nil || id != fresh.By || id != r.Current() || id == w.By {
		t.Errorf("rotated to %q: %v", id, err)
	}
	opens("when it is over", fresh)
	if _, err := load(t, path).Unwrap(here, w); err == nil || !strings.Contains(err.Error(), w.By) {
		t.Errorf("the old key is kept: %v", err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	fixed, err := secret.Parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "WASMOOR_SECRETS_KEY")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fixed.Rotate(func() error { t.Error("it wraps"); return nil }); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a key from the environment: %v", err)
	}
}
