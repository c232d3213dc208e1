package blobs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Terms are how many names, and bytes of the blobs they name, a plugin may have; 0 = the
// default. They implement plugin.Terms.
type Terms struct{ Count, Bytes int64 }

var usual = Terms{Count: limits.BlobCount, Bytes: limits.BlobBytes}

func (t Terms) quota() names.Quota {
	return names.Quota{Count: cmp.Or(t.Count, usual.Count), Bytes: cmp.Or(t.Bytes, usual.Bytes)}
}

// Quota returns what a plugin may have with a grant, nothing without [blobs].
func Quota(g plugin.Grant) names.Quota {
	if terms, ok := g.Terms[Name].(Terms); ok {
		return terms.quota()
	}
	return names.Quota{}
}

// Beyond implements plugin.Terms.
func (t Terms) Beyond(other plugin.Terms) (list []plugin.Excess) {
	have, granted := other.(Terms)
	if !granted {
		list = append(list, plugin.Excess{What: Name})
	}
	asked, quota := t.quota(), have.quota()
	for _, part := range []struct {
		name             string
		own, asked, have int64
	}{{"count", t.Count, asked.Count, quota.Count}, {"bytes", t.Bytes, asked.Bytes, quota.Bytes}} {
		what := fmt.Sprintf("blobs.%s = %d", part.name, part.asked)
		switch {
		case !granted && part.own != 0:
			list = append(list, plugin.Excess{What: what})
		case granted && part.asked > part.have:
			list = append(list, plugin.Excess{What: what, Over: fmt.Sprint(part.have)})
		}
	}
	return list
}

// Union implements plugin.Terms.
func (t Terms) Union(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	return Terms{Count: plugin.Larger(t.Count, o.Count, usual.Count), Bytes: plugin.Larger(t.Bytes, o.Bytes, usual.Bytes)}
}

// Both implements plugin.Terms.
func (t Terms) Both(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	return Terms{Count: plugin.Smaller(t.Count, o.Count, usual.Count), Bytes: plugin.Smaller(t.Bytes, o.Bytes, usual.Bytes)}
}

// Members implements plugin.Terms.
func (t Terms) Members() []plugin.Member {
	list := []plugin.Member{{Name: Name, Value: true}}
	if t.Count != 0 {
		list = append(list, plugin.Member{Name: "blobs_count", Value: t.Count})
	}
	if t.Bytes != 0 {
		list = append(list, plugin.Member{Name: "blobs_bytes", Value: t.Bytes})
	}
	return list
}

// readTerms reads what Members wrote.
func readTerms(object []byte) (plugin.Terms, error) {
	var r struct {
		Blobs bool  `json:"blobs"`
		Count int64 `json:"blobs_count"`
		Bytes int64 `json:"blobs_bytes"`
	}
	if err := json.Unmarshal(object, &r); err != nil || !r.Blobs {
		return nil, err
	}
	return Terms{r.Count, r.Bytes}, nil
}

// ask reads [blobs].
func ask(t manifest.Table) (settings any, terms plugin.Terms) {
	var a Terms
	a.Count, _ = t.Count("count", math.MaxInt64)
	a.Bytes, _ = t.Size("bytes", math.MaxInt64)
	return nil, a
}
