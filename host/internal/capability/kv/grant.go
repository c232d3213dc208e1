package kv

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

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
func (t Terms) Beyond(other plugin.Terms) (list []plugin.Excess) {
	have, ok := other.(Terms)
	if !ok {
		return t.wishes()
	}
	asked, quota := t.quota(), have.quota()
	if asked.Keys > quota.Keys {
		list = append(list, plugin.Excess{What: fmt.Sprintf("kv.keys = %d", asked.Keys), Over: strconv.FormatInt(quota.Keys, 10)})
	}
	if asked.Bytes > quota.Bytes {
		list = append(list, plugin.Excess{What: fmt.Sprintf("kv.bytes = %d", asked.Bytes), Over: strconv.FormatInt(quota.Bytes, 10)})
	}
	return list
}

// wishes lists what t asks of a plugin that was granted nothing.
func (t Terms) wishes() []plugin.Excess {
	wishes := []plugin.Excess{{What: Name}}
	if t.Keys != 0 {
		wishes = append(wishes, plugin.Excess{What: fmt.Sprintf("kv.keys = %d", t.Keys)})
	}
	if t.Bytes != 0 {
		wishes = append(wishes, plugin.Excess{What: fmt.Sprintf("kv.bytes = %d", t.Bytes)})
	}
	return wishes
}

// Union implements plugin.Terms.
func (t Terms) Union(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	return Terms{Keys: plugin.Larger(t.Keys, o.Keys, DefaultKeys), Bytes: plugin.Larger(t.Bytes, o.Bytes, DefaultBytes)}
}

// Both implements plugin.Terms.
func (t Terms) Both(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	return Terms{Keys: plugin.Smaller(t.Keys, o.Keys, DefaultKeys), Bytes: plugin.Smaller(t.Bytes, o.Bytes, DefaultBytes)}
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
