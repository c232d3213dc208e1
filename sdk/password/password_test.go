package password_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/password"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// within runs f in a request whose first commits are lost to others.
func within(t *testing.T, conflicts int, f func()) {
	t.Helper()
	host := sdktest.New(func(*sdk.Response, *sdk.Request) error { f(); return nil })
	host.Conflicts = conflicts
	if res := host.Get("/"); res.Status != 200 {
		t.Errorf("got %v", res)
	}
}

func hash(t *testing.T, text string) string {
	t.Helper()
	h, err := password.Hash(text)
	if err != nil {
		t.Error(err)
	}
	return h
}

func TestVerify(t *testing.T) {
	within(t, 0, func() {
		stored := hash(t, "secret")
		other := strings.Replace(stored, "t=2", "t=3", 1)
		for _, c := range []struct {
			name, password, hash string
			ok, rehash           bool
		}{
			{"right", "secret", stored, true, false},
			{"wrong", "Secret", stored, false, false},
			{"empty", "", stored, false, false},
			{"no such user", "secret", "", false, false},
			{"other parameters", "secret", other, true, true},
			{"wrong, with other parameters", "Secret", other, false, false},
		} {
			ok, rehash, err := password.Verify(c.password, c.hash)
			if ok != c.ok || rehash != c.rehash || err != nil {
				t.Errorf("%s: got %v, %v, %v", c.name, ok, rehash, err)
			}
		}
		if stored == hash(t, "secret") {
			t.Error("two hashes have one salt")
		}
	})
}

func TestErrors(t *testing.T) {
	within(t, 0, func() {
		_, empty := password.Hash("")
		_, long := password.Hash(strings.Repeat("p", 4097))
		_, _, foreign := password.Verify("secret", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
		_, _, costly := password.Verify("secret", "$argon2id$v=19$m=2097152,t=1,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
		for name, c := range map[string]struct{ got, want error }{
			"empty": {empty, password.ErrInvalid}, "long": {long, password.ErrLimit},
			"bcrypt": {foreign, password.ErrInvalid}, "2 GiB": {costly, password.ErrLimit},
		} {
			if !errors.Is(c.got, c.want) || strings.Contains(c.got.Error(), "secret") {
				t.Errorf("%s: got %v, want %v", name, c.got, c.want)
			}
		}
	})
	if _, err := password.Hash("secret"); !errors.Is(err, password.ErrUnavailable) {
		t.Errorf("outside a request: got %v", err)
	}
}

// TestHashIsThatOfTheRequest: a run after a conflict stores the same hash.
func TestHashIsThatOfTheRequest(t *testing.T) {
	var hashes []string
	within(t, 2, func() { hashes = append(hashes, hash(t, "secret")) })
	if len(hashes) < 2 || hashes[0] != hashes[1] {
		t.Errorf("got %q", hashes)
	}
}
