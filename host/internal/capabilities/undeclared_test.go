package capabilities_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/router"
)

// asked are the host functions of every capability that a manifest has to ask for.
func asked() (funcs []capability.Func) {
	for _, u := range append(capabilities.All(capabilities.Config{}), stampsUnit()) {
		if u.Terms != nil {
			funcs = append(funcs, u.Native...)
		}
	}
	return funcs
}

// importsAll calls each of some functions once, and answers what they return.
func importsAll(funcs []capability.Func) []byte {
	b := enginetest.NewBuilder(1)
	var imports []uint32
	for _, f := range funcs {
		imports = append(imports, b.Import(f.Module, f.Name, f.Params, f.Results))
	}
	write, code := b.Native(abi.FnResponseWrite), new(enginetest.Code)
	const out = 1024
	for i, f := range funcs {
		code.I32(out + 8*uint32(i))
		for _, p := range f.Params {
			if p == abi.I64 {
				code.I64(0)
			} else {
				code.I32(8) // a pointer or a length, within memory
			}
		}
		if code.Call(imports[i]); f.Results[0] == abi.I32 {
			code.Extend()
		}
		code.Store64()
	}
	return b.Handle(code.I32(out).I32(8 * uint32(len(funcs))).Call(write).Drop().I32(0)).Bytes()
}

// answers returns what the functions returned to a request.
func (h *host) answers(t *testing.T, n int) (got []int64) {
	t.Helper()
	m, result := h.Route("POST", "localhost", "/post/", nil, nil)
	if result != router.Found {
		t.Fatalf("no route: %v", result)
	}
	defer m.Deployment.Release()
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "POST", Path: m.Path}}}
	if _, err := m.Deployment.Do(t.Context(), inv, m.Limits()); err != nil {
		t.Fatal(err)
	}
	for b := inv.Reply.Body; len(b) >= 8; b = b[8:] {
		got = append(got, int64(binary.LittleEndian.Uint64(b)))
	}
	if len(got) != n {
		t.Fatalf("%d functions answered %v", n, got)
	}
	return got
}

// TestNothingUndeclaredIsReachable: a module that imports each function of each capability
// with a table of its own gets Denied from all of them, unless its manifest has the table;
// also where the plugin was granted all of it for another version.
func TestNothingUndeclaredIsReachable(t *testing.T) {
	h := open(t, t.TempDir())
	defer func() { h.close() }()
	funcs := asked()
	if len(funcs) < 14 {
		t.Fatalf("%d functions of capabilities that are asked for: that is not all", len(funcs))
	}
	module := importsAll(funcs)

	out, err := h.deploy(t, module, "[kv]", "[outbound]", `allow = ["https://a.example"]`, "[stamps]", "most = 9", "[blobs]")
	activated(t, out, err)
	for i, status := range h.answers(t, len(funcs)) {
		if status == int64(abi.Denied) {
			t.Errorf("%s is declared and granted, and is denied", funcs[i].Name)
		}
	}
	grant, err := h.registry.Plugin(t.Context(), "post")
	if err != nil {
		t.Fatal(err)
	}

	denied := func(when string) {
		t.Helper()
		for i, status := range h.answers(t, len(funcs)) {
			if status != int64(abi.Denied) {
				t.Errorf("%s: %s answers %d, want %d: the manifest does not ask for it", when, funcs[i].Name, status, abi.Denied)
			}
		}
	}
	out, err = h.deploy(t, module)
	activated(t, out, err)
	if len(out.Notices) < 3 {
		t.Errorf("the deploy does not tell what is refused: %q", out.Notices)
	}
	denied("asked for nothing")
	if _, err := h.registry.Grant(t.Context(), "post", 1, grant.Grant, "ann"); err != nil {
		t.Fatal(err)
	}
	out, err = h.Activate(t.Context(), "post", 2, "", false, false, "ann")
	activated(t, out, err)
	if p, err := h.registry.Plugin(t.Context(), "post"); err != nil || len(p.Grant.Missing(grant.Grant)) > 0 {
		t.Fatalf("the plugin is not granted what version 1 asks for: %+v, %v", p.Grant, err)
	}
	denied("granted for another version")

	// And what no capability has is not there at all.
	b := enginetest.NewBuilder(1)
	b.Import(abi.Module, "file_open", nil, []abi.Type{abi.I64})
	if out, err := h.deploy(t, b.Handle(new(enginetest.Code).I32(0)).Bytes()); err == nil {
		t.Errorf("a module with an import that nobody gives is taken: %+v", out)
	}
	if !slices.ContainsFunc(funcs, func(f capability.Func) bool { return f.Name == abi.FnHTTPOpen }) {
		t.Error("calls to services are not among what was tried")
	}
}
