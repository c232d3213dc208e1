package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// memoryFlags make each part small, and so the sum.
var memoryFlags = []string{
	"--max-guest-memory", "192MiB", "--max-build-memory", "512MiB", "--max-body-memory", "96MiB",
	"--max-reply-memory", "64MiB", "--max-handler-memory", "96MiB", "--log-level", "info",
}

// TestMemory loads a server in a control group of the memory that its
// configuration adds up to. It is not ended, and gives back what it took. The short
// form has no group and no such loads: every answer is right, or says when to try again.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	if !*soak {
		m := &memoryLoad{server: serve(t, dir, memoryFlags...), refused: map[int]int{}}
		m.server.deploy("kv", pack(t, goGuest(t, "testdata/kvguest"), "kv", "[limits]", `deadline = "60s"`, "[kv]"))
		large := randomText(900_000)
		m.load(t, "values of 900 kB", 16, 32, func(i int) string { return fmt.Sprintf("set w%d %d%s", i, i, large) })
		m.load(t, "many instances", 64, 128, func(int) string { return "pause 50" })
		return
	}
	most := documentedSum(t, dir)
	group, err := newCgroup(t, most)
	if err != nil {
		t.Fatalf("this machine lets us make no control group, so whether a server keeps within its memory is not known: %v", err)
	}
	m := &memoryLoad{server: serveIn(t, group, dir), group: group, refused: map[int]int{}}
	m.server.deploy("kv", pack(t, goGuest(t, "testdata/kvguest"), "kv", "[limits]", `deadline = "60s"`, "[kv]"))
	m.load(t, "a million keys", 4, 98, func(i int) string { return fmt.Sprintf("many k%d- 9999", i) })
	value := randomText(240_000)
	m.load(t, "values of 240 KB", 8, often(400, 4000), func(i int) string { return fmt.Sprintf("set v%d %d%s", i%1000, i, value) })
	large := randomText(900_000)
	m.load(t, "values of 900 kB", 64, often(200, 1000), func(i int) string { return fmt.Sprintf("set w%d %d%s", i%64, i, large) })
	m.load(t, "many instances", 256, 1000, func(int) string { return "pause 100" })
	m.uploads(t)
	m.givesBack(t)
	if n := group.killed(t); n > 0 {
		t.Errorf("the kernel ended %d processes of the group, of %s", n, limit.FormatSize(most))
	}
}

// documentedSum returns what a server says that it takes at most.
func documentedSum(t *testing.T, dir string) int64 {
	t.Helper()
	s := serve(t, dir, memoryFlags...)
	s.stop()
	found := regexp.MustCompile(`"at_most":"([^"]*)"`).FindStringSubmatch(s.log.String())
	if found == nil {
		t.Fatalf("the server does not say what it takes:\n%s", s.log)
	}
	n, err := limit.ParseSize(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// serveIn starts a server in a control group.
func serveIn(t *testing.T, group *cgroup, dir string) *server {
	t.Helper()
	args := group.enter(binary, append([]string{"serve", "--data", dir, "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, memoryFlags...))
	s, ready, err := launchAs(t, dir, exec.Command(args[0], args[1:]...))
	if err == nil {
		err = s.await(ready)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// memoryLoad is a server under the loads of TestMemory.
type memoryLoad struct {
	server *server
	group  *cgroup // nil in the short form
	most   int     // KiB of its own that it had in any load

	mu      sync.Mutex
	refused map[int]int // by status
}

// load has clients send scripts, and notes what that took.
func (m *memoryLoad) load(t *testing.T, name string, clients, count int, script func(i int) string) {
	t.Helper()
	var next atomic.Int64
	m.measure(t, name, count, clients, func() {
		for i := int(next.Add(1)); i <= count; i = int(next.Add(1)) {
			a, err := m.server.try(context.Background(), "POST", "/kv/", script(i))
			m.note(t, a, err)
		}
	})
}

// uploads sends ten modules of 60 MB at a time.
func (m *memoryLoad) uploads(t *testing.T) {
	t.Helper()
	module, err := wasmbin.WithCustomSection(pack(t, enginetest.Tiny(), "upload"), "padding", []byte(randomText(60_000_000)))
	if err != nil {
		t.Fatal(err)
	}
	m.measure(t, "uploads of 60 MB", 10, 10, func() {
		a, err := m.server.tryAdmin(context.Background(), "POST", "/v1/plugins/upload/versions?grant=true", module)
		m.note(t, a, err)
	})
}

// note counts an answer: it is the one that is wanted, or a refusal that says
// when to try again.
func (m *memoryLoad) note(t *testing.T, a answer, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused[a.status]++
	wrong := err != nil || a.status >= 300 && (a.status != 503 || a.header.Get("Retry-After") == "")
	if wrong && !t.Failed() { // those that follow are counted by status
		t.Errorf("%v %v", a, err)
	}
}

func (m *memoryLoad) measure(t *testing.T, name string, count, clients int, run func()) {
	t.Helper()
	began := time.Now()
	var own, rss atomic.Int64
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			status := readLines(t, fmt.Sprintf("/proc/%d/status", m.server.cmd.Process.Pid))
			own.Store(max(own.Load(), int64(number(status, "RssAnon:")+number(status, "RssShmem:"))))
			rss.Store(max(rss.Load(), int64(number(status, "VmRSS:"))))
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	var all sync.WaitGroup
	for range clients {
		all.Go(run)
	}
	all.Wait()
	close(done)
	watch.Wait()
	m.most = max(m.most, int(own.Load()))
	m.mu.Lock()
	defer m.mu.Unlock()
	t.Logf("%s: %d in %v, answers by status %v; at most %d MiB of its own, %d with files", name, count,
		time.Since(began).Round(time.Second), m.refused, own.Load()>>10, rss.Load()>>10)
	if m.group != nil {
		t.Logf("the group's peak is %d MiB, it has ended %d", m.group.bytes(t, m.group.peak)>>20, m.group.killed(t))
	}
	clear(m.refused)
}

// givesBack waits ten seconds, and finds that what the loads took is gone: it has
// less than half, and the recent writes, which it keeps.
func (m *memoryLoad) givesBack(t *testing.T) {
	t.Helper()
	const recent = 256 << 10
	time.Sleep(10 * time.Second)
	z := sizeOf(t, m.server)
	t.Logf("ten seconds later: %d MiB of its own, %d with files", (z.own+z.shared)>>10, z.rss>>10)
	if z.own+z.shared > m.most/2+recent {
		t.Errorf("ten seconds later it has %d KiB of its own, and had %d", z.own+z.shared, m.most)
	}
}

func randomText(n int) string {
	data := make([]byte, n*3/4)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(data)
}
