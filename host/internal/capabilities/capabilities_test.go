package capabilities_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/extism"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/registry"
	"github.com/wasmoor/wasmoor/host/internal/router"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// stamps is a capability that the host does not have: the function stamp counts
// for the plugin, as far as it was granted, and once an attempt.
const stamps = "stamps"

func stampsUnit() capability.Unit {
	function := func(module string) []capability.Func {
		return []capability.Func{{Module: module, Name: "stamp", Results: []abi.Type{abi.I64}, Call: stamp}}
	}
	return capability.Unit{
		Name: stamps, Keys: []string{"most"}, Read: askForStamps, Terms: readStamps,
		Plugin: func(func() time.Time) invoke.State { return new(ofPlugin) },
		Deployment: func(d capability.Deployment) invoke.State {
			granted, ok := d.Grant.(stampTerms)
			if !ok || d.Ask == nil {
				return nil
			}
			return &ofDeployment{most: int64(granted), plugin: d.Plugin.(*ofPlugin)}
		},
		Native: function("stamps_v1"), Extism: function(capability.ExtismUser),
	}
}

type (
	ofPlugin     struct{ count atomic.Int64 }
	ofDeployment struct {
		most   int64
		plugin *ofPlugin
	}
	ofAttempt struct{}
)

func (p *ofPlugin) Close()   { p.count.Store(0) }
func (*ofDeployment) Close() {}
func (ofAttempt) Close()     {}

func stamp(_ context.Context, g *capability.Guest, _ []uint64) (uint64, error) {
	if g.Inv == nil {
		return capability.Result(abi.Unavailable), nil
	}
	d, granted := g.Inv.Env.States.Of(stamps).(*ofDeployment)
	switch {
	case !granted:
		return capability.Result(abi.Denied), nil
	case g.Inv.State(stamps) != nil:
		return capability.Result(abi.Invalid), nil
	}
	g.Inv.Keep(stamps, ofAttempt{})
	if n := d.plugin.count.Add(1); n <= d.most {
		return uint64(n), nil
	}
	return capability.Result(abi.Limit), nil
}

// stampTerms is how many stamps there are.
type stampTerms int64

func askForStamps(t manifest.Table) (any, plugin.Terms) {
	n, _ := t.Count("most", math.MaxInt64)
	return nil, stampTerms(n)
}

func readStamps(object []byte) (plugin.Terms, error) {
	var members map[string]any
	err := json.Unmarshal(object, &members)
	if n, ok := members["stamps_most"].(float64); ok {
		return stampTerms(n), err
	}
	return nil, err
}

func (s stampTerms) Beyond(granted plugin.Terms) []plugin.Excess {
	if have, _ := granted.(stampTerms); s > have {
		return []plugin.Excess{{What: fmt.Sprintf("stamps.most = %d", s), Over: fmt.Sprint(int64(have))}}
	}
	return nil
}

func (s stampTerms) Union(other plugin.Terms) plugin.Terms { return max(s, other.(stampTerms)) }

func (s stampTerms) Both(other plugin.Terms) plugin.Terms { return min(s, other.(stampTerms)) }

func (s stampTerms) Members() []plugin.Member {
	return []plugin.Member{{Name: stamps, Value: true}, {Name: "stamps_most", Value: int64(s)}}
}

// host is a Deployer whose list of capabilities has one more.
type host struct {
	*deploy.Deployer
	registry *registry.Registry
	close    func()
}

func open(t *testing.T, dir string) *host {
	t.Helper()
	all := append(capabilities.All(capabilities.Config{}), stampsUnit())
	st, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "store"), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), st, filepath.Join(dir, "modules"), time.Now, all)
	if err != nil {
		t.Fatal(err)
	}
	engines := map[string]enginetest.Direct{
		"":                 enginetest.InProcess(native.New(native.Config{Functions: all.Native()})),
		manifest.ABIExtism: enginetest.InProcess(extism.New(all.Extism(), linear.NewBudget(0))),
	}
	d := deploy.New(deploy.Config{
		Store: st, Registry: reg, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Capabilities: all,
		Prepare: func(ctx context.Context, module []byte, o engine.Options) (engine.Program, error) {
			return engines[o.ABI].Prepare(ctx, module, o)
		},
	})
	if err := d.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &host{Deployer: d, registry: reg, close: func() {
		errs := []error{d.Close(context.Background())}
		for _, e := range engines {
			errs = append(errs, e.Close(context.Background()))
		}
		for _, err := range append(errs, st.Close()) {
			if err != nil {
				t.Error(err)
			}
		}
	}}
}

// nativeGuest answers what two calls of stamp return, 8 bytes each.
func nativeGuest() []byte {
	b := enginetest.NewBuilder(1)
	stamp, write := b.Import("stamps_v1", "stamp", nil, []abi.Type{abi.I64}), b.Native(abi.FnResponseWrite)
	code := new(enginetest.Code).I32(0).Call(stamp).Store64().I32(8).Call(stamp).Store64()
	return b.Handle(code.I32(0).I32(16).Call(write).Drop().I32(0)).Bytes()
}

