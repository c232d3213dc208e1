package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// jobsQueue is the table of the queue.
const jobsQueue = "[queue.jobs]\nrequest = \"POST /queues/jobs\"\n"

func queueGuest(t *testing.T) []byte {
	return pack(t, goGuest(t, "testdata/queueguest"), "jobs", "[kv]", jobsQueue, "attempts = 3", `backoff = "1ms..10ms"`)
}

// TestQueue sends messages of every kind while two versions with other settings of the
// queue take turns and the server is killed over and over. Each that was acknowledged
// is handled once, and one that was not at most once; those of a key in order; those
// that fail are dead letters and stop nobody; and what a failed attempt has written is
// gone.
func TestQueue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(seeded(t), 0))
	s := serve(t, dir)
	s.deploy("jobs", queueGuest(t))
	s.deploy("jobs", pack(t, goGuest(t, "testdata/queueguest"), "jobs", "[kv]", "[queue.other]", `request = "POST /queues/other"`,
		jobsQueue, "concurrency = 1", "attempts = 4", `backoff = "1ms"`))
	if a := s.do("POST", "/jobs/queues/jobs", "m 0"); a.status != http.StatusNotFound {
		t.Errorf("a client reaches the handler of a queue: %v", a)
	}
	const keys = 3
	acked, sent := map[string]bool{}, map[string]bool{}
	var order [keys][]string // that were acknowledged
	var mu sync.Mutex
	var numbers int
	rounds := often(5, 500)
	for round := range rounds {
		var producers sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for producer := range keys {
			producers.Go(func() {
				for n := 0; ctx.Err() == nil && n < often(20, 1000); n++ {
					mu.Lock()
					numbers++
					kind := []string{"m", "m", "m", "flaky", "poison", "refused"}[rng.IntN(6)]
					keyed, free := fmt.Sprintf("%s %d", kind, numbers), fmt.Sprintf("m %d-free", numbers)
					sent[keyed], sent[free] = true, true
					mu.Unlock()
					a, err := s.try(ctx, "POST", "/jobs/send", fmt.Sprintf("k%d %s\n- %s\n", producer, keyed, free))
					if err != nil {
						return // the server is gone: sent or not
					}
					if a.status != http.StatusOK {
						t.Errorf("a send is answered %v", a)
						return
					}
					mu.Lock()
					acked[keyed], acked[free] = true, true
					if kind != "poison" && kind != "refused" {
						order[producer] = append(order[producer], keyed)
					}
					mu.Unlock()
				}
			})
		}
		for swap := range often(1, 3) {
			time.Sleep(time.Duration(5+rng.IntN(25)) * time.Millisecond)
			if err := s.tryActivate(t.Context(), "jobs", 1+(round+swap)%2); err != nil {
				t.Errorf("%v\n%s", err, s.log)
			}
		}
		if round < rounds-1 {
			s.kill()
		}
		cancel()
		producers.Wait()
		if round < rounds-1 {
			s = serve(t, dir, "--sleep-after", "200ms") // longer than between two messages
		}
	}
	counted := s.drained(t)
	for body := range sent {
		want := int64(1)
		kind, _, _ := strings.Cut(body, " ")
		if kind == "poison" {
			want = 0 // every attempt has failed, and written nothing
		}
		got := counted[body]
		if acked[body] && got != want || got > want {
			t.Errorf("message %q was handled %d times, want %d; acknowledged: %v", body, got, want, acked[body])
		}
	}
	for producer, want := range order {
		checkOrder(t, strings.Split(s.get(fmt.Sprintf("/jobs/order?key=k%d", producer)).body, "\n"), want)
	}
	s.wokenByAMessage(t)
	s.tendDeadLetters(t)
	t.Logf("%d messages sent, %d acknowledged, in %d rounds", len(sent), len(acked), rounds)
}

