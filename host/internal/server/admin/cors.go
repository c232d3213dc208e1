package admin

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

type setCORSInput struct {
	adminapi.PluginRef
	Body policy
}

// policy is a CORS policy that is to be set. Its schema says what plugin.CORS
// checks.
type policy adminapi.CORS

// TransformSchema adds what tags cannot say.
func (policy) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["origins"].Items.Not = matching(`^(https://.*:443|http://.*:80)$`) // browsers leave it out
	s.Properties["methods"].Items.Not = matching(`^(\*|` + otherCase("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") + `)$`)
	lists := func(of *huma.Schema) map[string]*huma.Schema {
		return map[string]*huma.Schema{"origins": of, "headers": of, "expose": of}
	}
	named := &huma.Schema{Type: huma.TypeArray, Nullable: true, Items: &huma.Schema{Type: huma.TypeString, Not: matching(`^\*$`)}}
	one := 1
	alone := &huma.Schema{Type: huma.TypeArray, MaxItems: &one, Items: &huma.Schema{Type: huma.TypeString}}
	anyone := lists(&huma.Schema{AnyOf: []*huma.Schema{named, alone}})
	anyone["credentials"] = &huma.Schema{Type: huma.TypeBoolean, Nullable: true, Enum: []any{false}}
	s.AnyOf = []*huma.Schema{
		{Type: huma.TypeObject, Properties: lists(named)},
		{Type: huma.TypeObject, Properties: anyone},
	}
	return s
}

func matching(pattern string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: pattern}
}

// otherCase returns a pattern of words that are spelt in other cases than theirs,
// which is upper case. The regular expressions of JSON Schema have no flags.
func otherCase(words ...string) string {
	var forms []string
	for _, word := range words {
		for i, c := range strings.ToLower(word) {
			var form strings.Builder
			form.WriteString(word[:i] + string(c))
			for _, c := range word[i+1:] {
				form.WriteString("[" + string(c) + strings.ToLower(string(c)) + "]")
			}
			forms = append(forms, form.String())
		}
	}
	return strings.Join(forms, "|")
}

func (a *Admin) cors(ctx context.Context, in *adminapi.PluginRef) (*output[adminapi.CORS], error) {
	return show(a.cfg.Operator.CORS(ctx, in.Name))
}

func (a *Admin) setCORS(ctx context.Context, in *setCORSInput) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Deployer.SetCORS(ctx, in.Name, plugin.CORS(in.Body), by(ctx)))
}

func (a *Admin) unsetCORS(ctx context.Context, in *adminapi.PluginRef) (*output[adminapi.Changed], error) {
	return changed(a.cfg.Deployer.UnsetCORS(ctx, in.Name, by(ctx)))
}
