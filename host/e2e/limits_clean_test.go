package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// TestClean sends canaries to every guest and looks for them in the answers to
// others, several clients at a time so that instances take turns.
func TestClean(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--log-level", "error")
	t.Run("tellers", func(t *testing.T) { testTellers(t, s) })
	t.Run("guests of the tree", func(t *testing.T) { testGuestsOfTheTree(t, s) })
	t.Run("plugins of others", func(t *testing.T) { testPluginsOfOthers(t, s) })
}

// requests is how many each guest gets.
func requests() int { return often(400, 100_000) }

// inTurns runs so many requests of several clients, until one of them is wrong.
func inTurns(t *testing.T, n int, request func(i int) error) {
	t.Helper()
	var next, done atomic.Int64
	var clients sync.WaitGroup
	all := int64(n)
	for range 4 {
		clients.Go(func() {
			for i := next.Add(1); i <= all; i = next.Add(1) {
				if err := request(int(i)); err != nil {
					t.Errorf("request %d: %v", i, err)
					next.Store(all)
				}
				done.Add(1)
			}
		})
	}
	clients.Wait()
	if done.Load() != all && !t.Failed() {
		t.Errorf("%d requests, want %d", done.Load(), all)
	}
}

const canaryWord = "5ec7e7-canary"

// teller is a guest that tells what it finds of an earlier request.
type teller struct {
	name    string
	module  []byte
	lines   []string // of its manifest
	nothing string   // what it answers then
}

func tellers(t *testing.T) []teller {
	run := []string{`abi = "extism"`, "[[route]]", `pattern = "POST /"`, `export = "run"`}
	return []teller{
		{"teller-go", goGuest(t, "testdata/teller"), nil, ""},
		{"teller-native", enginetest.Canary(), nil, "pristine\x07\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"},
		{"teller-fresh", freshTeller(), nil, strings.Repeat("\x00", 16) + "\x01" + strings.Repeat("\x00", 7)},
		{"teller-extism", extismTeller(), run, strings.Repeat("\x00", 24)},
	}
}

// freshTeller answers the canary in its memory, that in its last global of many
// and the size of its table. A passive segment that is gone traps.
func freshTeller() []byte {
	const last, at = 1000, 1024
	b := enginetest.NewBuilder(1).Table(1).Passive("segment!")
	for range last + 1 {
		b.Global(0)
	}
	write := b.Native(abi.FnResponseWrite)
	code := new(enginetest.Code)
	code.I32(at+8).Op(0x23, 0xe8, 7).Store64()                  // global.get last
	code.I32(at+16).Op(0xfc, 16, 0).Extend().Store64()          // table.size
	code.I32(at+32).I32(0).I32(8).Op(0xfc, 8, 0, 0, 0xfc, 9, 0) // memory.init, data.drop
	code.I32(at).I32(24).Call(write).Drop()
	code.I32(at).I64(1).Store64().I64(1).Op(0x24, 0xe8, 7) // global.set
	code.Op(0xd0, 0x70).I32(1).Op(0xfc, 15, 0).Drop()      // table.grow
	return b.Handle(code.I32(0)).Bytes()
}

// extismTeller answers the canary in the memory it shares with the host, in its
// own and in a var, of which the last is the offset of its block.
func extismTeller() []byte {
	const own, far, i64 = 8192, 500000, abi.I64
	b := enginetest.NewBuilder(1).Data(own+8, "name")
	env := func(name string, params int, results ...abi.Type) uint32 {
		return b.Import("extism:host/env", name, []abi.Type{i64, i64}[:params], results)
	}
	alloc, load, store := env("alloc", 1, i64), env("load_u64", 1, i64), env("store_u64", 2)
	output, get, set := env("output_set", 2), env("var_get", 1, i64), env("var_set", 2)
	const large, out, add = 0, 1, 0x7c
	c := new(enginetest.Code).I64(600000).Call(alloc).Set(large).I64(24).Call(alloc).Set(out)
	c.Get(out).Get(large).I64(far).Op(add).Call(load).Call(store)
	c.Get(out).I64(8).Op(add).I32(own).Load64().Call(store)
	c.Get(out).I64(16).Op(add).I64(8).Call(alloc).Call(get).Call(store)
	c.Get(large).I64(far).Op(add).I64(1).Call(store)
	c.I32(own).I64(1).Store64()
	c.I64(8).Call(alloc).I64(8).Call(alloc).Call(set)
	c.Get(out).I64(24).Call(output)
	b.Func("run", nil, []abi.Type{abi.I32}, 4, c.I32(0))
	return b.Bytes()
}

