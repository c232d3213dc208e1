package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// moved keys are more than one commit of an import has.
const movedKeys = 3000

// dataOf has a plugin hold movedKeys keys of a value, and returns its data.
func (s *server) dataOf(name, value string) []byte {
	s.t.Helper()
	var b strings.Builder
	b.WriteString("{\"wasmoor_kv\":1}\n")
	for i := range movedKeys {
		fmt.Fprintf(&b, "{\"key\":\"%06d\",\"value\":\"%s%s\"}\n", i, value, strings.Repeat(".", 1500))
	}
	fmt.Fprintf(&b, "{\"keys\":%d}\n", movedKeys)
	s.mustCLI(b.String(), "kv", "import", name, "--on-conflict", "replace")
	return s.data(name)
}

// data returns the data of a plugin.
func (s *server) data(name string) []byte {
	s.t.Helper()
	a, err := send(s.t.Context(), "GET", s.admin+"/v1/plugins/"+name+"/data", s.token, nil)
	if err != nil || a.status != http.StatusOK {
		s.t.Fatal(a.status, err)
	}
	return []byte(a.body)
}

// bring puts data in place of a plugin's, and reports whether that was acknowledged.
func (s *server) bring(name string, data []byte) bool {
	a, err := send(context.Background(), "PUT", s.admin+"/v1/plugins/"+name+"/data?replace=true", s.token, bytes.NewReader(data))
	return err == nil && a.status == http.StatusOK
}

// TestKilledWhileDataMoves kills the server while other data is put in place of a
// plugin's. The plugin has the one or the other, whole, and nothing is left of the rest.
func TestKilledWhileDataMoves(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(seeded(t), 0))
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("shop", pack(t, enginetest.Counter(), "shop", "[kv]"))
	all := map[string][]byte{"a": s.dataOf("shop", "a"), "b": s.dataOf("shop", "b")}
	switched := 0
	began := time.Now()
	if !s.bring("shop", all["a"]) {
		t.Fatal("an import fails")
	}
	has, took := "a", time.Since(began)
	for range often(6, 100) {
		next := map[string]string{"a": "b", "b": "a"}[has]
		acked := make(chan bool, 1)
		go func(s *server) { acked <- s.bring("shop", all[next]) }(s)
		<-time.After(time.Duration(rng.Int64N(int64(took) * 5 / 4)))
		s.kill()
		done := <-acked
		s = serve(t, dir)
		lines := strings.Split(strings.TrimSpace(s.mustCLI("", "kv", "export", "shop")), "\n")
		if len(lines) != movedKeys+2 {
			t.Fatalf("%d lines", len(lines))
		}
		now := strings.Split(lines[1], `"value":"`)[1][:1]
		for _, line := range lines[1 : len(lines)-1] {
			if !strings.Contains(line, `"value":"`+now) {
				t.Fatalf("data of two times: %.80s and %.80s", lines[1], line)
			}
		}
		if done && now != next {
			t.Errorf("%s was acknowledged, and it has %s", next, now)
		}
		if now == next {
			switched++
		}
		has = now
		var sizes adminapi.Sizes
		s.api(&sizes, "GET", "/v1/plugins/shop/data/sizes")
		if sizes.Total.Keys != movedKeys {
			t.Errorf("the store counts %+v", sizes.Total)
		}
	}
	t.Logf("%d of the kills came after the switch", switched)
}

// TestNoWriteIsLostWhileDataMoves has clients count while other data is put in place of a
// plugin's, each time with a counter that is far ahead. A client that begins when another
// one has seen the new data sees it too, and what is counted from then on is all there.
func TestNoWriteIsLostWhileDataMoves(t *testing.T) {
	t.Parallel()
	const far = 1_000_000
	s := serve(t, t.TempDir())
	s.deploy("count", pack(t, enginetest.Counter(), "count", "[kv]"))
	var moves [4][]byte
	for i := range moves {
		value := string([]byte{byte((i + 1) * far), byte((i + 1) * far >> 8), byte((i + 1) * far >> 16), byte((i + 1) * far >> 24), 0, 0, 0, 0})
		s.mustCLI(value, "kv", "put", "count", "n")
		moves[i] = s.data("count")
	}
	s.mustCLI(strings.Repeat("\x00", 8), "kv", "put", "count", "n")
	var (
		seen   atomic.Int64 // the newest data that an answer was of
		counts [len(moves) + 1]atomic.Int64
		ends   = make(chan struct{})
		load   sync.WaitGroup
	)
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-ends:
					return
				default:
				}
				least := seen.Load()
				a, err := send(context.Background(), "GET", s.public+"/count/", "", nil)
				if err != nil || a.status == http.StatusServiceUnavailable {
					continue
				}
				n, err := strconv.ParseInt(a.body, 10, 64)
				if err != nil {
					t.Errorf("%v", a)
					return
				}
				of := n / far
				if of < least {
					t.Errorf("counted in the data of %d when that of %d had been seen", of, least)
				}
				counts[of].Add(1)
				for now := seen.Load(); now < of && !seen.CompareAndSwap(now, of); now = seen.Load() {
				}
			}
		})
	}
	for i, data := range moves {
		<-time.After(50 * time.Millisecond)
		if !s.bring("count", data) {
			t.Errorf("import %d fails", i)
		}
	}
	<-time.After(50 * time.Millisecond)
	close(ends)
	load.Wait()
	a, err := send(t.Context(), "GET", s.public+"/count/", "", nil)
	if n, _ := strconv.ParseInt(a.body, 10, 64); err != nil || n != int64(len(moves))*far+counts[len(moves)].Load()+1 {
		t.Errorf("%v, %v: %d were counted in the newest data", a, err, counts[len(moves)].Load())
	}
}