// extismGuest does the same in Extism's ABI.
func extismGuest() []byte {
	b := enginetest.NewBuilder(1)
	one, two := []abi.Type{abi.I64}, []abi.Type{abi.I64, abi.I64}
	stamp := b.Import(capability.ExtismUser, "stamp", nil, one)
	alloc := b.Import(capability.ExtismEnv, "alloc", one, one)
	store, output := b.Import(capability.ExtismEnv, "store_u64", two, nil), b.Import(capability.ExtismEnv, "output_set", two, nil)
	const out, opAdd = 0, 0x7c
	code := new(enginetest.Code).I64(16).Call(alloc).Set(out)
	code.Get(out).Call(stamp).Call(store).Get(out).I64(8).Op(opAdd).Call(stamp).Call(store)
	b.Func("run", nil, []abi.Type{abi.I32}, 1, code.Get(out).I64(16).Call(output).I32(0))
	return b.Bytes()
}

// deploy deploys a version whose manifest ends with lines.
func (h *host) deploy(t *testing.T, module []byte, lines ...string) (deploy.Changed, error) {
	t.Helper()
	text := "manifest_version = 1\nname = \"post\"\n" + strings.Join(lines, "\n") + "\n"
	packed, err := wasmbin.WithCustomSection(module, abi.ManifestSection, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return h.Deploy(t.Context(), deploy.Upload{Module: packed, By: "ann"})
}

// wantStamps compares what a request's two calls of stamp return.
func (h *host) wantStamps(t *testing.T, want ...int64) {
	t.Helper()
	m, result := h.Route("POST", "localhost", "/post/", nil, nil)
	if result != router.Found {
		t.Fatalf("no route: %v", result)
	}
	defer m.Deployment.Release()
	inv := &invoke.Invocation{Request: &invoke.Request{Head: abi.RequestHead{Method: "POST", Path: m.Path, Pattern: m.Pattern}}}
	if _, err := m.Deployment.Do(t.Context(), inv, m.Limits()); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for b := inv.Reply.Body; len(b) >= 8; b = b[8:] {
		got = append(got, int64(binary.LittleEndian.Uint64(b)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stamps (-want +got):\n%s", diff)
	}
}

func activated(t *testing.T, out deploy.Changed, err error) {
	t.Helper()
	if err != nil || !out.Activated {
		t.Fatalf("got %+v, %v", out, err)
	}
}

// TestACapabilityIsAddedByTheList: nothing but the list knows of stamps, and they
// are read, asked for, granted, called in both ABIs, counted and remembered.
func TestACapabilityIsAddedByTheList(t *testing.T) {
	for abiName, c := range map[string]struct {
		module []byte
		lines  []string
	}{
		"native": {nativeGuest(), nil},
		"extism": {extismGuest(), []string{`abi = "extism"`, "[[route]]", `pattern = "POST /"`, `export = "run"`}},
	} {
		t.Run(abiName, func(t *testing.T) {
			dir := t.TempDir()
			h := open(t, dir)
			defer func() { h.close() }()
			with := func(lines ...string) []string { return slices.Concat(c.lines, lines) }

			_, err := h.deploy(t, c.module, with("[stamps]", "mots = 1")...)
			if want := fmt.Sprintf(`:%d:1: stamps.mots: unknown key; did you mean "most"?`, 4+len(c.lines)); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), want) {
				t.Errorf("got %v, want %q", err, want)
			}

			out, err := h.deploy(t, c.module, c.lines...)
			activated(t, out, err)
			h.wantStamps(t, int64(abi.Denied), int64(abi.Denied))

			out, err = h.deploy(t, c.module, with("[stamps]", "most = 2")...)
			if err != nil || out.Activated || len(out.Waiting) != 1 || !strings.Contains(out.Waiting[0], "it asks for stamps.most = 2 (granted 0), which is not granted") {
				t.Fatalf("got %+v, %v", out, err)
			}
			h.wantStamps(t, int64(abi.Denied), int64(abi.Denied)) // the version before serves
			out, err = h.Activate(t.Context(), "post", out.Version, "", true, false, "bob")
			activated(t, out, err)
			h.wantStamps(t, 1, int64(abi.Invalid))
			events, err := h.registry.Audit(t.Context(), 0, 100)
			if last := events[len(events)-1]; err != nil || fmt.Sprint(last.Changes) != "[grant.stamps = true grant.stamps_most = 2 version: 1 -> 2]" {
				t.Errorf("the audit says %+v, %v", last, err)
			}

			out, err = h.deploy(t, c.module, with("[stamps]", "most = 1")...)
			activated(t, out, err)
			h.wantStamps(t, int64(abi.Limit), int64(abi.Invalid)) // the plugin goes on counting, and the grant has shrunk

			h.close()
			h = open(t, dir) // what was granted is remembered
			h.wantStamps(t, 1, int64(abi.Invalid))
		})
	}
}
