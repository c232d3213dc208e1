package access

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is Access to a registry in a folder, with a clock that stands until it is
// put forward.
type fixture struct {
	*Access
	t     *testing.T
	dir   string
	reg   *registry.Registry
	close func()

	mu  sync.Mutex
	now time.Time
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) wait(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), now: time.Now()}
	f.open()
	t.Cleanup(func() { f.close() })
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	st, err := badger.Open(badger.Config{Dir: filepath.Join(f.dir, "store"), Clock: f.clock, MinFree: -1, ScrubEvery: -1})
	if err != nil {
		f.t.Fatal(err)
	}
	f.close = func() { _ = st.Close() }
	if f.reg, err = registry.Open(f.t.Context(), st, filepath.Join(f.dir, "modules"), f.clock, capabilities.All(capabilities.Config{})); err != nil {
		f.t.Fatal(err)
	}
	file, err := auth.OpenFile(filepath.Join(f.dir, "admin.token"))
	if err != nil {
		f.t.Fatal(err)
	}
	if f.Access, err = Open(f.t.Context(), Config{Registry: f.reg, File: file, Clock: f.clock}); err != nil {
		f.t.Fatal(err)
	}
	f.close = func() {
		f.Access.Close()
		_ = st.Close()
	}
}

func (f *fixture) reopen() {
	f.t.Helper()
	f.close()
	f.open()
}

func (f *fixture) made(spec auth.Pass) Made {
	f.t.Helper()
	m, err := f.Create(f.t.Context(), spec, "olga")
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

var here = netip.MustParseAddr("192.0.2.7")

// wantIn wants that a token lets its holder in; wantOut that it does not, and why.
func (f *fixture) wantIn(secret string) auth.Identity {
	f.t.Helper()
	who, err := f.Identify("Bearer "+secret, here)
	if err != nil {
		f.t.Errorf("a token is refused: %v", err)
	}
	return who
}

func (f *fixture) wantOut(secret string, code fault.Code, why string) {
	f.t.Helper()
	who, err := f.Identify("Bearer "+secret, here)
	if fault.CodeOf(err) != code || !strings.Contains(fault.MessageOf(err), why) || who != (auth.Identity{}) {
		f.t.Errorf("%+v, %v; want %s and %q", who, err, code, why)
	}
}

func (f *fixture) actions() (all []plugin.Action) {
	f.t.Helper()
	events, err := f.reg.Audit(f.t.Context(), 0, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, e.Action)
	}
	return all
}

func TestTokenLives(t *testing.T) {
	f := open(t)
	m := f.made(auth.Pass{Name: "ann", Role: auth.Deployer, Plugins: "shop-*", Expires: f.now.Add(time.Hour)})
	for range 2 {
		who := f.wantIn(m.Secret)
		if who.Name != "ann" || who.Token != m.ID || who.May(auth.Deployer, "shop-a") != nil || who.May(auth.Viewer, "blog") == nil {
			t.Errorf("%+v", who)
		}
		f.reopen()
	}
	if !strings.HasPrefix(m.Secret, "wsm_"+m.ID+"_") || len(m.Secret) != 62 {
		t.Errorf("the token has %d characters: %.13s", len(m.Secret), m.Secret)
	}
	// What a stranger with the id alone is told.
	fake := m.Secret[:13] + strings.Repeat("A", 43)
	fake += base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(fake))))
	f.wantOut(fake, fault.Unauthenticated, "knows no such token")
	f.wantOut(m.Secret[:61], fault.Unauthenticated, "not whole")
	f.wait(2 * time.Hour)
	f.wantOut(m.Secret, fault.Unauthenticated, `the token "ann" (`+m.ID+`) expired on `)
	f.wantOut(fake, fault.Unauthenticated, "knows no such token")
	if err := f.Revoke(t.Context(), m.ID, "olga"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a token that has expired is revoked: %v", err)
	}
	f.made(auth.Pass{Name: "ann", Role: auth.Viewer, Plugins: "*"}) // the name is free again
	f.wait(keepTokens)
	f.made(auth.Pass{Name: "bob", Role: auth.Viewer, Plugins: "*"})
	if all := f.Tokens(t.Context()); len(all) != 2 || all[0].Name != "ann" || all[1].Name != "bob" {
		t.Errorf("what ended long ago is still there: %+v", all)
	}
}

