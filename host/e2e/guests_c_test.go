//go:build cguest

package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// These tests compile C with clang and wasm-ld (Debian: clang-19 lld-19; another
// clang by CC) against sdk/c, which was written from abi/SPEC.md alone. So they
// hold the host to what the specification says, not to what Go's SDK expects.

const notesC = "../../examples/notes-c/notes.c"

// clangC is the compiler of the guests.
var clangC = sync.OnceValues(func() (string, error) {
	if cc := os.Getenv("CC"); strings.Contains(cc, "clang") {
		return cc, nil
	}
	for _, name := range []string{"clang-19", "clang"} {
		if _, err := exec.LookPath(name); err == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("no clang: install clang-19 and lld-19, or set CC")
})

// projectC is examples/notes-c with source in the place of notes.c, in a folder of
// the test's own with sdk/c where the build command looks for it.
func projectC(t *testing.T, source string) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "examples", "notes-c")
	for _, file := range [][2]string{
		{"../../sdk/c/wasmoor.h", filepath.Join(root, "sdk", "c", "wasmoor.h")},
		{"../../sdk/c/wasmoor_abi.h", filepath.Join(root, "sdk", "c", "wasmoor_abi.h")},
		{"../../sdk/c/testdata/calls.h", filepath.Join(dir, "calls.h")},
		{"../../examples/notes-c/wasmoor.toml", filepath.Join(dir, manifest.FileName)},
		{source, filepath.Join(dir, "notes.c")},
	} {
		data, err := os.ReadFile(file[0])
		if err == nil {
			err = os.MkdirAll(filepath.Dir(file[1]), 0o755)
		}
		if err == nil {
			err = os.WriteFile(file[1], data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// buildC compiles source by the build command of examples/notes-c.
func buildC(t *testing.T, source string) []byte {
	t.Helper()
	dir := projectC(t, source)
	text, err := os.ReadFile(filepath.Join(dir, manifest.FileName))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse(text, manifest.FileName, capabilities.Sections())
	if err != nil {
		t.Fatal(err)
	}
	cc, err := clangC()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", m.Build.Command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CC="+cc)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", source, err, out)
	}
	module, err := os.ReadFile(filepath.Join(dir, m.Build.Output))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// guestC is a module behind dispatch, on the real engine and the real store.
type guestC struct {
	t       *testing.T
	service *dispatch.Deployment
	mu      sync.Mutex
	now     time.Time
	log     bytes.Buffer
}

func runC(t *testing.T, module []byte, config map[string]string) *guestC {
	t.Helper()
	g := &guestC{t: t, now: time.UnixMilli(1_700_000_000_000)}
	limits := limit.Default()
	limits.Deadline = time.Minute
	g.service = newDeployment(t, g.clock, prepareNative(t, module, limits.Memory), &invoke.Env{
		Plugin: "c", Version: 1, Limits: limits, KV: true, Space: 7, Config: config,
		Log: slog.New(slog.NewTextHandler(&g.log, nil)),
	})
	return g
}

func (g *guestC) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *guestC) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// answerC is what came of an invocation.
type answerC struct {
	dispatch.Result
	status  int
	body    string
	header  map[string]string
	pattern string
	err     error
}

func (g *guestC) do(method, target, body string) answerC {
	path, query, _ := strings.Cut(target, "?")
	inv := &invoke.Invocation{Request: &invoke.Request{
		Head: abi.RequestHead{
			Method: method, Path: path, Query: query, Mount: "/n", Scheme: "http", Host: "localhost", Remote: "127.0.0.1",
			RequestID: "r1", BodySize: uint64(len(body)), Headers: []abi.Pair{{Name: "accept", Value: "*/*"}},
		},
		Body: invoke.BodyOf([]byte(body)), DropEffects: method == "HEAD",
	}}
	result, err := g.service.Do(context.Background(), inv, g.service.Env().Limits)
	a := answerC{
		Result: result, status: inv.Reply.Status, body: string(inv.Reply.Body),
		header: map[string]string{}, pattern: inv.Pattern, err: err,
	}
	for _, h := range inv.Reply.Headers {
		a.header[h.Name] = h.Value
	}
	return a
}

// want sends a request that gets that status.
func (g *guestC) want(status int, method, target, body string) answerC {
	g.t.Helper()
	a := g.do(method, target, body)
	if a.err != nil || a.status != status {
		g.t.Errorf("%s %s: got %d %.200q, %v, want %d\n%s", method, target, a.status, a.body, a.err, status, &g.log)
	}
	return a
}

func (g *guestC) decode(a answerC, into any) {
	g.t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		g.t.Fatalf("%q: %v", a.body, err)
	}
}

