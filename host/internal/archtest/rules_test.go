// Package archtest holds the rules of the repository's structure as tests. A
// rule that stands in the way is discussed and changed here, with its reason,
// never loosened to make a build pass.
package archtest

import (
	"go/ast"
	"os"
	"slices"
	"strings"
	"testing"
)

// abiBans keep a guest near the size of an empty one: each of these pulls in
// reflection or a large part of the standard library.
var abiBans = []string{"fmt", "reflect", "encoding", "net", "log", "os", "regexp", "text", "html", "go"}

func TestTopLevel(t *testing.T) {
	root, _ := tree(t)
	allowed := []string{"host", "plugins", "sdk", "abi", "examples", "go.mod", "go.sum", "Makefile", "README.md"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ignored := []string{"bin", "wasmoor-data"} // built by make, in .gitignore
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || slices.Contains(allowed, name) || slices.Contains(ignored, name) {
			continue
		}
		t.Errorf("%s stands at the top level, which is fixed: %s", name, strings.Join(allowed, " "))
	}
}

func TestGuestSideImportsNothingOfTheHost(t *testing.T) {
	_, pkgs := tree(t)
	for dir, p := range pkgs {
		for _, side := range []map[string]bool{p.imports, p.testing} {
			for imp := range side {
				rel, isOwn := own(imp)
				switch {
				case under(dir, "abi") && !isStd(imp) && !under(rel, "abi"):
					t.Errorf("%s imports %s: abi is imported by guests and stays within the standard library", dir, imp)
				case under(dir, "sdk") && !isStd(imp) && !(isOwn && anyUnder(rel, "abi", "sdk")):
					t.Errorf("%s imports %s: an author's go.sum then holds more than us; sdk, tests too, imports abi and the standard library", dir, imp)
				case anyUnder(dir, "plugins", "examples") && !isStd(imp) && !(isOwn && anyUnder(rel, "sdk", project(dir))) && !ofOthers[imp]:
					t.Errorf("%s imports %s: plugins and examples are what authors copy; they import sdk alone", dir, imp)
				}
			}
		}
	}
}

// ofOthers are the packages of others that examples show at work.
var ofOthers = map[string]bool{"github.com/go-chi/chi/v5": true}

// project returns the folder of the example or plugin that dir belongs to.
func project(dir string) string {
	return strings.Join(strings.SplitN(dir, "/", 3)[:2], "/")
}

// abiTests reads the call scripts of abi/testdata for tests of host and sdk, which
// share no other package. It needs encoding/json, so that no guest may have it.
const abiTests = "abi/abitest"

// abiHashes reads hashes of passwords for the host and its fake. It needs
// encoding/base64, so that no guest may have it.
const abiHashes = "abi/phc"

// abiWebhooks signs webhooks for the host and its fake, and verifies them in the guests
// that import sdk/webhook. It needs crypto, so that no other guest may have it.
const abiWebhooks = "abi/webhook"

func TestABIStaysSmall(t *testing.T) {
	_, pkgs := tree(t)
	for dir, p := range pkgs {
		if p.imports[modulePath+"/"+abiTests] {
			t.Errorf("%s imports %s outside a test", dir, abiTests)
		}
		if p.imports[modulePath+"/"+abiHashes] && !anyUnder(dir, "host", "sdk/sdktest") {
			t.Errorf("%s imports %s: it is for hosts", dir, abiHashes)
		}
		if p.imports[modulePath+"/"+abiWebhooks] && !anyUnder(dir, "host", "sdk/sdktest", "sdk/webhook") {
			t.Errorf("%s imports %s: it is for hosts, and for sdk/webhook", dir, abiWebhooks)
		}
		if !under(dir, "abi") || dir == abiTests || dir == abiHashes || dir == abiWebhooks {
			continue
		}
		for imp := range p.imports {
			first, _, _ := strings.Cut(imp, "/")
			if slices.Contains(abiBans, first) {
				t.Errorf("%s imports %s: it ends up in every guest", dir, imp)
			}
		}
	}
}

func TestOnlyTheBinaryReadsItsSurroundings(t *testing.T) {
	_, pkgs := tree(t)
	bans := map[string][]string{"os": {"Exit", "Getenv", "LookupEnv", "Environ", "Args"}}
	for dir, p := range pkgs {
		if !under(dir, "host") || under(dir, "host/cmd") {
			continue
		}
		if p.imports["flag"] {
			t.Errorf("%s imports flag: only cmd/wasmoor reads flags", dir)
		}
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(bans[x.Name], sel.Sel.Name) {
					t.Errorf("%s uses %s.%s: only cmd/wasmoor reads flags and environment, and exits", dir, x.Name, sel.Sel.Name)
				}
				return true
			})
		}
	}
}