func TestRevokedAtOnce(t *testing.T) {
	f := open(t)
	m := f.made(auth.Pass{Name: "ann", Role: auth.Viewer, Plugins: "*"})
	f.wantIn(m.Secret)
	if err := f.Revoke(t.Context(), m.ID, "olga"); err != nil {
		t.Fatal(err)
	}
	f.wantOut(m.Secret, fault.Unauthenticated, "was revoked on")
	f.reopen()
	f.wantOut(m.Secret, fault.Unauthenticated, "was revoked on")
	if err := f.Revoke(t.Context(), "nobodys", "olga"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	if got := fmt.Sprint(f.actions()); got != "[token-create token-revoke]" {
		t.Errorf("the audit has %s", got)
	}
}

func TestRotate(t *testing.T) {
	f := open(t)
	old := f.made(auth.Pass{Name: "ci", Role: auth.Deployer, Plugins: "shop", Expires: f.now.Add(30 * 24 * time.Hour)})
	f.wait(29 * 24 * time.Hour)
	next, err := f.Rotate(t.Context(), old.ID, time.Hour, "olga")
	if err != nil || next.ID == old.ID || next.Name != "ci" || next.Plugins != "shop" || next.Expires.Sub(next.Created) != old.Expires.Sub(old.Created) {
		t.Fatalf("%+v, %v", next.Pass, err)
	}
	f.wantIn(old.Secret)
	f.wantIn(next.Secret)
	if _, err := f.Rotate(t.Context(), old.ID, time.Hour, "olga"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.MessageOf(err), next.ID+" is in its place") {
		t.Errorf("a token is rotated twice: %v", err)
	}
	// Nobody got the new one: it is revoked, and the old one rotated again.
	if err := f.Revoke(t.Context(), next.ID, "olga"); err != nil {
		t.Fatal(err)
	}
	again, err := f.Rotate(t.Context(), old.ID, time.Hour, "olga")
	if err != nil || again.Expires.Sub(again.Created) != next.Expires.Sub(next.Created) {
		t.Fatalf("%+v, %v", again.Pass, err)
	}
	next = again
	f.wait(2 * time.Hour)
	f.wantOut(old.Secret, fault.Unauthenticated, "expired")
	f.wantIn(next.Secret)
	if _, err := f.Rotate(t.Context(), old.ID, 0, "olga"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	last, err := f.Rotate(t.Context(), next.ID, 0, "olga")
	if err != nil {
		t.Fatal(err)
	}
	f.wantOut(next.Secret, fault.Unauthenticated, "expired")
	f.wantIn(last.Secret)
}

func TestWhatNoTokenIs(t *testing.T) {
	f := open(t)
	f.made(auth.Pass{Name: "ann", Role: auth.Viewer, Plugins: "*"})
	for _, tt := range []struct {
		spec auth.Pass
		code fault.Code
	}{
		{auth.Pass{Name: "", Role: auth.Viewer, Plugins: "*"}, fault.Invalid},
		{auth.Pass{Name: "a b", Role: auth.Viewer, Plugins: "*"}, fault.Invalid},
		{auth.Pass{Name: "admin", Role: auth.Viewer, Plugins: "*"}, fault.Invalid},
		{auth.Pass{Name: "x", Role: auth.Viewer, Plugins: ""}, fault.Invalid},
		{auth.Pass{Name: "x", Role: auth.Owner, Plugins: "shop"}, fault.Invalid},
		{auth.Pass{Name: "x", Role: auth.Viewer, Plugins: "*", Expires: f.now.Add(-time.Second)}, fault.Invalid},
		{auth.Pass{Name: "x", Role: auth.Viewer, Plugins: "*", Team: "none"}, fault.NotFound},
		{auth.Pass{Name: "ann", Role: auth.Viewer, Plugins: "*"}, fault.Conflict},
	} {
		if _, err := f.Create(t.Context(), tt.spec, "olga"); fault.CodeOf(err) != tt.code {
			t.Errorf("%+v: %v, want %s", tt.spec, err, tt.code)
		}
	}
	if all := f.Tokens(t.Context()); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestLastUseIsNotedAboutOnceAnHour(t *testing.T) {
	f := open(t)
	m := f.made(auth.Pass{Name: "ann", Role: auth.Viewer, Plugins: "*"})
	used := func() time.Time {
		all, err := f.reg.Access(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all.Passes[0].Used
	}
	wantSoon := func(want time.Time) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !used().Equal(want.UTC().Truncate(time.Second)); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("last use %s, want %s", used(), want)
			}
		}
	}
	first := f.clock()
	f.wantIn(m.Secret)
	wantSoon(first)
	f.wait(30 * time.Minute)
	f.wantIn(m.Secret)
	if got := f.Tokens(t.Context())[0].Used; got.Unix() != first.Unix() {
		t.Errorf("used %s, want %s", got, first)
	}
	f.wait(31 * time.Minute)
	f.wantIn(m.Secret)
	wantSoon(f.clock())
}

func TestWrongTokensAreTooMany(t *testing.T) {
	f := open(t)
	m := f.made(auth.Pass{Name: "ann", Role: auth.Viewer, Plugins: "*"})
	wrong, _, _ := auth.NewSecret()
	for range burst {
		f.wantOut(wrong, fault.Unauthenticated, "no such token")
	}
	f.wantOut(wrong, fault.Exhausted, "too many wrong tokens")
	f.wantOut("wasmoor_x", fault.Exhausted, "too many")
	f.wantIn(m.Secret) // whoever shares the address
	f.wait(pause)
	f.wantOut(wrong, fault.Unauthenticated, "no such token")
	f.wantOut(wrong, fault.Exhausted, "too many")
	if _, err := f.Identify("Bearer "+wrong, netip.MustParseAddr("192.0.2.8")); fault.CodeOf(err) != fault.Unauthenticated {
		t.Errorf("another address: %v", err)
	}
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	if network(a) != network(b) || network(a) == network(netip.MustParseAddr("2001:db8:1::1")) {
		t.Error("a network of IPv6 has many addresses to guess from")
	}
	few := newFailures()
	for i := range 3 * maxAddresses {
		few.note(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), f.clock())
	}
	if len(few.next) > maxAddresses {
		t.Errorf("%d addresses are remembered", len(few.next))
	}
}

