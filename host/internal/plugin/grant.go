package plugin

import (
	"cmp"
	"fmt"
)

// Quota of a key space whose grant names none.
const (
	DefaultKVKeys  = 1_000_000
	DefaultKVBytes = 1 << 30
)

// Grant is what a plugin may use. The same type says what a manifest asks for.
type Grant struct {
	KV      bool
	KVKeys  int64 // 0 = DefaultKVKeys
	KVBytes int64 // 0 = DefaultKVBytes

	Outbound Origins // where it may call out to

	// Stateful lets instances keep their memory from one request to the next,
	// which may be another client's.
	Stateful bool
}

// Quota returns how many keys, and bytes of keys and values, the key space may
// hold: the defaults where g names none.
func (g Grant) Quota() (keys, bytes int64) {
	return cmp.Or(g.KVKeys, DefaultKVKeys), cmp.Or(g.KVBytes, DefaultKVBytes)
}

// Missing lists, for a person, what ask wants beyond g; empty when g covers it.
func (g Grant) Missing(ask Grant) []string {
	missing := g.missingKV(ask)
	for _, origin := range ask.Outbound.Without(g.Outbound) {
		missing = append(missing, "outbound to "+origin)
	}
	if ask.Stateful && !g.Stateful {
		missing = append(missing, `isolation = "instance" (memory kept from one request to the next)`)
	}
	return missing
}

func (g Grant) missingKV(ask Grant) []string {
	switch {
	case !ask.KV:
		return nil
	case !g.KV:
		return ask.wishes()
	}
	var missing []string
	keys, bytes := g.Quota()
	askKeys, askBytes := ask.Quota()
	if askKeys > keys {
		missing = append(missing, fmt.Sprintf("kv.keys = %d (granted %d)", askKeys, keys))
	}
	if askBytes > bytes {
		missing = append(missing, fmt.Sprintf("kv.bytes = %d (granted %d)", askBytes, bytes))
	}
	return missing
}

// wishes lists what g asks of a plugin that was granted nothing.
func (g Grant) wishes() []string {
	wishes := []string{"kv"}
	if g.KVKeys != 0 {
		wishes = append(wishes, fmt.Sprintf("kv.keys = %d", g.KVKeys))
	}
	if g.KVBytes != 0 {
		wishes = append(wishes, fmt.Sprintf("kv.bytes = %d", g.KVBytes))
	}
	return wishes
}

// Union returns what g and o grant together: never less than either.
func (g Grant) Union(o Grant) Grant {
	both := g.unionKV(o)
	both.Outbound = g.Outbound.Union(o.Outbound)
	both.Stateful = g.Stateful || o.Stateful
	return both
}

func (g Grant) unionKV(o Grant) Grant {
	switch {
	case !o.KV:
		return g
	case !g.KV:
		return o
	}
	return Grant{
		KV:      true,
		KVKeys:  larger(g.KVKeys, o.KVKeys, DefaultKVKeys),
		KVBytes: larger(g.KVBytes, o.KVBytes, DefaultKVBytes),
	}
}

// larger returns the larger of two quotas, of which 0 stands for usual.
func larger(a, b, usual int64) int64 {
	if cmp.Or(a, usual) >= cmp.Or(b, usual) {
		return a
	}
	return b
}
