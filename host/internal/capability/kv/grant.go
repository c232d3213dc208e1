package kv

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Quota of a key space whose grant names none.
const (
	DefaultKeys  = 1_000_000
	DefaultBytes = 1 << 30
)

// Terms are how many keys, and bytes of keys and values, a key space may hold; 0 =
// the default. They implement plugin.Terms.
type Terms struct{ Keys, Bytes int64 }

// Quota returns what the key space of a plugin may hold: the defaults where the
// grant names none.
func Quota(g plugin.Grant) store.Quota {
	terms, _ := g.Terms[Name].(Terms)
	return terms.quota()
}

func (t Terms) quota() store.Quota {
	return store.Quota{Keys: cmp.Or(t.Keys, DefaultKeys), Bytes: cmp.Or(t.Bytes, DefaultBytes)}
}

// Beyond implements plugin.Terms.
func (t Terms) Beyond(granted plugin.Terms) (list []string) {
	have, ok := granted.(Terms)
	if !ok {
		return t.wishes()
	}
	asked, quota := t.quota(), have.quota()
	if asked.Keys > quota.Keys {
		list = append(list, fmt.Sprintf("kv.keys = %d (granted %d)", asked.Keys, quota.Keys))
	}
	if asked.Bytes > quota.Bytes {
		list = append(list, fmt.Sprintf("kv.bytes = %d (granted %d)", asked.Bytes, quota.Bytes))
	}
	return list
}

// wishes lists what t asks of a plugin that was granted nothing.
func (t Terms) wishes() []string {
	wishes := []string{Name}
	if t.Keys != 0 {
		wishes = append(wishes, fmt.Sprintf("kv.keys = %d", t.Keys))
	}
	if t.Bytes != 0 {
		wishes = append(wishes, fmt.Sprintf("kv.bytes = %d", t.Bytes))
	}
	return wishes
}

// Union implements plugin.Terms.
func (t Terms) Union(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	return Terms{Keys: larger(t.Keys, o.Keys, DefaultKeys), Bytes: larger(t.Bytes, o.Bytes, DefaultBytes)}
}

// larger returns the larger of two quotas, of which 0 stands for usual.
func larger(a, b, usual int64) int64 {
	if cmp.Or(a, usual) >= cmp.Or(b, usual) {
		return a
	}
	return b
}

// Members implements plugin.Terms.
func (t Terms) Members() []plugin.Member {
	list := []plugin.Member{{Name: Name, Value: true}}
	if t.Keys != 0 {
		list = append(list, plugin.Member{Name: "kv_keys", Value: t.Keys})
	}
	if t.Bytes != 0 {
		list = append(list, plugin.Member{Name: "kv_bytes", Value: t.Bytes})
	}
	return list
}

// String implements plugin.Terms.
func (t Terms) String() string {
	q := t.quota()
	return fmt.Sprintf("kv=true keys=%d bytes=%d", q.Keys, q.Bytes)
}

// readTerms reads what Members wrote.
func readTerms(object []byte) (plugin.Terms, error) {
	var r struct {
		KV    bool  `json:"kv"`
		Keys  int64 `json:"kv_keys"`
		Bytes int64 `json:"kv_bytes"`
	}
	if err := json.Unmarshal(object, &r); err != nil || !r.KV {
		return nil, err
	}
	return Terms{r.Keys, r.Bytes}, nil
}

// ask reads [kv].
func ask(t manifest.Table) (settings any, terms plugin.Terms) {
	var a Terms
	a.Keys, _ = t.Count("keys", math.MaxInt64)
	a.Bytes, _ = t.Size("bytes", math.MaxInt64)
	return nil, a
}