func TestOwnerOfTheMachine(t *testing.T) {
	f := open(t)
	path := filepath.Join(f.dir, "admin.token")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if who := f.wantIn(strings.TrimSpace(string(before))); who.May(auth.Owner, "") != nil || who.Kind != auth.KindMachine {
		t.Errorf("%+v", who)
	}
	if err := auth.ResetFile(path); err != nil {
		t.Fatal(err)
	}
	f.wantOut(strings.TrimSpace(string(before)), fault.Unauthenticated, "a token is needed")
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.wantIn(strings.TrimSpace(string(after)))
	f.wantIn(strings.TrimSpace(string(after)))
	machine, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	wantResets := func(n int) {
		t.Helper()
		events, err := f.reg.Audit(t.Context(), 0, 0)
		if err != nil || len(events) != n {
			t.Fatalf("%+v, %v; want %d events", events, err, n)
		}
		for _, e := range events {
			if e.Action != plugin.ActionOwnerReset || e.By != "user "+machine.Username {
				t.Errorf("%+v", e)
			}
		}
	}
	wantResets(1) // not one for the first token, nor for each use
	if err := auth.ResetFile(path); err != nil {
		t.Fatal(err)
	}
	f.wantOut("wasmoor_wrong", fault.Unauthenticated, "a token is needed")
	wantResets(2) // whoever asks
	f.close()
	if err := auth.ResetFile(path); err != nil {
		t.Fatal(err)
	}
	f.open()
	wantResets(3) // while the server was stopped
	if after, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(after, ' '), 0o644); err != nil {
		t.Fatal(err)
	}
	f.wantOut(strings.TrimSpace(string(after)), fault.Unauthenticated, "token reset-owner")
}

func TestTeams(t *testing.T) {
	f := open(t)
	shop := auth.Team{Name: "shop", Plugins: "shop,shop-*", Memory: 1 << 30}
	if err := f.SetTeam(t.Context(), shop, "olga"); err != nil {
		t.Fatal(err)
	}
	m := f.made(auth.Pass{Name: "ann", Role: auth.Operator, Plugins: "*", Team: "shop"})
	who := f.wantIn(m.Secret)
	if who.May(auth.Operator, "shop-a") != nil || who.May(auth.Viewer, "blog") == nil || who.May(auth.Viewer, "") == nil {
		t.Errorf("%+v", who)
	}
	for _, bad := range []auth.Team{{Name: "x", Plugins: "*"}, {Name: "x", Plugins: "*-a"}, {Name: "x", Plugins: "blog,shop"}} {
		if err := f.SetTeam(t.Context(), bad, "olga"); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	shop.Plugins = "store"
	if err := f.SetTeam(t.Context(), shop, "olga"); err != nil {
		t.Fatal(err)
	}
	if who := f.wantIn(m.Secret); who.May(auth.Viewer, "shop-a") == nil || who.May(auth.Viewer, "store") != nil {
		t.Errorf("the team's plugins changed, and the token's did not: %+v", who)
	}
	if err := f.DeleteTeam(t.Context(), "shop", "olga"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a team with a token is deleted: %v", err)
	}
	if err := f.Revoke(t.Context(), m.ID, "olga"); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteTeam(t.Context(), "shop", "olga"); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteTeam(t.Context(), "shop", "olga"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}
