package plugin

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGrant(t *testing.T) {
	usual := Grant{KV: true}
	small := Grant{KV: true, KVKeys: 10, KVBytes: 100}
	large := Grant{KV: true, KVKeys: DefaultKVKeys + 1, KVBytes: DefaultKVBytes + 1}
	for _, c := range []struct {
		name       string
		grant, ask Grant
		want       []string
		union      Grant
	}{
		{"nothing asked", Grant{}, Grant{}, nil, Grant{}},
		{"nothing asked of what was granted", small, Grant{}, nil, small},
		{"covered", large, small, nil, large},
		{"equal", small, small, nil, small},
		{"kv", Grant{}, usual, []string{"kv"}, usual},
		{"kv with a quota", Grant{}, small, []string{"kv", "kv.keys = 10", "kv.bytes = 100"}, small},
		{"more", small, large, []string{"kv.keys = 1000001 (granted 10)", "kv.bytes = 1073741825 (granted 100)"}, large},
		{"more than the default", usual, large, []string{"kv.keys = 1000001 (granted 1000000)", "kv.bytes = 1073741825 (granted 1073741824)"}, large},
		{"less than the default", usual, small, nil, usual},
		{"the default", small, usual, []string{"kv.keys = 1000000 (granted 10)", "kv.bytes = 1073741824 (granted 100)"}, usual},
		{"the default by name", usual, Grant{KV: true, KVKeys: DefaultKVKeys}, nil, usual},
		{"one of two", small, Grant{KV: true, KVKeys: 20, KVBytes: 50}, []string{"kv.keys = 20 (granted 10)"}, Grant{KV: true, KVKeys: 20, KVBytes: 100}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.grant.Missing(c.ask)); diff != "" {
				t.Errorf("Missing (-want +got):\n%s", diff)
			}
			union := c.grant.Union(c.ask)
			if diff := cmp.Diff(c.union, union); diff != "" {
				t.Errorf("Union (-want +got):\n%s", diff)
			}
			for _, part := range []Grant{c.grant, c.ask} {
				if missing := union.Missing(part); missing != nil {
					t.Errorf("the union misses %q", missing)
				}
			}
		})
	}
}

func TestQuota(t *testing.T) {
	keys, bytes := Grant{KV: true, KVKeys: 7}.Quota()
	if keys != 7 || bytes != DefaultKVBytes {
		t.Errorf("Quota = %d, %d; want 7, %d", keys, bytes, int64(DefaultKVBytes))
	}
}