// TestFewFeaturesOfTheEngineAreEnabled: a guest gets WebAssembly 2.0, tail calls and
// extended constants. With exception handling wazero v1.12.0 lets a guest keep a reference to
// an exception that is freed, and read and write the host's heap through it
// (wazero#2522).
func TestFewFeaturesOfTheEngineAreEnabled(t *testing.T) {
	_, pkgs := tree(t)
	for dir, p := range pkgs {
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok || !strings.Contains(sel.Sel.Name, "CoreFeature") {
					return true
				}
				if !strings.HasSuffix(dir, "host/internal/engine/machine") || !slices.Contains(sound, sel.Sel.Name) {
					t.Errorf("%s uses %s: guests get what engine/machine says, and no more", dir, sel.Sel.Name)
				}
				return true
			})
		}
	}
}

// sound are the features that guests have. WithCoreFeatures sets them.
var sound = []string{"WithCoreFeatures", "CoreFeaturesV2", "CoreFeaturesTailCall", "CoreFeaturesExtendedConst"}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	_, pkgs := tree(t)
	for dir, p := range pkgs {
		var docs int
		for _, file := range p.files {
			if file.Doc != nil {
				docs++
			}
		}
		if len(p.files) > 0 && docs != 1 {
			t.Errorf("%s has %d package comments, want one", dir, docs)
		}
	}
}

// encoders are the packages of host whose types have JSON tags: each is a form that
// leaves the process, and free to differ from what the process works with.
const encoders = `
adminapi            # requests and answers of the admin API
capability          # a grant in a record
audit               # what the chain needs of an event, and the ends of an export
access/issuer       # the issuer that an ID token names
transfer/lines      # the lines of an export
registry            # stored records
registry/part       # parts of them
cron                # the record of a schedule
upload              # what is known of an upload, in a file
blob                # whose a place is, in an object there
ship                # claims, headers and how far it is, in the bucket and the data folder
standby             # what a command on the machine is told
formats             # the data folder's formats
buildinfo           # what a binary says of itself
archive             # the header and the index of a backup
restoring           # the mark of a restore that is not finished
prepare             # what parent and child say, and the seal of an artefact
engine              # what the child is told of a module
engine/machine      # a file of an artefact
engine/extism       # the envelope
capability/blind    # the terms of a grant in a record
capability/blobs    # the terms of a grant in a record
capability/kv       # the terms of a grant in a record
capability/service  # the terms of a grant in a record
capability/outbound # Extism's requests, and the terms of a grant in a record
manifest            # Extism's manifests
server/servertest   # error bodies, as a client reads them
.                   # what commands show
cmd/wasmoor         # what commands show
`

// TestWireTypesAreApart keeps a type of the domain from being what is stored or
// sent: neither could change without the other.
func TestWireTypesAreApart(t *testing.T) {
	_, pkgs := tree(t)
	rows, used := table(t, encoders, ""), map[string]bool{}
	for dir, p := range pkgs {
		name, ok := hostDir(dir)
		if under(name, "cmd/wasmoor") {
			name = "cmd/wasmoor"
		}
		if !ok || !hasTag(p.files, "json") {
			continue
		}
		if _, ok := rows[name]; !ok {
			t.Errorf("%s has JSON tags: give what is stored or sent a type of its own, or a row in encoders with the reason", dir)
		}
		used[name] = true
	}
	for name := range rows {
		if !used[name] {
			t.Errorf("%s has a row in encoders and no JSON tag", name)
		}
	}
}

// hasTag reports whether a field of a struct in files has a tag of that name.
func hasTag(files []*ast.File, name string) (found bool) {
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok && f.Tag != nil {
				found = found || strings.Contains(f.Tag.Value, name+`:"`)
			}
			return true
		})
	}
	return found
}

func TestNoInit(t *testing.T) {
	_, pkgs := tree(t)
	for dir, p := range pkgs {
		switch {
		case under(dir, "plugins"), under(dir, "examples"):
			continue // a guest registers its handler when it initialises
		case dir == "sdk/nethttp":
			continue // http.DefaultTransport takes protocols only before anyone has used it
		}
		for _, file := range p.files {
			for _, decl := range file.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s has an init function: lists of capabilities, routes and commands stand in one place each", dir)
				}
			}
		}
	}
}
