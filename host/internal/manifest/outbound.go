package manifest

import (
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// MaxOrigins is the number of entries of outbound.allow.
const MaxOrigins = 100

// outbound reads [outbound] into o and returns the origins it asks for.
func (r *reader) outbound(t table, o *Outbound) plugin.Origins {
	t, ok := t.table("outbound")
	if !ok {
		return ""
	}
	t.only("allow", "idempotent", "cache", "timeout", "response_body", "calls", "concurrent")
	o.Idempotent, o.Cache = t.bool("idempotent"), t.bool("cache")
	most := limit.MaximumOutbound()
	set(&o.Limits.Timeout)(t.duration("timeout", most.Timeout))
	set(&o.Limits.ResponseBody)(t.size("response_body", most.ResponseBody))
	if n, ok := t.count("calls", int64(most.Calls)); ok {
		o.Limits.Calls = int(n)
	}
	if n, ok := t.count("concurrent", int64(most.Concurrent)); ok {
		o.Limits.Concurrent = int(n)
	}
	return r.origins(t)
}

func (r *reader) origins(t table) plugin.Origins {
	const key = "allow"
	texts := t.strings(key)
	if items, isList := t.values[key].([]any); !t.has(key) || isList && len(items) == 0 {
		t.fail(key, `it names no origin; write e.g. allow = ["https://api.example.com"]`)
	}
	if len(texts) > MaxOrigins {
		t.fail(key, "%d origins are above the maximum of %d", len(texts), MaxOrigins)
		return ""
	}
	var list []plugin.Origin
	for i, text := range texts {
		origin, err := plugin.ParseOrigin(text)
		if err != nil {
			r.fail(element(join(t.path, key), i), "%s", fault.MessageOf(err))
			continue
		}
		list = append(list, origin)
	}
	return plugin.OriginsOf(list)
}
