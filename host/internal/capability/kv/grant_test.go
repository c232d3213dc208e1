package kv_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

func granted(terms kv.Terms) plugin.Grant { return plugin.Grant{}.With(kv.Name, terms) }

func TestGrant(t *testing.T) {
	usual := granted(kv.Terms{})
	small := granted(kv.Terms{Keys: 10, Bytes: 100})
	large := granted(kv.Terms{Keys: kv.DefaultKeys + 1, Bytes: kv.DefaultBytes + 1})
	for _, c := range []struct {
		name       string
		grant, ask plugin.Grant
		want       []string
		union      plugin.Grant
	}{
		{"nothing asked", plugin.Grant{}, plugin.Grant{}, nil, plugin.Grant{}},
		{"nothing asked of what was granted", small, plugin.Grant{}, nil, small},
		{"covered", large, small, nil, large},
		{"equal", small, small, nil, small},
		{"kv", plugin.Grant{}, usual, []string{"kv"}, usual},
		{"kv with a quota", plugin.Grant{}, small, []string{"kv", "kv.keys = 10", "kv.bytes = 100"}, small},
		{"more", small, large, []string{"kv.keys = 1000001 (granted 10)", "kv.bytes = 1073741825 (granted 100)"}, large},
		{"more than the default", usual, large, []string{"kv.keys = 1000001 (granted 1000000)", "kv.bytes = 1073741825 (granted 1073741824)"}, large},
		{"less than the default", usual, small, nil, usual},
		{"the default", small, usual, []string{"kv.keys = 1000000 (granted 10)", "kv.bytes = 1073741824 (granted 100)"}, usual},
		{"the default by name", usual, granted(kv.Terms{Keys: kv.DefaultKeys}), nil, usual},
		{"one of two", small, granted(kv.Terms{Keys: 20, Bytes: 50}), []string{"kv.keys = 20 (granted 10)"}, granted(kv.Terms{Keys: 20, Bytes: 100})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.grant.Missing(c.ask)); diff != "" {
				t.Errorf("Missing (-want +got):\n%s", diff)
			}
			union := c.grant.Union(c.ask)
			if diff := cmp.Diff(c.union, union); diff != "" {
				t.Errorf("Union (-want +got):\n%s", diff)
			}
			for _, part := range []plugin.Grant{c.grant, c.ask} {
				if missing := union.Missing(part); missing != nil {
					t.Errorf("the union misses %q", missing)
				}
			}
			both := c.grant.Both(c.ask)
			for _, whole := range []plugin.Grant{c.grant, c.ask} {
				if missing := whole.Missing(both); missing != nil {
					t.Errorf("both have %q, which one has not", missing)
				}
			}
			if c.want == nil && len(both.Missing(c.ask)) > 0 {
				t.Errorf("both have %v of %v, which is granted", both, c.ask)
			}
		})
	}
}

func TestLessIsSaid(t *testing.T) {
	var said []string
	for _, e := range granted(kv.Terms{Keys: 3_000_000}).Beyond(granted(kv.Terms{})) {
		said = append(said, e.Unit+": "+e.Than("from then on"))
	}
	if diff := cmp.Diff([]string{"kv: kv.keys = 3000000 (from then on 1000000)"}, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQuota(t *testing.T) {
	want := store.Quota{Keys: 7, Bytes: kv.DefaultBytes}
	if got := kv.Quota(granted(kv.Terms{Keys: 7})); got != want {
		t.Errorf("Quota = %+v, want %+v", got, want)
	}
}