func (g *guestC) create(target, body string) string {
	g.t.Helper()
	var made struct{ ID string }
	a := g.want(201, "POST", target, body)
	g.decode(a, &made)
	if want := "/n/" + made.ID; a.header["location"] != want || len(made.ID) != 24 {
		g.t.Errorf("id %q, location %q", made.ID, a.header["location"])
	}
	return made.ID
}

type pageC struct {
	Notes []string
	Next  *string
}

// list reads all pages and returns the notes of each.
func (g *guestC) list(query string) (pages [][]string) {
	g.t.Helper()
	after := ""
	for range 20 {
		var page pageC
		g.decode(g.want(200, "GET", "/?"+query+after, ""), &page)
		pages = append(pages, page.Notes)
		if page.Next == nil {
			return pages
		}
		after = "&after=" + *page.Next
	}
	g.t.Fatal("the list has no end")
	return nil
}

func TestCNotes(t *testing.T) {
	t.Parallel()
	module := buildC(t, notesC)
	for name, test := range map[string]func(*testing.T, *guestC){
		"life of a note": noteLives, "pages": notePages, "time to live": noteExpires, "refusals": noteRefusals,
		"creations do not conflict": noteRace,
	} {
		t.Run(name, func(t *testing.T) { test(t, runC(t, module, nil)) })
	}
	t.Run("config", func(t *testing.T) {
		g := runC(t, module, map[string]string{"max_bytes": "5"})
		g.want(413, "POST", "/", "123456")
		g.create("/", "12345")
	})
}

func noteLives(t *testing.T, g *guestC) {
	id := g.create("/", "any \x00\xff bytes")
	a := g.want(200, "GET", "/"+id, "")
	if a.body != "any \x00\xff bytes" || a.header["content-type"] != "text/plain; charset=utf-8" || a.pattern != "GET /{id}" {
		t.Errorf("got %+v", a)
	}
	if a.Outcome != trace.None {
		t.Errorf("a read has outcome %q", a.Outcome)
	}
	if !strings.Contains(g.log.String(), `msg="note created" request_id=r1 guest.id=`+id) {
		t.Errorf("log: %s", &g.log)
	}
	large := strings.Repeat("\x01large note ", 64<<10/12) + "full"
	g.want(204, "PUT", "/"+id, large)
	if a := g.want(200, "GET", "/"+id, ""); a.body != large {
		t.Errorf("got %d bytes, want %d", len(a.body), len(large))
	}
	if a := g.want(204, "DELETE", "/"+id, ""); a.Outcome != trace.Committed || a.pattern != "DELETE /{id}" {
		t.Errorf("got %+v", a)
	}
	g.want(404, "GET", "/"+id, "")
	g.want(404, "PUT", "/"+id, "x")
	g.want(404, "DELETE", "/"+id, "")
	if a := g.want(200, "GET", "/stats", ""); a.body != "{\"created\":1,\"deleted\":1}\n" {
		t.Errorf("stats: %q", a.body)
	}
	if a := g.want(200, "HEAD", "/stats", ""); a.pattern != "GET /stats" {
		t.Errorf("HEAD: %+v", a)
	}
}

