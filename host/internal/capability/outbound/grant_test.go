package outbound_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

func TestGrant(t *testing.T) {
	const both, one, other = outbound.Terms("https://a.example https://b.example"), outbound.Terms("https://a.example"), outbound.Terms("https://b.example")
	to := func(terms outbound.Terms) plugin.Grant { return plugin.Grant{}.With(outbound.Name, terms) }
	g := to(one)
	if diff := cmp.Diff([]string{"outbound to https://b.example"}, g.Missing(to(both))); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"outbound to https://a.example"}, plugin.Grant{}.Missing(to(one))); diff != "" {
		t.Errorf("missing of nothing (-want +got):\n%s", diff)
	}
	if got := g.Union(to(other)); !got.Equal(to(both)) || len(got.Missing(to(both))) != 0 {
		t.Errorf("union %+v", got)
	}
	if got := to(both).Both(to(one)); !got.Equal(to(one)) {
		t.Errorf("both have %+v", got)
	}
	if got := to(one).Both(to(other)); !got.Equal(plugin.Grant{}) {
		t.Errorf("two that share nothing share %+v", got)
	}
}
