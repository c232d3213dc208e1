package host

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

const manifestDoc = "../sdk/MANIFEST.md"

// TestManifestKeysAreTheCode holds the table of keys to those the reader knows,
// in both directions.
func TestManifestKeysAreTheCode(t *testing.T) {
	_, text, _ := strings.Cut(read(t, manifestDoc), "\n## Every key\n")
	text, _, _ = strings.Cut(text, "\n## ")
	table := rows(text)
	delete(table, "key")
	delete(table, "---")
	delete(table, "config.NAME")                                                         // any name
	for _, key := range []string{"blind", "header", "format", "description", "reason"} { // package blind's tests have them
		if table["secrets.NAME."+key] == nil {
			t.Errorf("%s has no row for the key secrets.NAME.%s", manifestDoc, key)
		}
		delete(table, "secrets.NAME."+key)
	}
	for _, key := range []string{"services.NAME", "services.NAME.plugin", "services.NAME.reason"} { // capability/service's tests have them
		if table[key] == nil {
			t.Errorf("%s has no row for the key %s", manifestDoc, key)
		}
		delete(table, key)
	}
	for _, name := range []string{"queue.NAME", "sql.NAME", "sql.NAME.migrations"} {
		if table[name] == nil {
			t.Errorf("%s has no row for the key %s", manifestDoc, name)
		}
		delete(table, name)
	}
	if table["queue.webhooks"] == nil {
		t.Errorf("%s has no row for the key queue.webhooks", manifestDoc)
	}
	delete(table, "queue.webhooks")
	for _, key := range capqueue.Keys() {
		if table["queue.NAME."+key] == nil {
			t.Errorf("%s has no row for the key queue.NAME.%s", manifestDoc, key)
		}
		delete(table, "queue.NAME."+key)
	}
	known := manifestKeys(t)
	for _, key := range known {
		if table[key] == nil {
			t.Errorf("%s has no row for the key %s", manifestDoc, key)
		}
	}
	for key := range table {
		if !slices.Contains(known, key) {
			t.Errorf("%s has the key %s, which the reader does not know", manifestDoc, key)
		}
	}
}

// TestManifestReservedKeysAreTheCode puts each key that is said to be reserved
// into a manifest, and finds each that is.
func TestManifestReservedKeysAreTheCode(t *testing.T) {
	_, text, _ := strings.Cut(read(t, manifestDoc), "\n## Reserved keys\n")
	text, _, _ = strings.Cut(text, "\n## ")
	table := rows(text)
	for where, form := range map[string]string{"tables": "[%s]", "keys of a `route": "[[route]]\npattern = \"/\"\n%s = 1"} {
		if len(table[where]) == 0 {
			t.Fatalf("%s has no row %q of reserved keys", manifestDoc, where)
		}
		for key := range strings.FieldsSeq(strings.ReplaceAll(table[where][0], "`", "")) {
			_, err := manifest.Parse([]byte("manifest_version = 1\nname = \"a\"\n"+fmt.Sprintf(form, key)+"\n"), "f.toml", capabilities.Sections())
			if err == nil || !strings.Contains(err.Error(), "reserved for a later version") {
				t.Errorf("%s says that %s is reserved, the reader says: %v", manifestDoc, key, err)
			}
		}
	}
	source := read(t, "internal/manifest/table.go")
	for list := range strings.SplitSeq(source, "return []string{") {
		list, _, found := strings.Cut(list, "}\n")
		if !found || !strings.HasPrefix(list, "\"") {
			continue
		}
		for key := range strings.SplitSeq(list, ", ") {
			if !strings.Contains(text, "`"+strings.Trim(key, "\"")+"`") {
				t.Errorf("%s does not say that %s is reserved", manifestDoc, key)
			}
		}
	}
}

func TestManifestDefaultsAreTheCode(t *testing.T) {
	table := rows(read(t, manifestDoc))
	size := limit.FormatSize
	d, m := limit.Default(), limit.Maximum()
	od, om := egress.DefaultLimits(), egress.MaximumLimits()
	for key, want := range map[string][2]string{
		"manifest_version":     {"required", fmt.Sprint(manifest.FormatVersion)},
		"version":              {"none", fmt.Sprint(manifest.MaxLabel, " characters")},
		"abi":                  {abi.Module, ""},
		"route":                {"the whole mount", fmt.Sprint(manifest.MaxRoutes)},
		"route.pattern":        {"required", fmt.Sprint(pattern.MaxLength, " bytes")},
		"route.deadline":       {"limits.deadline", m.Deadline.String()},
		"route.request_body":   {"limits.request_body", size(limit.RouteBody)},
		"route.idempotency":    {"0", limit.MaxReplayAge.String()},
		"limits.memory":        {size(d.Memory), size(m.Memory)},
		"limits.deadline":      {d.Deadline.String(), m.Deadline.String()},
		"limits.request_body":  {size(d.RequestBody), size(m.RequestBody)},
		"limits.response_body": {size(d.ResponseBody), size(m.ResponseBody)},
		"limits.concurrency":   {fmt.Sprint(d.Concurrency), fmt.Sprint(m.Concurrency)},
		"kv.keys":              {fmt.Sprint(kv.DefaultKeys), "by grant"},
		"kv.bytes":             {size(kv.DefaultBytes), "by grant"},
		"config":               {"none", fmt.Sprint(manifest.MaxVars)},
		"warmup":               {"none", fmt.Sprint(manifest.MaxWarmups)},
		"warmup.body":          {"none", size(manifest.MaxWarmupBody)},

		"outbound.allow":         {"required", fmt.Sprint(outbound.MaxOrigins)},
		"outbound.timeout":       {od.Timeout.String(), om.Timeout.String()},
		"outbound.response_body": {size(od.ResponseBody), size(om.ResponseBody)},
		"outbound.calls":         {fmt.Sprint(od.Calls), fmt.Sprint(om.Calls)},
		"outbound.concurrent":    {fmt.Sprint(od.Concurrent), fmt.Sprint(om.Concurrent)},
	} {
		if row := table[key]; len(row) != 4 || row[1] != want[0] || row[2] != want[1] {
			t.Errorf("row %s is %q, the code says default %q, maximum %q", key, row, want[0], want[1])
		}
	}
	if want := "The text has " + size(manifest.MaxSize) + " at most"; !strings.Contains(read(t, manifestDoc), want) {
		t.Errorf("%s does not say %q", manifestDoc, want)
	}
}

