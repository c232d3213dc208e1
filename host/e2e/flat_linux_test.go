package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestFlat deploys many different modules under load, and finds the process as
// it was after the first of them: what a module took is given back with it.
func TestFlat(t *testing.T) {
	t.Parallel()
	warm := often(30, 50)
	f := &flat{server: serve(t, t.TempDir(), "--sleep-after", "2s", "--log-level", "error")}
	f.server.deploy("neighbour", pack(t, enginetest.Tiny(), "neighbour"))
	f.deployAll(t, 0, warm)
	start := f.atRest(t, size{})
	f.note("warm", start)
	total := warm + often(100, 1000)
	for from := warm; from < total; from += 100 {
		to := min(from+100, total)
		f.deployAll(t, from, to)
		f.note(strconv.Itoa(to-warm), sizeOf(t, f.server))
	}
	end := f.atRest(t, start)
	f.note("end", end)
	t.Logf("%d requests\n%s", f.requests.Load(), f.table())
	end.compare(t, start)
}

// flat is a server under the load of TestFlat.
type flat struct {
	server   *server
	requests atomic.Int64
	series   []point
}

type point struct {
	name string
	at   size
}

func (f *flat) note(name string, s size) { f.series = append(f.series, point{name, s}) }

func (f *flat) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "deploys\tKiB own\tshared\tof files\tmappings\tof code\tof images\tdescriptors\tthreads\t")
	for _, p := range f.series {
		s := p.at
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", p.name, s.own, s.shared, s.files, s.mappings, s.code, s.images, s.descriptors, s.threads)
	}
	_ = w.Flush() // to memory
	return text.String()
}

// deployAll makes the deploys from one number to another while two clients send
// requests, of which none may fail.
func (f *flat) deployAll(t *testing.T, from, to int) {
	t.Helper()
	f.deploy(t, from) // what the clients ask for is there
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for _, name := range []string{"neighbour", "flat"} {
		clients.Go(func() { f.ask(ctx, t, "/"+name+"/") })
	}
	for i := from + 1; i < to; i++ {
		f.deploy(t, i)
	}
	stop()
	clients.Wait()
}

func (f *flat) ask(ctx context.Context, t *testing.T, path string) {
	for ctx.Err() == nil {
		if a, err := f.server.try(context.WithoutCancel(ctx), "POST", path, "body"); err != nil || a.status != 200 {
			t.Errorf("POST %s: %v, %v", path, a, err)
		}
		f.requests.Add(1)
		time.Sleep(time.Millisecond)
	}
}

// deploy makes the i-th deploy: of a plugin that clients ask for, or of one that
// is deleted again.
func (f *flat) deploy(t *testing.T, i int) {
	t.Helper()
	name := "flat"
	if i%4 == 3 {
		name = "gone"
	}
	f.server.deploy(name, kind(t, i, name))
	switch {
	case name == "gone":
		f.server.get("/gone/")
		f.server.api(nil, "DELETE", "/v1/plugins/gone?purge="+strconv.FormatBool(i%8 == 3))
	case i%10 == 6:
		p, _ := f.server.status(name)
		if err := f.server.tryActivate(t.Context(), name, p.Version-1); err != nil {
			t.Fatal(err)
		}
	}
}

// kind returns the i-th module, which is like no other, but for those of Go, of
// which there are few.
func kind(t *testing.T, i int, name string) []byte {
	t.Helper()
	answer := fmt.Sprintf("hello %d", i)
	switch i % 10 {
	case 1:
		module := goGuest(t, "../../examples/hello")
		module = bytes.ReplaceAll(module, []byte("Hello, "), fmt.Appendf(nil, "Salut%02d", i/10%often(3, 20)))
		return pack(t, module, name, "[[route]]", `pattern = "POST /"`)
	case 3, 4:
		export := []effect{{name: "run", answer: answer}}
		return pack(t, adding(export), name, `abi = "extism"`, "[kv]", "[[route]]", `pattern = "/"`, `export = "run"`)
	case 5, 8:
		return pack(t, answering(answer, i, 1001), name) // more globals than are put back
	}
	return pack(t, answering(answer, i, 0), name)
}

// answering answers a text, with code of its own for each number.
func answering(answer string, number, globals int) []byte {
	const text = 1024
	g := enginetest.NewBuilder(1)
	write := g.Native("response_write")
	for range globals {
		g.Global(1)
	}
	code := new(enginetest.Code).I32(uint32(number)).Drop()
	code.I32(text).I32(uint32(len(answer))).Call(write).Drop().I32(0)
	return g.Data(text, answer).Handle(code).Bytes()
}

// atRest waits until every plugin sleeps and the process has come down to a
// size, for some time at most, and returns what it has then.
func (f *flat) atRest(t *testing.T, want size) size {
	t.Helper()
	until := time.Now().Add(20 * time.Second)
	for {
		s := sizeOf(t, f.server)
		if time.Now().After(until) || f.asleep() && s.within(want) {
			return s
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (f *flat) asleep() bool {
	var plugins []pluginStatus
	f.server.api(&plugins, "GET", "/v1/plugins")
	for _, p := range plugins {
		if p.State == "serving" {
			return false
		}
	}
	return true
}

// size is what a process has.
type size struct {
	own, shared, files     int // KiB in memory: its own, of files in memory, of files
	mappings, code, images int // code: machine code of modules; images: their memory
	descriptors, threads   int
}

// slack is the KiB of memory that may be more at the end: the store fills a
// table, and Go's runtime keeps records of the most it had.
const slack = 16 << 10

func (s size) within(start size) bool {
	return s.code <= start.code && s.images <= start.images && s.descriptors <= start.descriptors && s.own <= start.own+slack
}

func (s size) compare(t *testing.T, start size) {
	t.Helper()
	if !s.within(start) {
		t.Errorf("at rest it has %+v, and had %+v", s, start)
	}
}

func sizeOf(t testing.TB, s *server) (z size) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	status := readLines(t, dir+"status")
	z.own, z.shared, z.files = number(status, "RssAnon:"), number(status, "RssShmem:"), number(status, "RssFile:")
	z.threads = number(status, "Threads:")
	for _, line := range readLines(t, dir+"maps") {
		z.mappings++
		fields := strings.Fields(line)
		switch {
		case fields[1] == "r-xp" && len(fields) == 5:
			z.code++
		case strings.Contains(line, "wasmoor-image"):
			z.images++
		}
	}
	entries, err := os.ReadDir(dir + "fd")
	if err != nil {
		t.Fatal(err)
	}
	z.descriptors = len(entries)
	return z
}

func readLines(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// number returns the number behind a name.
func number(lines []string, name string) int {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
