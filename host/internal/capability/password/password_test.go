package password

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/phc"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/runq"
)

// guest is a guest of a plugin, which may hash.
type guest struct {
	*capability.Guest
	unit capability.Unit
	line line
}

func newGuest(unit capability.Unit) *guest {
	g := &guest{Guest: &capability.Guest{Inv: enginetest.Invocation("", nil, nil), Mem: make(capability.Memory, 16<<10)}, unit: unit}
	g.line = unit.Plugin(time.Now).(line)
	g.Inv.Env.States.Add(Name, unit.Deployment(capability.Deployment{Plugin: g.line}))
	return g
}

// call calls a function with a password and a text, or with room for one.
func (g *guest) call(ctx context.Context, name, password, text string, room uint64) (int64, error) {
	const second = 8 << 10
	n, m := copy(g.Mem, password), copy(g.Mem[second:], text)
	for _, f := range g.unit.Native {
		if f.Name == name {
			result, err := f.Call(ctx, g.Guest, []uint64{0, uint64(n), second, uint64(m) + room})
			return int64(result), err
		}
	}
	panic("no function " + name)
}

func (g *guest) hash(t *testing.T, password string) string {
	t.Helper()
	n, err := g.call(t.Context(), abi.FnPasswordHash, password, "", 128)
	if err != nil || n != int64(phc.Size) {
		t.Fatalf("hash: got %d, %v", n, err)
	}
	return string(g.Mem[8<<10:][:n])
}

func (g *guest) verify(t *testing.T, password, hash string) int64 {
	t.Helper()
	n, err := g.call(t.Context(), abi.FnPasswordVerify, password, hash, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestVerify(t *testing.T) {
	g := newGuest(Unit(1))
	ours := g.hash(t, "password")
	for name, c := range map[string]struct {
		password, hash string
		want           int64
	}{
		"ours":       {"password", ours, abi.PasswordRight},
		"wrong":      {"Password", ours, abi.PasswordWrong},
		"longer":     {"password\x00", ours, abi.PasswordWrong},
		"empty":      {"", ours, abi.PasswordWrong},
		"nobody's":   {"password", "", abi.PasswordWrong},
		"other salt": {"password", strings.Replace(ours, ours[31:53], "AAAAAAAAAAAAAAAAAAAAAA", 1), abi.PasswordWrong},
		// From the tests of the reference implementation.
		"64 MiB":    {"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", abi.PasswordStale},
		"256 KiB":   {"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", abi.PasswordStale},
		"two lanes": {"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", abi.PasswordStale},
		"not it":    {"passwore", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", abi.PasswordWrong},
		"too much":  {"password", "$argon2id$v=19$m=2097152,t=1,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", int64(abi.Limit)},
		"none":      {"password", "password", int64(abi.Invalid)},
	} {
		if got := g.verify(t, c.password, c.hash); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

// TestHashIsThatOfTheRequest: runs of one request make one hash, another request
// makes another.
func TestHashIsThatOfTheRequest(t *testing.T) {
	g := newGuest(Unit(1))
	first, second := g.hash(t, "password"), g.hash(t, "password")
	g.Inv.End()
	g.Inv.Begin(2, g.Inv.Limits, nil)
	if again := g.hash(t, "password"); again != first || again == second {
		t.Errorf("got %s, then %s, and in the next run %s", first, second, again)
	}
	if other := newGuest(Unit(1)).hash(t, "password"); other == first || other[:31] != first[:31] {
		t.Errorf("another request makes %s of what became %s", other, first)
	}
}

func TestHashesOfAnAttempt(t *testing.T) {
	g := newGuest(Unit(1))
	const cheap = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for range limits.PasswordHashes {
		if got := g.verify(t, "password", cheap); got != abi.PasswordWrong {
			t.Fatalf("got %d", got)
		}
	}
	if got := g.verify(t, "password", cheap); got != int64(abi.Limit) {
		t.Errorf("one more: got %d", got)
	}
	g.Inv.End()
	g.Inv.Begin(2, g.Inv.Limits, nil)
	if got := g.verify(t, "password", cheap); got != abi.PasswordWrong {
		t.Errorf("the next attempt: got %d", got)
	}
}

// TestWaitsWithoutAPlace: a guest that waits for its turn to hash lets others
// compute, and has its place again afterwards.
func TestWaitsWithoutAPlace(t *testing.T) {
	unit := Unit(2)
	busy, g := newGuest(unit), newGuest(unit)
	var hashing, its, other runq.Turn
	hashing.Begin(busy.line.Line)
	if err := hashing.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	guests := runq.New(1)
	its.Begin(guests.NewLine())
	other.Begin(guests.NewLine())
	if err := its.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), runq.Key{}, &its)
	done := make(chan int64)
	go func() {
		n, err := g.call(ctx, abi.FnPasswordHash, "password", "", 128)
		if err != nil {
			t.Error(err)
		}
		its.End()
		done <- n
	}()
	if err := other.Take(t.Context()); err != nil {
		t.Error(err)
	}
	hashing.End()
	other.End()
	if n := <-done; n != int64(phc.Size) {
		t.Errorf("got %d", n)
	}
}

func TestTooLate(t *testing.T) {
	unit := Unit(1)
	busy, g := newGuest(unit), newGuest(unit)
	var hashing runq.Turn
	hashing.Begin(busy.line.Line)
	if err := hashing.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer hashing.End()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := g.call(ctx, abi.FnPasswordHash, "password", "", 128); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestPlaces(t *testing.T) {
	for places, want := range map[int]int{0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 64: 2} {
		if got := atOnce(places); got != want {
			t.Errorf("%d places: got %d hashes at a time, want %d", places, got, want)
		}
	}
}

func TestUnavailableWhileTheVersionWarmsUp(t *testing.T) {
	g := newGuest(Unit(1))
	g.Inv.Env.Warmup = true
	if n, err := g.call(t.Context(), abi.FnPasswordHash, "password", "", 128); n != int64(abi.Unavailable) || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func BenchmarkHash(b *testing.B) {
	g := newGuest(Unit(1))
	for b.Loop() {
		g.Inv.End()
		g.Inv.Begin(1, g.Inv.Limits, nil)
		if n, err := g.call(b.Context(), abi.FnPasswordHash, "password", "", 128); n < 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
