package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/hostile"
)

const (
	// answered is how long an upload may wait for its answer, on an idle machine.
	answered = 10 * time.Second
	// swollen is how many KiB of memory the server may have more than before.
	swollen = 64 << 10
)

// TestHostileModules uploads modules of every family of package hostile, in a soak
// all of them, to a server with default settings, and sends a request to those that
// are taken, while a neighbour serves. Each is answered in time, and what it took is
// given back.
func TestHostileModules(t *testing.T) {
	if !*soak { // where times are those of an idle machine
		t.Parallel()
	}
	h := &hostility{victim: &victim{serve(t, t.TempDir(), "--log-level", "error")}}
	h.deploy("neighbour", pack(t, enginetest.Version("unharmed"), "neighbour"))
	large := enginetest.NewBuilder(256).Handle(new(enginetest.Code).I32(0)).Bytes
	h.suffer("warm-up", hostile.Module{Upload: 201, Request: 200, Make: large}) // what happens once does not count
	client.CloseIdleConnections()
	h.before, h.open = h.atRest(size{}), len(h.descriptors())
	stop := h.askNeighbour()
	for _, family := range hostile.Families() {
		t.Run(family.Name, func(t *testing.T) {
			defer h.during(t)()
			h.forgetPeak()
			for _, m := range some(family.Modules) {
				t.Run(m.Name, func(t *testing.T) { defer h.during(t)(); h.suffer(family.Name, m) })
			}
			h.wantMemory(family.Name)
		})
	}
	stop()
	client.CloseIdleConnections()
	h.wantNothingLeft()
	if n := len(h.times); n < often(90, 600) {
		t.Errorf("there were %d modules", n)
	}
	t.Logf("%d modules, %d requests to the neighbour; the slowest answers:\n%s\nKiB of memory, and %d before:\n%s",
		len(h.times), h.requests.Load(), h.slowest(), h.before.memory(), &h.table)
}

// some returns the modules of a family that are uploaded: all in a soak, otherwise
// the first, the last and some between them.
func some(modules []hostile.Module) []hostile.Module {
	n := min(often(8, len(modules)), len(modules))
	picked := make([]hostile.Module, n)
	for i := range picked {
		picked[i] = modules[i*(len(modules)-1)/max(n-1, 1)]
	}
	return picked
}

// hostility is a server that gets hostile modules.
type hostility struct {
	*victim
	before   size
	open     int          // descriptors, before
	requests atomic.Int64 // to the neighbour
	times    []timed
	table    strings.Builder // memory by family
}

// timed is an upload and the time until its answer.
type timed struct {
	name   string
	status int
	took   time.Duration
}

// suffer uploads a module.
func (h *hostility) suffer(family string, m hostile.Module) {
	h.t.Helper()
	module := m.Make()
	ctx, cancel := context.WithTimeout(context.Background(), 6*answered)
	defer cancel()
	start := time.Now()
	a, err := h.tryAdmin(ctx, "POST", "/v1/plugins/hostile/versions?grant=true", module)
	if err != nil {
		h.t.Fatalf("no answer: %v\n%s", err, h.log)
	}
	took := time.Since(start)
	h.times = append(h.times, timed{family + ": " + m.Name, a.status, took})
	if took > time.Duration(often(4, 1))*answered {
		h.t.Errorf("it is answered after %v, with %.300s", took, a)
	}
	if m.Upload == 201 || m.Upload == 0 && a.status == 201 {
		h.wantTaken(a, m.Request)
		return
	}
	h.wantNotTaken(a, m.Says)
}

// wantTaken checks that a module was taken, and what a request to it gets.
func (h *hostility) wantTaken(a answer, status int) {
	h.t.Helper()
	if a.status != 201 {
		h.t.Errorf("got %.500s, want it to be taken", a)
		return
	}
	if a := h.get("/hostile"); a.status != status {
		h.t.Errorf("a request to it: got %.500s, want %d", a, status)
	}
	h.purge("hostile")
}

