package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ask sends a script to the plugin "once" under an idempotency key.
func ask(ctx context.Context, s *server, key, script string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", s.public+"/once/", strings.NewReader(script))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Idempotency-Key", key)
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}

func onceGuest(t *testing.T) []byte {
	return pack(t, goGuest(t, "testdata/kvguest"), "once",
		`[[route]]`, `pattern = "/"`, `idempotency = "24h"`, `[kv]`)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("once", onceGuest(t))
	want := func(key, script string, status int, replayed string) answer {
		t.Helper()
		a, err := ask(t.Context(), s, key, script)
		if err != nil || a.status != status || a.header.Get("Idempotent-Replayed") != replayed {
			t.Fatalf("%q under %q: %v, %v; want %d, replayed %q", script, key, a, err, status, replayed)
		}
		return a
	}
	first := want("k", "add n 1\n", 200, "")
	again := want("k", "add n 1\n", 200, "true")
	if first.body != again.body || first.header.Get("X-Seen-Id") != again.header.Get("X-Seen-Id") {
		t.Errorf("the first answer is %v %v, the repeat's %v %v", first, first.header, again, again.header)
	}
	if first.header.Get("X-Request-Id") == again.header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
	want("k", "add n 2\n", 422, "")
	want("other", "add n 1\n", 200, "")
	if got := s.do("POST", "/once/", "int n\n"); got.body != "2\n" {
		t.Errorf("counted %q, want 2", got.body)
	}
	if got := s.keys("once"); len(got) != 1 || got[0] != "n" {
		t.Errorf("the operator sees the keys %q, want only the plugin's", got)
	}
}

// TestNeverTwice kills the server over and over under clients that repeat each
// request, under its key, until it is answered. Each must have been carried out
// exactly once.
func TestNeverTwice(t *testing.T) {
	t.Parallel()
	dir, seed := t.TempDir(), seeded(t)
	var now atomic.Pointer[server]
	s := serve(t, dir)
	s.deploy("once", onceGuest(t))
	now.Store(s)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients sync.WaitGroup
	var keys, repeats, replays atomic.Int64
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				key := keys.Add(1)
				for try := 0; ; try++ { // ends: the last server is not killed
					a, err := ask(context.Background(), now.Load(), fmt.Sprint(key), fmt.Sprintf("add all 1\nadd key/%d 1\n", key))
					if err == nil && a.status == 200 {
						repeats.Add(int64(try))
						if a.header.Get("Idempotent-Replayed") != "" {
							replays.Add(1)
						}
						break
					}
					if err == nil && a.status != 503 {
						t.Errorf("key %d: %v", key, a)
						return
					}
					<-time.After(time.Millisecond) // the next server is not there yet
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	for range often(8, 200) {
		<-time.After(time.Duration(20+rng.IntN(200)) * time.Millisecond)
		now.Load().kill()
		now.Store(serve(t, dir))
	}
	cancel()
	clients.Wait()

	s = now.Load()
	n := keys.Load()
	var script strings.Builder
	script.WriteString("int all\n")
	for key := range n {
		fmt.Fprintf(&script, "int key/%d\n", key+1)
	}
	want := fmt.Sprint(n, "\n", strings.Repeat("1\n", int(n)))
	if got := s.do("POST", "/once/", script.String()); got.body != want {
		t.Errorf("%d keys: some were carried out more or less than once:\n%s", n, got.body)
	}
	t.Logf("%d requests, %d repeats, %d of them of what was carried out already", n, repeats.Load(), replays.Load())
	if replays.Load() == 0 && *soak {
		t.Error("no kill fell between a commit and its answer")
	}
}
