package access

import (
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/auth"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// named says which pass an event is about.
func named(p auth.Pass) string { return fmt.Sprintf("%s (%s)", p.Name, p.ID) }

// passFields are what the audit says of a pass: whom it lets in, for what and how long.
func passFields(p auth.Pass) []plugin.Field {
	until := "never"
	if !p.Expires.IsZero() {
		until = p.Expires.UTC().Format(time.RFC3339)
	}
	return []plugin.Field{
		{Name: "role", Value: p.Role.String()},
		{Name: "plugins", Value: string(p.Plugins)},
		{Name: "team", Value: p.Team},
		{Name: "expires", Value: until},
	}
}

// teamFields are what the audit says of a team.
func teamFields(t auth.Team) []plugin.Field {
	return []plugin.Field{
		{Name: "plugins", Value: string(t.Plugins)},
		{Name: "memory", Value: size(t.Memory)},
		{Name: "disk", Value: size(t.Disk)},
		{Name: "weight", Value: plugin.Text(t.Weight)},
	}
}

func size(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return limit.FormatSize(bytes)
}

// ruleFields are what the audit says of a rule of trust.
func ruleFields(r auth.Rule) []plugin.Field {
	fields := []plugin.Field{
		{Name: "issuer", Value: r.Issuer},
		{Name: "audience", Value: r.Audience},
		{Name: "people", Value: plugin.Text(r.Login)},
		{Name: "private", Value: plugin.Text(r.Private)},
		{Name: "role", Value: r.Role.String()},
		{Name: "plugins", Value: string(r.Plugins)},
		{Name: "team", Value: r.Team},
		{Name: "lifetime", Value: r.Lifetime.String()},
	}
	for name, value := range r.Claims {
		fields = append(fields, plugin.Field{Name: "claim " + name, Value: value})
	}
	return fields
}
