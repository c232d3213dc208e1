package team_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/team"
)

func TestMemoryIsShared(t *testing.T) {
	teams := team.New()
	a, b := teams.Join(plugin.Plugin{Name: "shop-a", Space: 16}), teams.Join(plugin.Plugin{Name: "shop-b", Space: 17})
	line := runq.New(1).NewLine()
	a.Serve(line)
	take := func(m *team.Member, n int64, want bool) {
		t.Helper()
		err := m.Take(n)
		if (err == nil) != want {
			t.Errorf("%d bytes: %v", n, err)
		}
		if full, ok := errors.AsType[*team.FullError](err); err != nil && (!ok || fault.CodeOf(full) != fault.Unavailable || !strings.Contains(fault.MessageOf(err), "wasmoor team set ")) {
			t.Errorf("the refusal is %v", err)
		}
	}
	used := func(want int64) {
		t.Helper()
		if got := teams.Used("shop", space{}); got != (team.Used{Plugins: 2, Memory: want, Disk: 33}) {
			t.Errorf("%+v, want %d bytes", got, want)
		}
	}
	take(a, 60, true) // before there is a team
	shop := auth.Team{Name: "shop", Plugins: "shop-*", Memory: 100, Disk: 5, Weight: 3}
	teams.Use([]auth.Team{shop})
	used(60)
	take(b, 50, false)
	take(b, 40, true)
	used(100)
	take(a, 1, false)
	a.Give(60)
	take(b, 60, true)
	shop.Memory = 50 // less than there is: nothing is left until enough was given back
	teams.Use([]auth.Team{shop})
	take(a, 1, false)
	b.Give(60)
	take(a, 10, true)
	used(50)
	if !a.With(b) || a.With(nil) {
		t.Error("it is not known who is of the same team")
	}
	teams.Use([]auth.Team{{Name: "other", Plugins: "shop-b", Memory: 1}})
	take(a, 1000, true) // of no team
	take(b, 1, false)
	teams.Use(nil)
	take(b, 1000, true)
	var none *team.Member
	take(none, 1, true)
	none.Give(1)
}

// space is a store in which space 16 has 11 bytes and 17 22, without messages.
type space struct{}

func (space) Usage(s store.Space) (store.Usage, error) {
	if s != s.Owner() {
		return store.Usage{}, errors.New("it has none")
	}
	return store.Usage{Bytes: 11 * (int64(s) - 15)}, nil
}

func TestDiskIsShared(t *testing.T) {
	teams := team.New()
	m := teams.Join(plugin.Plugin{Name: "shop-b", Space: 17})
	teams.Join(plugin.Plugin{Name: "shop-a", Space: 16}, plugin.Plugin{Name: "blog", Space: 18})
	if m.Disk() != nil {
		t.Error("a quota without a team")
	}
	teams.Use([]auth.Team{{Name: "shop", Plugins: "shop-*", Disk: 5}})
	want := func(spaces ...store.Space) {
		t.Helper()
		got := m.Disk()
		if got == nil || got.Name != "shop" || got.Bytes != 5 || len(got.Spaces) != len(spaces) {
			t.Fatalf("%+v, want %v", got, spaces)
		}
		for i := range spaces {
			if got.Spaces[i] != spaces[i] {
				t.Errorf("%v, want %v", got.Spaces, spaces)
			}
		}
	}
	want(16, 17)
	teams.Leave("shop-a")
	want(17)
	teams.Join(plugin.Plugin{Name: "shop-a", Space: 19}) // installed anew
	want(17, 19)
	if teams.Shared("blog") != nil || teams.Shared("nobody") != nil || teams.Shared("shop-a") == nil {
		t.Error("who shares is wrong")
	}
	if err := teams.Fits("shop-b", 1<<40); err != nil {
		t.Error(err)
	}
	teams.Use([]auth.Team{{Name: "shop", Plugins: "shop-*", Memory: 1 << 20}})
	if err := teams.Fits("shop-b", 1<<20+1); fault.CodeOf(err) != fault.Exhausted || teams.Fits("shop-b", 1<<20) != nil || teams.Fits("blog", 1<<30) != nil {
		t.Error(err)
	}
	if m.Disk() != nil {
		t.Error("a quota that was taken away holds")
	}
}