// wokenByAMessage has a message wait until the plugin sleeps.
func (s *server) wokenByAMessage(t *testing.T) {
	t.Helper()
	s.api(nil, "PUT", "/v1/plugins/jobs/queues/jobs/pause")
	if a := s.do("POST", "/jobs/send", "- m wakes\n"); a.status != http.StatusOK {
		t.Fatal(a)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		p, _ := s.status("jobs")
		if p.State == "asleep" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it is still %s", p.State)
		}
	}
	s.api(nil, "DELETE", "/v1/plugins/jobs/queues/jobs/pause")
	if counted := s.drained(t); counted["m wakes"] != 1 { // it is asked once none waits
		t.Errorf("it was handled %d times", counted["m wakes"])
	}
}

// drained waits until every message is handled or dead, and returns how often each was
// handled.
func (s *server) drained(t *testing.T) map[string]int64 {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s.waiting(t) > 0 {
			continue
		}
		counted := map[string]int64{}
		for line := range strings.Lines(s.get("/jobs/handled").body) {
			n, body, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			counted[body], _ = strconv.ParseInt(n, 10, 64)
		}
		return counted
	}
	t.Fatalf("%d messages still wait", s.waiting(t))
	return nil
}

// checkOrder wants all of a list, in its order, among what was handled.
func checkOrder(t *testing.T, handled, want []string) {
	t.Helper()
	next := 0
	for _, body := range handled {
		if next < len(want) && body == want[next] {
			next++
		}
	}
	if next < len(want) {
		t.Errorf("message %q is missing or out of order", want[next])
	}
}

// waiting returns how many messages are not handled, 100 at most, as the store has
// them: what was sent just now may be unknown yet to whoever handles it.
func (s *server) waiting(t *testing.T) int {
	t.Helper()
	var page struct{ Messages []struct{ ID string } }
	s.api(&page, "GET", "/v1/plugins/jobs/queues/jobs/messages?limit=100")
	return len(page.Messages)
}

// tendDeadLetters does what an operator may with the dead letters that are left, and
// deletes and purges the plugin with a message that waits.
func (s *server) tendDeadLetters(t *testing.T) {
	t.Helper()
	const at = "/v1/plugins/jobs/queues"
	s.api(nil, "DELETE", at+"/jobs/messages?dead=true") // there may be more than a page
	if a := s.do("POST", "/jobs/send", "- refused 0\n- poison 0\n"); a.status != http.StatusOK {
		t.Fatal(a)
	}
	s.drained(t)
	var page struct {
		Messages []struct{ ID, Body, Problem string }
	}
	s.api(&page, "GET", at+"/jobs/messages?dead=true&limit=100")
	refused := ""
	for _, m := range page.Messages {
		if m.Body == "refused 0" && m.Problem == "the handler answered 422" {
			refused = m.ID
		}
	}
	var done struct{ Messages int }
	if err := s.tryAPI(t.Context(), &done, "POST", at+"/jobs/retry", []byte(`{"ids":["`+refused+`"]}`)); err != nil || done.Messages != 1 {
		t.Fatalf("retry of %q: %+v, %v", refused, done, err)
	}
	if counted := s.drained(t); counted["refused 0"] != 2 {
		t.Errorf("it was handled %d times, want twice: what it wrote as it was refused stays", counted["refused 0"])
	}
	s.api(&done, "DELETE", at+"/jobs/messages?dead=true")
	if done.Messages != 2 {
		t.Errorf("%d dead letters are purged", done.Messages)
	}
	s.api(nil, "PUT", at+"/jobs/pause")
	s.do("POST", "/jobs/send", "- m waits\n")
	s.api(nil, "DELETE", "/v1/plugins/jobs")
	s.deploy("jobs", queueGuest(t))
	if n := s.waiting(t); n != 1 {
		t.Errorf("%d messages of a plugin that was deleted and is back", n)
	}
	s.api(nil, "DELETE", at+"/jobs/pause")
	if counted := s.drained(t); counted["m waits"] != 1 {
		t.Errorf("it was handled %d times", counted["m waits"])
	}
	s.api(nil, "PUT", at+"/jobs/pause")
	s.do("POST", "/jobs/send", "- m purged\n")
	s.api(nil, "DELETE", "/v1/plugins/jobs?purge=true")
	s.deploy("jobs", pack(t, enginetest.Tiny(), "jobs", jobsQueue))
	if n := s.waiting(t); n != 0 {
		t.Errorf("%d messages of a plugin that was purged", n)
	}
}