func notePages(t *testing.T, g *guestC) {
	if pages := g.list("size=2"); len(pages) != 1 || len(pages[0]) != 0 {
		t.Errorf("without notes: %v", pages)
	}
	var ids []string
	for i := range 5 {
		ids = append(ids, g.create("/", fmt.Sprint("note ", i)))
	}
	slices.Sort(ids) // within one millisecond their order is random
	if diff := cmp.Diff([][]string{ids[:2], ids[2:4], ids[4:]}, g.list("size=2")); diff != "" {
		t.Errorf("oldest first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{ids}, g.list("size=5")); diff != "" {
		t.Errorf("one page (-want +got):\n%s", diff)
	}
	slices.Reverse(ids)
	if diff := cmp.Diff([][]string{ids[:3], ids[3:]}, g.list("size=3&order=newest")); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	g.want(204, "DELETE", "/"+ids[3], "")
	var page pageC // a cursor need not exist
	if g.decode(g.want(200, "GET", "/?order=newest&after="+ids[3], ""), &page); !slices.Equal(page.Notes, ids[4:]) {
		t.Errorf("behind a deleted note: %v", page.Notes)
	}
}

func noteExpires(t *testing.T, g *guestC) {
	id, other := g.create("/?ttl=60", "short"), g.create("/", "stays")
	g.pass(59*time.Second + 999*time.Millisecond)
	g.want(200, "GET", "/"+id, "")
	g.pass(time.Millisecond)
	g.want(404, "GET", "/"+id, "")
	g.want(404, "PUT", "/"+id, "again")
	if got := g.list(""); len(got) != 1 || !slices.Equal(got[0], []string{other}) {
		t.Errorf("list: got %v, want %q", got, other)
	}
	id = g.create("/?ttl=60", "short")
	g.want(204, "PUT", "/"+id, "for ever")
	g.pass(time.Hour)
	g.want(200, "GET", "/"+id, "")
}

func noteRefusals(_ *testing.T, g *guestC) {
	id := g.create("/", "x")
	for _, c := range []struct {
		status             int
		method, path, body string
	}{
		{404, "GET", "/missing", ""},
		{404, "GET", "/stats/more", ""},
		{404, "GET", "/" + strings.ToUpper(id[:23]) + "Z", ""},
		{404, "POST", "/missing", "x"},
		{400, "POST", "/", ""},
		{400, "POST", "/?ttl=-1", "x"},
		{400, "POST", "/?ttl=", "x"},
		{400, "POST", "/?ttl=99999999999999999999999", "x"},
		{400, "POST", "/?ttl=1e3", "x"},
		{400, "PUT", "/" + id + "?ttl=%31", "x"},
		{400, "GET", "/?size=0", ""},
		{400, "GET", "/?size=101", ""},
		{400, "GET", "/?after=zz", ""},
		{400, "GET", "/?order=random", ""},
		{413, "POST", "/", strings.Repeat("x", 64<<10+1)},
		{413, "PUT", "/" + id, strings.Repeat("x", 1<<20)},
		{405, "DELETE", "/", ""},
		{405, "PATCH", "/" + id, "x"},
		{405, "POST", "/stats", ""},
	} {
		a := g.want(c.status, c.method, c.path, c.body)
		if allow := a.header["allow"]; (allow != "") != (c.status == 405) || strings.Contains(allow, c.method) {
			g.t.Errorf("%s %s: allow %q", c.method, c.path, allow)
		}
		if a.Outcome != trace.None {
			g.t.Errorf("%s %s: outcome %q", c.method, c.path, a.Outcome)
		}
	}
}

// noteRace creates at once what reads nothing: nothing is run again.
func noteRace(t *testing.T, g *guestC) {
	const clients, each = 8, 8
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				if a := g.do("POST", "/", "x"); a.err != nil || a.status != 201 || a.Attempts != 1 {
					t.Errorf("got %+v", a)
				}
			}
		})
	}
	wg.Wait()
	if a := g.want(200, "GET", "/stats", ""); a.body != "{\"created\":64,\"deleted\":0}\n" {
		t.Errorf("stats: %q", a.body)
	}
}

