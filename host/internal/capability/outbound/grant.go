package outbound

import (
	"encoding/json"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// MaxOrigins is the number of entries of outbound.allow.
const MaxOrigins = 100

// Settings is how a plugin calls other services, as its manifest says; where to is
// in its Terms.
type Settings struct {
	Idempotent bool // the services tolerate repeats, so that a handler may run again
	Cache      bool // keep responses as RFC 9111 allows
	Limits     egress.Limits
}

// keys are those of [outbound].
var keys = []string{"allow", "idempotent", "cache", "timeout", "response_body", "calls", "concurrent", manifest.ReasonKey}

// ask reads [outbound].
func ask(t manifest.Table) (any, plugin.Terms) {
	s := Settings{Idempotent: t.Bool("idempotent"), Cache: t.Bool("cache"), Limits: egress.DefaultLimits()}
	most := egress.MaximumLimits()
	if d, ok := t.Duration("timeout", most.Timeout); ok {
		s.Limits.Timeout = d
	}
	if n, ok := t.Size("response_body", most.ResponseBody); ok {
		s.Limits.ResponseBody = n
	}
	if n, ok := t.Count("calls", int64(most.Calls)); ok {
		s.Limits.Calls = int(n)
	}
	if n, ok := t.Count("concurrent", int64(most.Concurrent)); ok {
		s.Limits.Concurrent = int(n)
	}
	return s, Terms(origins(t))
}

func origins(t manifest.Table) plugin.Origins {
	const key = "allow"
	texts := t.Strings(key)
	if !t.Has(key) || t.Empty(key) {
		t.Fail(key, `it names no origin; write e.g. allow = ["https://api.example.com"]`)
	}
	if len(texts) > MaxOrigins {
		t.Fail(key, "%d origins are above the maximum of %d", len(texts), MaxOrigins)
		return ""
	}
	var list []plugin.Origin
	for i, text := range texts {
		if text == plugin.Public().String() {
			list = append(list, plugin.Public())
			continue
		}
		origin, err := plugin.ParseOrigin(text)
		if err != nil {
			hint := ""
			if plugin.EveryHost(text) {
				hint = `, or "public" for every public address`
			}
			t.FailAt(key, i, "%s%s", fault.MessageOf(err), hint)
			continue
		}
		if plugin.IsInternal(origin.Host) {
			t.FailAt(key, i, "plugins of this server are called by [services], not by outbound.allow; write e.g. stock = \"stock\" below [services]")
			continue
		}
		list = append(list, origin)
	}
	return plugin.OriginsOf(list)
}

// Terms are where a plugin may call out to. They implement plugin.Terms.
type Terms plugin.Origins

// Beyond implements plugin.Terms.
func (t Terms) Beyond(other plugin.Terms) (list []plugin.Excess) {
	have, _ := other.(Terms)
	for _, origin := range plugin.Origins(t).Without(plugin.Origins(have)) {
		if origin == plugin.Public().String() {
			origin = "any public address"
		}
		list = append(list, plugin.Excess{What: "outbound to " + origin})
	}
	return list
}

// Weighs implements plugin.Weighty: every public address is never granted by the way.
func (t Terms) Weighs(have plugin.Terms) bool {
	h, _ := have.(Terms)
	return slices.Contains(plugin.Origins(t).Without(plugin.Origins(h)), plugin.Public().String())
}

// Union implements plugin.Terms.
func (t Terms) Union(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	return Terms(plugin.Origins(t).Union(plugin.Origins(o)))
}

// Both implements plugin.Terms.
func (t Terms) Both(other plugin.Terms) plugin.Terms {
	o, _ := other.(Terms)
	if both := plugin.Origins(t).Both(plugin.Origins(o)); both != "" {
		return Terms(both)
	}
	return nil
}

// Members implements plugin.Terms.
func (t Terms) Members() []plugin.Member { return []plugin.Member{{Name: Name, Value: string(t)}} }

// readTerms reads what Members wrote.
func readTerms(object []byte) (plugin.Terms, error) {
	var r struct {
		Outbound Terms `json:"outbound"`
	}
	if err := json.Unmarshal(object, &r); err != nil || r.Outbound == "" {
		return nil, err
	}
	return r.Outbound, nil
}