// TestManifestExamples parses every manifest of the document; the full ones
// have every key.
func TestManifestExamples(t *testing.T) {
	examples := regexp.MustCompile("(?s)```(toml(?: full)?)\n(.*?)```").FindAllStringSubmatch(read(t, manifestDoc), -1)
	has := map[string]bool{}
	for _, example := range examples {
		if _, err := manifest.Parse([]byte(example[2]), manifest.FileName, capabilities.Sections()); err != nil {
			t.Errorf("%v\n%s", err, example[2])
		}
		if example[1] == "toml full" {
			var tree map[string]any
			if err := toml.Unmarshal([]byte(example[2]), &tree); err != nil {
				t.Fatal(err)
			}
			keysOf("", tree, has)
		}
	}
	for _, key := range manifestKeys(t) {
		if !has[key] {
			t.Errorf("the full examples do not have %s", key)
		}
	}
}

// keysOf adds the keys of a tree to found, with dots between a table and its
// keys and NAME for an entry of config.
func keysOf(table string, tree any, found map[string]bool) map[string]bool {
	switch tree := tree.(type) {
	case []any:
		for _, element := range tree {
			keysOf(table, element, found)
		}
	case map[string]any:
		for key, value := range tree {
			if table == "config." {
				key = "NAME"
			}
			found[table+key] = true
			keysOf(table+key+".", value, found)
		}
	}
	return found
}

// manifestTables are the functions of the reader that name a table's keys, with
// the table. The tables of capabilities have a list of theirs.
var manifestTables = map[string]string{
	"known": "", "limits": "limits.", "routes": "route.", "entry": "config.NAME.", "build": "build.", "warmups": "warmup.",
}

// manifestKeys returns the keys that the reader accepts: those of the tables of
// capabilities, and the literals in the reader's source that name the others.
func manifestKeys(t *testing.T) (keys []string) {
	t.Helper()
	for _, s := range capabilities.Sections() {
		keys = append(keys, s.Name)
		for _, key := range s.Keys {
			keys = append(keys, s.Name+"."+key)
		}
	}
	var decls []ast.Decl
	for _, name := range []string{"parse.go", "warmup.go", "unknown.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), "internal/manifest/"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		decls = append(decls, file.Decls...)
	}
	lists := map[string][]string{} // those that have a name
	for _, decl := range decls {
		if vars, ok := decl.(*ast.GenDecl); ok {
			addLists(t, vars, lists)
		}
	}
	for _, decl := range decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		table, known := manifestTables[f.Name.Name]
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			switch {
			case !ok:
			case isOnly(call) && call.Ellipsis.IsValid():
				if name, ok := call.Args[0].(*ast.Ident); ok { // else it is made elsewhere
					for _, key := range lists[name.Name] {
						keys = append(keys, table+key)
					}
				}
			case isOnly(call) && !known:
				t.Errorf("the reader's function %s names keys of a table that this test does not know", f.Name.Name)
			case isOnly(call):
				for _, arg := range call.Args {
					keys = append(keys, table+literal(t, arg))
				}
			}
			return true
		})
		if f.Name.Name == "known" {
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok {
					keys = append(keys, literal(t, lit))
				}
				return true
			})
		}
	}
	if len(keys) < 20 {
		t.Fatalf("found the keys %q: that is not all", keys)
	}
	return keys
}

// addLists adds the lists of literals that are declared by name.
func addLists(t *testing.T, decl *ast.GenDecl, lists map[string][]string) {
	for _, spec := range decl.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || len(value.Values) != 1 {
			continue
		}
		list, ok := value.Values[0].(*ast.CompositeLit)
		if !ok {
			continue
		}
		for _, element := range list.Elts {
			if _, ok := element.(*ast.BasicLit); ok {
				lists[value.Names[0].Name] = append(lists[value.Names[0].Name], literal(t, element))
			}
		}
	}
}

func isOnly(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && f.Sel.Name == "only"
}

func literal(t *testing.T, arg ast.Expr) string {
	t.Helper()
	lit, ok := arg.(*ast.BasicLit)
	if !ok {
		t.Fatalf("a key of the reader is no literal: %v", arg)
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