func testTellers(t *testing.T, s *server) {
	for _, c := range tellers(t) {
		t.Run(c.name, func(t *testing.T) {
			s.deploy(c.name, pack(t, c.module, c.name, c.lines...))
			var numbers sync.Map
			inTurns(t, requests(), func(i int) error {
				a, err := s.try(context.Background(), "POST", "/"+c.name, fmt.Sprint(canaryWord, i))
				if err != nil || a.status != 200 || a.body != c.nothing {
					return fmt.Errorf("it found %.300v, %w", a, err)
				}
				for n, number := range strings.Fields(a.header.Get("X-Random")) {
					if _, seen := numbers.LoadOrStore(fmt.Sprint(n, number), true); seen {
						return fmt.Errorf("generator %d repeats %s", n, number)
					}
				}
				return nil
			})
		})
	}
}

// visible is what of an answer must not differ from one request to the next.
func visible(a answer) string {
	h := a.header.Clone()
	h.Del("Date")
	var text bytes.Buffer
	_ = h.Write(&text) // a buffer takes everything
	all := fmt.Sprint(a.status, text.String(), a.body)
	return strings.ReplaceAll(all, a.header.Get("X-Request-Id"), "the id")
}

// visit sends a request that carries a canary everywhere, or nowhere.
func (s *server) visit(method, path, body, word string) (answer, error) {
	url := s.public + path
	if word != "" {
		url, body = url+"?q="+word+"&after="+word, body+word
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if word != "" {
		req.Header.Set("X-Word", word)
		req.Header.Set("Authorization", "Bearer "+word)
		req.Header.Set("User-Agent", word)
	}
	return roundTrip(req)
}

// neutral compares the answers to a request with the first one, while every
// other request carries a canary.
func (s *server) neutral(t *testing.T, n int, method, path, body string) {
	t.Helper()
	first, err := s.visit(method, path, body, "")
	if err != nil {
		t.Fatal(err)
	}
	want := visible(first)
	inTurns(t, n, func(i int) error {
		if i%2 == 0 {
			_, err := s.visit(method, path, body, fmt.Sprint(canaryWord, i))
			return err
		}
		a, err := s.visit(method, path, body, "")
		if got := visible(a); err != nil || got != want || strings.Contains(got, canaryWord) {
			return fmt.Errorf("got %.500q, %w; the first answer was %.500q", got, err, want)
		}
		return nil
	})
}

// testGuestsOfTheTree asks for what changes nothing: what a guest stores may be
// seen by the next request.
func testGuestsOfTheTree(t *testing.T, s *server) {
	for _, c := range []struct{ dir, method, path, body string }{
		{"../../examples/hello", "GET", "/you", ""},
		{"../../examples/guestbook", "GET", "/", ""},
		{"../../examples/fetch", "GET", "/nowhere", ""},
		{"../../examples/rates", "GET", "/ten/USD", ""},
		{"../../examples/extism-count", "POST", "/count", "hello world"},
		{"../../examples/extism-handler", "GET", "/home", ""},
		{"../../plugins/links", "GET", "/nowhere", ""},
		{"testdata/kvguest", "POST", "/", "get nothing\n"},
		{"testdata/fetchguest", "POST", "/", ""},
		{"../internal/engine/native/testdata/jsonguest", "POST", "/", `{"a":[1,2,3]}`},
		{"../internal/engine/native/testdata/bareguest", "POST", "/", ""},
		{"../../sdk/testdata/router", "GET", "/", ""},
	} {
		name := filepath.Base(c.dir)
		t.Run(name, func(t *testing.T) {
			lines := []string{"[kv]"}
			if text, err := os.ReadFile(filepath.Join(c.dir, "wasmoor.toml")); err == nil {
				_, after, _ := strings.Cut(string(text), "name =")
				_, after, _ = strings.Cut(after, "\n")
				lines = []string{after}
			}
			s.deploy(name, pack(t, goGuest(t, c.dir), name, lines...))
			s.neutral(t, requests(), c.method, "/"+name+c.path, c.body)
		})
	}
}

func testPluginsOfOthers(t *testing.T, s *server) {
	dir, err := sdkDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range plugins {
		if c.refused != "" || c.status == http.StatusGatewayTimeout {
			continue // nothing to see: it does not serve, or waits for its deadline
		}
		t.Run(c.file, func(t *testing.T) {
			module, err := os.ReadFile(filepath.Join(dir, c.file+".wasm"))
			if err != nil {
				t.Fatal(err)
			}
			name := strings.ReplaceAll(c.file, "_", "-")
			s.deploy(name, pack(t, module, name, `abi = "extism"`, "[[route]]",
				`pattern = "POST /run"`, `export = "`+c.export+`"`, c.lines))
			n := requests()
			if c.file == "alloc" { // which takes thousands of blocks, and 25 ms
				n /= 20
			}
			s.neutral(t, n, "POST", "/"+name+"/run", c.input)
		})
	}
}
