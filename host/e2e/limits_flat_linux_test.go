package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestFlat deploys many different modules under load, and finds the process as
// it was before: what a module took is given back with it.
func TestFlat(t *testing.T) {
	t.Parallel()
	f := &flat{began: time.Now(), server: serve(t, t.TempDir(), "--sleep-after", "500ms", "--log-level", "error")}
	f.server.deploy("neighbour", pack(t, enginetest.Tiny(), "neighbour"))
	warm := often(30, 400) // until what is made once is there, of which much is in a soak
	f.deployAll(t, 0, warm)
	start := f.atRest(t, size{})
	f.note("start", start)
	total := warm + often(40, 1000)
	for from := warm; from < total; from += 100 {
		to := min(from+100, total)
		f.deployAll(t, from, to)
		f.note(strconv.Itoa(to-warm), sizeOf(t, f.server))
	}
	end := f.atRest(t, start)
	f.note("end", end)
	t.Logf("%d requests\n%s", f.requests.Load(), tableOf(f.series))
	if !end.within(start) {
		t.Errorf("at rest it has %+v, and had %+v", end, start)
	}
}

// flat is a server under the load of TestFlat.
type flat struct {
	server   *server
	requests atomic.Int64
	began    time.Time
	series   []point
}

func (f *flat) note(name string, s size) {
	f.series = append(f.series, point{time.Since(f.began), name, s})
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

// atRest waits until every plugin sleeps, and the process is within a size or,
// if there is none, stays the same for longer than memory waits to be given back.
func (f *flat) atRest(t *testing.T, want size) (now size) {
	t.Helper()
	const same = 5500 * time.Millisecond
	last, since := size{}, time.Now()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		now = sizeOf(t, f.server)
		if now.moved(last) || !f.asleep() {
			last, since = now, time.Now()
		}
		if want == (size{}) && time.Since(since) > same || now.within(want) {
			break
		}
	}
	return now
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
