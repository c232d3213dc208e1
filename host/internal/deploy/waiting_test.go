package deploy_test

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// waits checks that a change waits for something, and that it says so with some
// words and without others.
func waits(t *testing.T, out deploy.Changed, says string, not ...string) {
	t.Helper()
	told := strings.Join(out.Waiting, "\n")
	if out.Activated || !strings.Contains(told, says) {
		t.Errorf("activated %v, waiting %q; want it to wait and say %q", out.Activated, told, says)
	}
	for _, word := range not {
		if strings.Contains(told, word) {
			t.Errorf("it says %q, which has %q", told, word)
		}
	}
}

func (p *platform) activate(name string, version int, grant bool) deploy.Changed {
	p.t.Helper()
	out, err := p.Activate(p.t.Context(), name, version, "", grant, false, "me")
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *platform) setVar(name, key string) deploy.Changed {
	p.t.Helper()
	out, err := p.SetVars(p.t.Context(), name, map[string]string{key: "value"}, nil, "me")
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

const needsKey = "[config]\nkey = { required = true }"

func TestAFirstUploadThatWaitsForAVarKeepsItsGrant(t *testing.T) {
	p := start(t)
	out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Counter(), "a", "[kv]", needsKey)})
	waits(t, out, "then run: wasmoor activate a 1", "--grant")
	p.restart()
	waits(t, p.setVar("a", "key"), "run: wasmoor activate a 1", "--grant")
	if out := p.activate("a", 1, false); !out.Activated {
		t.Fatalf("the command it told does not activate it: %q", out.Waiting)
	}
	p.count("/a")
}

func TestVersionsSayWhatTheyWaitFor(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "a")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("two"), "a")})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Counter(), "a", "[kv]", needsKey)})
	versions, err := p.Versions(t.Context(), "a")
	if err != nil || len(versions) != 3 {
		t.Fatalf("got %+v, %v", versions, err)
	}
	for i, want := range []string{adminapi.VersionWaiting, adminapi.VersionServing, ""} {
		if got := versions[i]; got.Number != 3-i || got.State != want {
			t.Errorf("version %d is %q, want %q", got.Number, got.State, want)
		}
	}
	told := strings.Join(versions[0].Waiting, "\n")
	for _, word := range []string{"wasmoor approve a 3", "wasmoor var set a key"} {
		if !strings.Contains(told, word) {
			t.Errorf("%q does not say %q", told, word)
		}
	}
}

func TestAGrantIsKeptWhileAVersionWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		grant func(p *platform, module []byte)
	}{
		{"by a deploy", func(p *platform, module []byte) {
			waits(p.t, p.deploy(deploy.Upload{Module: module, Grant: true}), "wasmoor var set a key", "--grant")
		}},
		{"by a deploy that repeats one", func(p *platform, module []byte) {
			waits(p.t, p.deploy(deploy.Upload{Module: module}), "wasmoor approve a 2")
			waits(p.t, p.deploy(deploy.Upload{Module: module, Grant: true}), "wasmoor var set a key", "--grant")
		}},
		{"by a deploy that is not to activate", func(p *platform, module []byte) {
			waits(p.t, p.deploy(deploy.Upload{Module: module, Grant: true, NoActivate: true}), "wasmoor var set a key", "--grant")
		}},
		{"by an activation", func(p *platform, module []byte) {
			waits(p.t, p.deploy(deploy.Upload{Module: module}), "wasmoor approve a 2")
			waits(p.t, p.activate("a", 2, true), "then run: wasmoor activate a 2", "--grant")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t)
			p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "a")})
			c.grant(p, pack(t, enginetest.Counter(), "a", "[kv]", needsKey))
			p.want("/a", "one")
			p.setVar("a", "key")
			if out := p.activate("a", 2, false); !out.Activated {
				t.Fatalf("it still waits: %q", out.Waiting)
			}
			p.count("/a")
		})
	}
}

func TestAVarSetTellsWhatIsStillMissing(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "a"), NoActivate: true})
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "a", "[kv]", needsKey, "other = { required = true }"), NoActivate: true})
	waits(t, p.setVar("a", "key"), "wasmoor var set a other", "var set a key")
	waits(t, p.setVar("a", "other"), "wasmoor approve a 2", "var set")
	if out := p.activate("a", 2, true); !out.Activated {
		t.Errorf("it still waits: %q", out.Waiting)
	}
}

func TestAVersionThatWaitsKeepsItsMount(t *testing.T) {
	for _, c := range []struct {
		name string
		up   deploy.Upload
		told string
	}{
		{"for a grant", deploy.Upload{}, "wasmoor approve a 2"},
		{"for its activation", deploy.Upload{NoActivate: true, Grant: true}, "wasmoor activate a 2 --mount /new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t)
			p.deploy(deploy.Upload{Module: pack(t, enginetest.Version("one"), "a")})
			c.up.Mount, c.up.Module = "/new", pack(t, enginetest.Counter(), "a", "[kv]")
			out := p.deploy(c.up)
			if waits(t, out, c.told); out.Mount != "/new" {
				t.Errorf("deployed as %+v, want a version that waits for /new", out)
			}
			p.want("/a", "one")
			p.want("/new", "[not_found]")
			p.restart()
			if out := p.activate("a", 2, true); !out.Activated || out.Mount != "/a" {
				t.Errorf("activated as %+v, want it where the plugin is: nobody asked to move it", out)
			}
			if out, err := p.Activate(t.Context(), "a", 2, "/new", true, false, "me"); err != nil || !out.Activated || out.Mount != "/new" {
				t.Errorf("activated as %+v, want it at /new", out)
			}
			p.count("/new")
			p.want("/a", "[not_found]")
		})
	}
}

func TestAskingForLessThanTheDefaultDoesNotWait(t *testing.T) {
	p := start(t)
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Counter(), "a", "[kv]")})
	out := p.deploy(deploy.Upload{Module: pack(t, enginetest.Counter(), "a", "[kv]", "keys = 1"), Grant: true})
	if !out.Activated {
		t.Fatalf("it waits: %q", out.Waiting)
	}
	for _, key := range []string{"1", "2"} {
		if err := p.KVPut(t.Context(), "a", []byte(key), nil, 0, "me"); err != nil {
			t.Errorf("the quota shrank: %v", err)
		}
	}
}

func TestAPluginNamedLikeAHealthCheckNeedsAMount(t *testing.T) {
	p := start(t)
	_, err := p.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Tiny(), "livez")})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), "--mount") {
		t.Errorf("got %v, want invalid and a word on --mount", err)
	}
	p.deploy(deploy.Upload{Module: pack(t, enginetest.Tiny(), "livez"), Mount: "/alive"})
	p.want("/alive", "hello")
}

func TestAnInitialisationLongerThanARequestIsRefused(t *testing.T) {
	b := enginetest.NewBuilder(1)
	forever := b.Func("", nil, nil, 0, new(enginetest.Code).Loop(func(c *enginetest.Code) { c.Br(0) }))
	module := b.Start(forever).Handle(new(enginetest.Code).I32(0)).Bytes()
	p := start(t)
	_, err := p.Deploy(t.Context(), deploy.Upload{Module: pack(t, module, "slow", "[limits]", `deadline = "20ms"`)})
	if fault.CodeOf(err) != fault.Deadline {
		t.Fatalf("got %v, want deadline", err)
	}
	for _, word := range []string{"20ms", "limits.deadline"} {
		if told := fault.MessageOf(err); !strings.Contains(told, word) {
			t.Errorf("%q does not say %q", told, word)
		}
	}
}
