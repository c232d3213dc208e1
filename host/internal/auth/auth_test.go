package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func mustCreate(t *testing.T) (Token, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admin.token")
	token, created, err := LoadOrCreate(path)
	if err != nil || !created {
		t.Fatalf("LoadOrCreate = created %v, %v", created, err)
	}
	return token, path
}

func TestCreateThenLoad(t *testing.T) {
	token, path := mustCreate(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("mode %v, want a file with 0600", got)
	}
	again, created, err := LoadOrCreate(path)
	if err != nil || created || again.Reveal() != token.Reveal() {
		t.Errorf("second LoadOrCreate: created %v, same %v, %v", created, again.Reveal() == token.Reveal(), err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files are left, want the token alone (%v)", len(files), err)
	}
	other, _ := mustCreate(t)
	if other.Reveal() == token.Reveal() {
		t.Error("two files got the same token")
	}
}

func TestConcurrentStartsAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.token")
	var tokens [8]Token
	var created [8]bool
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			var err error
			if tokens[i], created[i], err = LoadOrCreate(path); err != nil {
				t.Errorf("LoadOrCreate: %v", err)
			}
		})
	}
	wg.Wait()
	makers := 0
	for i := range tokens {
		if created[i] {
			makers++
		}
		if tokens[i].Reveal() != tokens[0].Reveal() {
			t.Error("two starts have different tokens")
		}
	}
	if makers != 1 {
		t.Errorf("%d starts say they made the token, want 1", makers)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := generate()
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		hint       string
	}{
		{"empty", "", 0o600, "remove it"},
		{"blank", "\n", 0o600, "remove it"},
		{"short", good[:len(good)-1], 0o600, "remove it"},
		{"long", good + "A", 0o600, "remove it"},
		{"another prefix", "x" + good, 0o600, "remove it"},
		{"two lines", good + "\n" + good, 0o600, "remove it"},
		{"huge", strings.Repeat("A", 1<<20), 0o600, "remove it"},
		{"group may read", good, 0o640, "chmod 600"},
		{"others may read", good, 0o604, "chmod 600"},
		{"others may write", good, 0o602, "chmod 600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "admin.token")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			token, created, err := LoadOrCreate(path)
			if fault.CodeOf(err) != fault.Invalid || created || token != (Token{}) {
				t.Fatalf("LoadOrCreate = %v, %v, %v; want Invalid", token, created, err)
			}
			message := err.Error()
			if !strings.Contains(message, c.hint) || !strings.Contains(message, path) {
				t.Errorf("%q names neither the file nor what to do (%q)", message, c.hint)
			}
			if strings.Contains(message, good[len(prefix):20]) {
				t.Errorf("%q shows the token", message)
			}
		})
	}
}

func TestLoadAcceptsALineEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.token")
	good := generate()
	if err := os.WriteFile(path, []byte(good+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if token, _, err := LoadOrCreate(path); err != nil || token.Reveal() != good {
		t.Errorf("LoadOrCreate: %v", err)
	}
}

func TestCannotCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "admin.token")
	if _, created, err := LoadOrCreate(path); fault.CodeOf(err) != fault.Internal || created {
		t.Errorf("LoadOrCreate in a missing directory = %v, %v; want Internal", created, err)
	}
	if _, _, err := LoadOrCreate(t.TempDir()); err == nil {
		t.Error("a directory was taken for a token")
	}
}

func TestIdentify(t *testing.T) {
	token, _ := mustCreate(t)
	secret := token.Reveal()
	for _, good := range []string{"Bearer " + secret, "bearer " + secret, "BEARER  " + secret, "Bearer " + secret + " "} {
		if got, err := token.Identify(good, netip.Addr{}); err != nil || got.May(Owner, "") != nil {
			t.Errorf("Identify refuses the right token: %+v, %v", got, err)
		}
	}
	var messages []string
	for _, c := range []struct{ name, header string }{
		{"missing", ""},
		{"scheme alone", "Bearer"},
		{"empty", "Bearer "},
		{"wrong", "Bearer " + generate()},
		{"one character less", "Bearer " + secret[:len(secret)-1]},
		{"one character more", "Bearer " + secret + "A"},
		{"other case", "Bearer " + strings.ToUpper(secret)},
		{"twice", "Bearer " + secret + " " + secret},
		{"other scheme", "Basic " + secret},
		{"no scheme", secret},
		{"no space", "Bearer" + secret},
		{"tab", "Bearer\t" + secret},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := token.Identify(c.header, netip.Addr{})
			if fault.CodeOf(err) != fault.Unauthenticated || got != (Identity{}) {
				t.Fatalf("Identify = %+v, %v, want Unauthenticated", got, err)
			}
			messages = append(messages, err.Error())
			if strings.Contains(err.Error(), secret) {
				t.Error("the message shows the token")
			}
		})
	}
	for _, m := range messages {
		if m != messages[0] {
			t.Errorf("%q and %q differ", m, messages[0])
		}
	}
}

func TestZeroTokenLetsNobodyIn(t *testing.T) {
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer x"} {
		if _, err := (Token{}).Identify(header, netip.Addr{}); fault.CodeOf(err) != fault.Unauthenticated {
			t.Errorf("Identify(%q) = %v, want Unauthenticated", header, err)
		}
	}
}

func TestTokenIsNeverPrinted(t *testing.T) {
	token, _ := mustCreate(t)
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("start", "token", token, "in a struct", struct{ Token Token }{token})
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "token", token, "any", any(&token))
	fmt.Fprintf(&out, "%v %+v %#v %s %q %v", token, token, token, token, token, struct{ t Token }{token})
	if err := json.NewEncoder(&out).Encode(map[string]any{"token": token}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, token.Reveal()[len(prefix):]) {
		t.Errorf("the token is in %s", text)
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("the placeholder is missing")
	}
}
