package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/spelling"
)

// The keys of the tables that are always there.
var (
	limitKeys = []string{"memory", "deadline", "request_body", "response_body", "concurrency"}
	buildKeys = []string{"command", "output", "watch"}
	varKeys   = []string{"required", "secret", "default", "description"}
)

// synonyms are what other platforms call a key, by the kind of table.
var synonyms = map[string]map[string][]string{
	"": {
		"manifest_version": {"version_manifest", "schema", "schema_version"},
		"config":           {"vars", "var", "variables", "env", "environment", "settings"},
		"outbound":         {"permissions", "http", "fetch", "network", "allow", "allowed_hosts", "allowed_outbound_hosts", "hosts"},
		"kv":               {"storage", "store", "database", "db", "key_value", "key_value_stores"},
		"route":            {"routing", "path", "paths", "trigger", "triggers", "endpoints", "handlers"},
	},
	"route": {
		"pattern":      {"path", "url", "uri", "match", "method", "methods", "route"},
		"deadline":     {"timeout"},
		"request_body": {"body", "max_body", "body_limit"},
	},
	"limits": {
		"deadline":      {"timeout", "time", "duration", "cpu"},
		"memory":        {"mem", "ram", "max_memory", "memory_mb"},
		"request_body":  {"body", "max_body", "body_limit", "request"},
		"response_body": {"response"},
		"concurrency":   {"concurrent", "requests", "max_concurrency", "instances"},
	},
	"kv":       {"bytes": {"size", "quota", "max_bytes", "storage"}, "keys": {"max_keys", "entries"}},
	"outbound": {"allow": {"hosts", "origins", "urls", "domains", "allowed_hosts"}, "timeout": {"deadline"}},
	"config":   {"default": {"value", "val"}},
	"build":    {"command": {"cmd", "run"}, "output": {"out", "wasm", "file"}},
}

// kind is what sort of table t is: all routes are "route", and all entries of
// [config] are "config".
func (t Table) kind() string {
	end := strings.IndexAny(t.path, "[.")
	if end < 0 {
		return t.path
	}
	return t.path[:end]
}

// hint says what to write in place of an unknown key.
func (t Table) hint(key string, known []string) string {
	meant := t.meantKey(key, known)
	switch home := t.home(key); {
	case meant == "pattern":
		return t.write(meant, t.patternMeant())
	case meant == "" && home != "":
		return "; it belongs " + home
	case meant != "":
		return fmt.Sprintf("; did you mean %q?", meant)
	case t.path == "" && varForm.MatchString(key) && isScalar(t.values[key]):
		return "; a value that the operator may change goes under " + t.reader.header("config", false) +
			": " + t.reader.assignment(key, t.reader.varMeant(t.values[key]))
	}
	return "; known here: " + strings.Join(known, ", ")
}

// meantKey returns the known key that a key is another spelling or another name
// of, "" when none is.
func (t Table) meantKey(key string, known []string) string {
	folded := strings.ReplaceAll(strings.ToLower(key), "-", "_")
	if slices.Contains(known, folded) {
		return folded
	}
	for _, name := range known {
		if slices.Contains(synonyms[t.kind()][name], folded) {
			return name
		}
	}
	if len(key) > maxKey || t.home(key) != "" {
		return ""
	}
	return spelling.Nearest(folded, known)
}

// home says where else in a manifest a key stands.
func (t Table) home(key string) string {
	r := t.reader
	if t.path != "" && slices.Contains(r.known(), key) && t.kind() != key {
		if r.json {
			return "at the top of the manifest"
		}
		return "at the top of the manifest, above the first table"
	}
	var tables []string
	add := func(table string, list bool, keys []string) {
		if table != t.path && slices.Contains(keys, key) {
			tables = append(tables, r.header(table, list))
		}
	}
	add("limits", false, limitKeys)
	for _, s := range r.sections {
		add(s.Name, s.List, s.Keys)
	}
	add("build", false, buildKeys)
	if key == "pattern" || key == "idempotency" {
		tables = append(tables, r.header("route", true))
	}
	if len(tables) == 0 {
		return ""
	}
	return "under " + strings.Join(tables, " or ")
}

// patternMeant joins what a route says apart: method = "GET", path = "/a".
func (t Table) patternMeant() string {
	path, method := "/entries/{id}", ""
	for _, name := range []string{"pattern", "path", "url", "uri", "match", "route"} {
		if s, ok := t.values[name].(string); ok {
			path = s
		}
	}
	if s, ok := t.values["method"].(string); ok {
		method = s + " "
	}
	text := method + path[strings.LastIndexByte(path, ' ')+1:]
	if p, err := pattern.Parse(text); err == nil {
		text = p.WithoutHost()
	} else if e, ok := errors.AsType[*pattern.SyntaxError](err); ok && e.Write != "" {
		text = e.Write
	}
	return quoteShort(text)
}

func isScalar(value any) bool {
	switch value.(type) {
	case string, bool, int64, float64:
		return true
	}
	return false
}

// varMeant returns the entry of [config] that a plain value was meant as.
func (d *document) varMeant(value any) string {
	text, ok := value.(string)
	quoted := asString(value)
	if ok {
		quoted = quoteShort(text)
	}
	if quoted == "" {
		quoted = `"..."`
	}
	return d.object("default", quoted)
}