// wantNotTaken checks what a person reads who uploaded what is not taken. What
// takes all of a build's memory is a 413; nothing may take all of its time, which
// is as long as an upload may wait, however busy the machine is.
func (h *hostility) wantNotTaken(a answer, says string) {
	h.t.Helper()
	p := problemOf(a)
	if a.status != 422 && a.status != 413 || !strings.Contains(p.Detail, says) {
		h.t.Errorf("got %.500s, want a 422 or 413 that says %q", a, says)
	}
	if strings.ContainsFunc(p.Detail, func(r rune) bool { return !unicode.IsPrint(r) }) {
		h.t.Errorf("the answer does not print: %q", p.Detail)
	}
	if strings.Contains(p.Detail, "of processor time") {
		h.t.Errorf("it takes all of a build's time: %s", p.Detail)
	}
	h.wantNothingInside(strings.ReplaceAll(a.body, "wazero", ""))
}

// askNeighbour sends requests to the neighbour until the function that it returns
// is called, of which none may fail.
func (h *hostility) askNeighbour() (stop func()) {
	t := h.t
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			if a, err := h.try(context.WithoutCancel(ctx), "GET", "/neighbour", ""); err != nil || a.status != 200 || a.body != "unharmed" {
				t.Errorf("the neighbour: got %v, %v", a, err)
			}
			h.requests.Add(1)
			time.Sleep(20 * time.Millisecond)
		}
	})
	return func() { cancel(); asking.Wait() }
}

// memory returns the KiB that a process has for itself and its instances.
func (s size) memory() int { return s.own + s.shared }

// atRest waits until the server has no more memory than a size, but no longer
// than it takes to give back what it can.
func (h *hostility) atRest(want size) size {
	h.t.Helper()
	var s size
	for range 120 {
		if s = sizeOf(h.t, h.server); s.memory() <= want.memory() {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return s
}

// wantMemory checks that the server has about as much memory as before.
func (h *hostility) wantMemory(family string) {
	h.t.Helper()
	peak, end := h.peak(), sizeOf(h.t, h.server)
	rest := h.atRest(size{own: h.before.memory() + swollen})
	fmt.Fprintf(&h.table, "%-24s%10d at the most%10d at the end%10d at rest\n", family, peak, end.memory(), rest.memory())
	if rest.memory() > h.before.memory()+swollen {
		h.t.Errorf("it has %d KiB of memory, and had %d", rest.memory(), h.before.memory())
	}
}

// forgetPeak has the kernel count the server's peak from now on.
func (h *hostility) forgetPeak() {
	h.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.cmd.Process.Pid), []byte("5"), 0); err != nil {
		h.t.Fatal(err)
	}
}

// peak returns the KiB of memory that the server had at the most.
func (h *hostility) peak() int {
	h.t.Helper()
	return number(readLines(h.t, fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid)), "VmHWM:")
}

// wantNothingLeft checks what the server has in addition to memory. The code of one
// module may be left, as in size.within.
func (h *hostility) wantNothingLeft() {
	h.t.Helper()
	var s size
	var open, children []string
	for range 100 {
		s, open, children = sizeOf(h.t, h.server), h.descriptors(), h.children()
		if len(open) <= h.open && s.code <= h.before.code+moduleCode && s.images <= h.before.images && len(children) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	h.t.Errorf("it has %+v, the children %q and %q open, and had %+v and %d open", s, children, open, h.before, h.open)
}

// descriptors returns what the server has open, but for the store's files, of
// which there are more with time.
func (h *hostility) descriptors() []string {
	h.t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", h.cmd.Process.Pid))
	if err != nil || len(links) == 0 {
		h.t.Fatalf("no descriptors: %v", err)
	}
	var open []string
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && !strings.HasPrefix(to, filepath.Join(h.dir, "store")+"/") {
			open = append(open, to)
		}
	}
	return open
}

// children returns the processes that the server has started and not ended.
func (h *hostility) children() []string {
	h.t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", h.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		h.t.Fatalf("no threads: %v", err)
	}
	var all []string
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil { // the thread may have ended
			all = append(all, strings.Fields(string(text))...)
		}
	}
	return all
}

// slowest lists the ten uploads that waited longest.
func (h *hostility) slowest() string {
	slices.SortFunc(h.times, func(a, b timed) int { return int(b.took - a.took) })
	var text strings.Builder
	for _, one := range h.times[:10] {
		fmt.Fprintf(&text, "%8.2f s  %d  %s\n", one.took.Seconds(), one.status, one.name)
	}
	return text.String()
}
