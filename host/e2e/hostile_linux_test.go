package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/hostile"
)

// answered is how long an upload may wait for its answer: a build takes 10 s of
// processor time, and shares the processors of a test with others.
const answered = 40 * time.Second

// swollen is how much memory the server may have more than before.
const swollen = 64 << 10 // KiB

// TestHostileModules uploads every module of package hostile to a server with
// default settings, and sends a request to those that are taken.
func TestHostileModules(t *testing.T) {
	v := &victim{serve(t, t.TempDir())}
	v.deploy("neighbour", pack(t, enginetest.Version("unharmed"), "neighbour"))
	v.deploy("hostile", enginetest.Tiny()) // what happens once does not count
	v.purge("hostile")
	before := v.resident()
	modules := hostile.All()
	if len(modules) < 150 {
		t.Fatalf("there are %d modules", len(modules))
	}
	for _, m := range modules {
		t.Run(m.Family+"/"+m.Name, func(t *testing.T) {
			defer v.during(t)()
			v.suffer(m)
			if a := v.get("/neighbour"); a.status != 200 || a.body != "unharmed" {
				t.Errorf("the neighbour: got %v", a)
			}
		})
	}
	v.wantMemory(before)
}

// suffer uploads a module.
func (v *victim) suffer(m hostile.Module) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), answered)
	defer cancel()
	a, err := v.tryAdmin(ctx, "POST", "/v1/plugins/hostile/versions?grant=true", m.Make())
	switch {
	case err != nil:
		v.t.Fatalf("no answer: %v\n%s", err, v.log)
	case m.Request == 0:
		v.wantNotTaken(a, m.Says)
		return
	case a.status != m.Upload:
		v.t.Fatalf("got %.500s, want %d", a, m.Upload)
	}
	if a := v.get("/hostile"); a.status != m.Request {
		v.t.Errorf("a request to it: got %.500s, want %d", a, m.Request)
	}
	v.purge("hostile")
}

// wantNotTaken checks what a person reads who uploaded what is not taken.
func (v *victim) wantNotTaken(a answer, says string) {
	v.t.Helper()
	p := problemOf(a)
	if a.status != 422 && a.status != 413 || !strings.Contains(p.Detail, says) {
		v.t.Errorf("got %.500s, want a 422 or 413 that says %q", a, says)
	}
	for _, r := range p.Detail {
		if !unicode.IsPrint(r) {
			v.t.Errorf("the answer does not print: %q", p.Detail)
			break
		}
	}
	v.wantNothingInside(strings.ReplaceAll(a.body, "wazero", ""))
}

// wantMemory waits until the server has about as much memory as before.
func (v *victim) wantMemory(before int) {
	v.t.Helper()
	var now int
	for range 100 {
		if now = v.resident(); now-before < swollen {
			v.t.Logf("resident: %d KiB before, %d KiB now", before, now)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	v.t.Errorf("resident: %d KiB before, %d KiB now", before, now)
}

// resident returns how many KiB of memory the server has.
func (s *server) resident() (kib int) {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatalf("the server is gone: %v\n%s", err, s.log)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		s.t.Fatal(err)
	}
	return kib
}