// TestCServed builds and deploys the example as its author would.
func TestCServed(t *testing.T) {
	cc, err := clangC()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CC", cc)
	s := serve(t, t.TempDir())
	if _, stderr, code := s.cli("deploy", projectC(t, notesC)); code != 0 {
		t.Fatalf("deploy: exit %d\n%s", code, stderr)
	}
	a := s.do("POST", "/notes-c", "over HTTP")
	location := a.header.Get("Location")
	if a.status != 201 || !strings.HasPrefix(location, "/notes-c/") {
		t.Fatalf("create: %v, location %q", a, location)
	}
	if a := s.get(location); a.status != 200 || a.body != "over HTTP" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("read: %v", a)
	}
	if a := s.do("HEAD", location, ""); a.status != 200 || a.body != "" || a.header.Get("Content-Length") != "9" {
		t.Errorf("HEAD: %v, %v", a, a.header)
	}
	if a := s.do("POST", "/notes-c/", strings.Repeat("x", 64<<10+1)); a.status != 413 {
		t.Errorf("too large: %v", a)
	}
	if a := s.do("PATCH", location, ""); a.status != 405 || a.header.Get("Allow") != "DELETE, GET, HEAD, PUT" {
		t.Errorf("PATCH: %v, %v", a, a.header)
	}
	if a := s.do("DELETE", location, ""); a.status != 204 {
		t.Errorf("delete: %v", a)
	}
	if a := s.get(location); a.status != 404 || a.body != "no such note\n" {
		t.Errorf("after it: %v", a)
	}
	s.neutral(t, requests(), "GET", location, "")
}

// TestCVectors has the C library decode and encode every vector of the ABI.
func TestCVectors(t *testing.T) {
	t.Parallel()
	g := runC(t, buildC(t, "../../sdk/c/testdata/vectors.c"), nil)
	read := func(name string, into any) {
		text, err := os.ReadFile("../../abi/testdata/" + name + ".json")
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, layout := range []string{"request_head", "response_head", "page", "attributes", "counter", "sql_args", "sql_columns", "sql_page"} {
		var vectors []struct {
			Name  string
			Hex   string
			Value json.RawMessage
		}
		read(layout, &vectors)
		if len(vectors) == 0 {
			t.Fatalf("no vectors of %s", layout)
		}
		for _, v := range vectors {
			path, in := "/"+layout, unhexC(t, v.Hex)
			if layout == "page" && strings.Contains(string(v.Value), `"keys_only": true`) {
				path = "/page_keys"
			}
			for _, tail := range []string{"", "\x00", "later fields"} {
				if a := g.want(200, "POST", path, in+tail); a.body != in {
					t.Errorf("%s %q: got %x, want %x", layout, v.Name, a.body, in)
				}
			}
			for cut := range len(in) {
				if (layout == "attributes" || layout == "sql_columns") && cut == 0 || layout == "request_head" && slices.Contains(oldSizesC(t, in), cut) {
					continue
				}
				g.want(422, "POST", path, in[:cut])
			}
		}
	}
	var old []struct{ Name, Hex string }
	read("request_head_old", &old)
	for _, v := range old { // what the host did not send is empty
		in := unhexC(t, v.Hex)
		later := strings.TrimPrefix(g.want(200, "POST", "/request_head_old", in).body, in)
		if want := strings.Repeat("\x00", 16); later != want && later != want[:8] {
			t.Errorf("request_head_old %q: got %x after %x, want 8 or 16 zeros", v.Name, later, in)
		}
	}
	var malformed []struct{ Layout, Name, Hex string }
	if read("malformed", &malformed); len(malformed) == 0 {
		t.Fatal("nothing malformed")
	}
	for _, v := range malformed {
		if a := g.do("POST", "/"+v.Layout, unhexC(t, v.Hex)); a.err != nil || a.status != 422 {
			t.Errorf("%s %q: got %d %x, %v", v.Layout, v.Name, a.status, a.body, a.err)
		}
	}
}

// oldSizesC returns where the fields of a request head start that came later.
func oldSizesC(t *testing.T, in string) []int {
	t.Helper()
	var h abi.RequestHead
	if !abi.DecodeRequestHead(in, &h) {
		t.Fatalf("%x is no request head", in)
	}
	const deadline = 8
	later := abi.AppendPairs(abi.AppendString(nil, h.Trigger), h.Attributes)
	return []int{len(in) - deadline - len(later), len(in) - deadline}
}

func unhexC(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
