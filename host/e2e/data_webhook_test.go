package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi/webhook"
	"github.com/wasmoor/wasmoor/host/internal/egress/egresstest"
)

// hookSecret signs the webhooks of the tests.
const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hooks is a receiver of webhooks.
type hooks struct {
	secret webhook.Secret
	away   string // where it redirects to
	let    chan struct{}

	mu  sync.Mutex
	ids map[string][]string // of what came, by the body
	bad []string
}

// newHooks returns a receiver, and its URL.
func newHooks(t *testing.T) (*hooks, string) {
	t.Helper()
	secret, err := webhook.Parse(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := &hooks{secret: secret, ids: map[string][]string{}, let: make(chan struct{})}
	url := service(t, h.receive)
	t.Cleanup(func() { close(h.let) })
	return h, url
}

func (h *hooks) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server was killed as it sent
	}
	id := r.Header.Get(webhook.HeaderID)
	err = h.secret.For(r.URL.Query().Get("account")).Verify(id, r.Header.Get(webhook.HeaderTimestamp), r.Header.Get(webhook.HeaderSignature), body, time.Now())
	h.mu.Lock()
	h.ids[string(body)] = append(h.ids[string(body)], id)
	n := len(h.ids[string(body)])
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		h.bad = append(h.bad, fmt.Sprintf("%s %v of %q: %v", r.Method, r.Header, body, err))
	}
	h.mu.Unlock()
	switch r.URL.Path {
	case "/flaky":
		if n == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader([]int{429, 500, 404}[len(body)%3])
		}
	case "/gone":
		w.WriteHeader(http.StatusGone)
	case "/away":
		http.Redirect(w, r, h.away, http.StatusTemporaryRedirect)
	case "/silent":
		select { // no answer until the test ends
		case <-h.let:
		case <-r.Context().Done():
		}
	case "/endless":
		w.WriteHeader(http.StatusOK)
		for junk := make([]byte, 64<<10); ; {
			if _, err := w.Write(junk); err != nil {
				return
			}
		}
	case "/failing":
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, strings.Repeat("<script>\x00\xff", 1000))
	}
}

func (h *hooks) came(body string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ids[body])
}

// hookGuest sends webhooks to origins.
func hookGuest(t *testing.T, origins ...string) []byte {
	return pack(t, goGuest(t, "testdata/webhookguest"), "hooks", "[kv]",
		fmt.Sprintf("[outbound]\nallow = [\"%s\"]\ntimeout = \"2s\"", strings.Join(origins, `", "`)),
		"[queue.webhooks]\nbackoff = \"1ms..20ms\"\nattempts = 4", "[secrets.signing]\nblind = \"webhooks\"",
		"[config]\nmine = { secret = true }")
}

// install deploys a version and sets its secret.
func (s *server) install(t *testing.T, module []byte) {
	t.Helper()
	var out struct{ Waiting []string }
	if err := s.tryAPI(t.Context(), &out, "POST", "/v1/plugins/hooks/versions?grant=true", module); err != nil || len(out.Waiting) != 1 || !strings.Contains(out.Waiting[0], "signing") {
		t.Fatalf("it waits for %q, %v\n%s", out.Waiting, err, s.log)
	}
	if _, stderr, code := s.cliWith("whsec_short", "secret", "set", "hooks", "signing", "-"); code == 0 || !strings.Contains(stderr, "whsec_ and base64") {
		t.Errorf("a secret that signs nothing: %d, %s", code, stderr)
	}
	s.mustCLI(hookSecret, "secret", "set", "hooks", "signing", "-")
	if err := s.tryActivate(t.Context(), "hooks", 1); err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
}

// dead waits until no webhook waits, and returns why those died that did, by their bodies.
func (s *server) dead(t *testing.T) map[string]string {
	t.Helper()
	const at = "/v1/plugins/hooks/queues/webhooks/messages?limit=100"
	type message struct{ Body, Problem, URL string }
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var page struct{ Messages []message }
		s.api(&page, "GET", at)
		if len(page.Messages) > 0 {
			continue
		}
		s.api(&page, "GET", at+"&dead=true")
		list := map[string]string{}
		for _, m := range page.Messages {
			if !strings.HasPrefix(m.URL, "http") {
				t.Errorf("a dead webhook without a URL: %+v", m)
			}
			list[m.Body] = m.Problem
		}
		return list
	}
	t.Fatalf("webhooks still wait\n%s", s.log)
	return nil
}

// TestWebhooks sends webhooks while the server is killed over and over. Each of a request
// that was acknowledged comes at least once, signed and with one id, those of one that was
// not come or not, and of one that was aborted none. What receivers do to them bounds
// what it costs.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(seeded(t), 0))
	h, url := newHooks(t)
	port, hits := egresstest.Canary(t)
	h.away = "http://127.0.0.1:" + port + "/"
	network := []string{"--outbound-allow-networks", "127.0.0.1/32"}
	s := serve(t, dir, network...)
	s.install(t, hookGuest(t, url))
	acked, sent := map[string]bool{}, 0
	rounds := often(2, 200)
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		first := sent
		go func() {
			defer close(done)
			for n := 0; ctx.Err() == nil && n < often(50, 500); n++ {
				sent++
				one, two := fmt.Sprintf(`{"n":%d}`, sent), fmt.Sprintf(`{"n":%d,"flaky":true}`, sent)
				a, err := s.try(ctx, "POST", "/hooks/send", url+"/fine "+one+"\n"+url+"/flaky "+two+"\n")
				if err == nil && a.status != http.StatusOK {
					t.Errorf("a send is answered %v", a)
				}
				if err != nil || a.status != http.StatusOK {
					return
				}
				acked[one], acked[two] = true, true
				if a, err := s.try(ctx, "POST", "/hooks/send", fmt.Sprintf("%s/fine aborted %d\nabort\n", url, sent)); err == nil && a.status != http.StatusInternalServerError {
					t.Errorf("an aborted send is answered %v", a)
				}
			}
		}()
		time.Sleep(time.Duration(20+rng.IntN(60)) * time.Millisecond)
		if round < rounds-1 {
			s.kill()
		}
		<-done
		cancel()
		if sent == first {
			t.Errorf("round %d sent nothing", round)
		}
		if round < rounds-1 {
			s = serve(t, dir, network...)
		}
	}
	if dead := s.dead(t); len(dead) > 0 {
		t.Errorf("they are dead: %v", dead)
	}
	for body := range acked {
		if len(h.came(body)) == 0 {
			t.Errorf("%s was acknowledged and never came", body)
		}
	}
	h.mu.Lock()
	repeats := 0
	for body, ids := range h.ids {
		repeats += len(ids) - 1
		if strings.HasPrefix(body, "aborted") || len(slices.Compact(ids)) != 1 || !strings.HasPrefix(ids[0], "msg_") {
			t.Errorf("%s came with the ids %v", body, ids)
		}
	}
	t.Logf("%d webhooks acknowledged, %d came, %d repeats", len(acked), len(h.ids), repeats)
	h.mu.Unlock()
	s.answersOfReceivers(t, h, url)
	s.holdsWebhooks(t, h, url)
	s.sendsToItself(t, url)
	if n := hits.Load(); n != 0 {
		t.Errorf("a redirect reached a private address %d times", n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.bad) > 0 {
		t.Errorf("%d webhooks are wrong, the first: %s", len(h.bad), h.bad[0])
	}
}

// answersOfReceivers sends webhooks to receivers that fail in every way.
func (s *server) answersOfReceivers(t *testing.T, h *hooks, url string) {
	t.Helper()
	broken := egresstest.Serve(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail\r\n") })
	var lines strings.Builder
	for _, path := range []string{"gone", "away", "silent", "endless", "failing"} {
		fmt.Fprintf(&lines, "%s/%s %s\n", url, path, path)
	}
	if a := s.do("POST", "/hooks/send", lines.String()); a.status != http.StatusOK {
		t.Fatal(a)
	}
	if a := s.do("POST", "/hooks/send", "http://"+broken.String()+"/ refused\n"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "denied") {
		t.Errorf("an origin that is not granted: %v", a)
	}
	dead := s.dead(t)
	for path, want := range map[string]struct {
		times   int
		problem string
	}{
		"gone": {1, "the receiver answered 410: it takes no webhooks any more"}, "away": {4, "the receiver answered 307"},
		"silent": {4, "took too long"}, "failing": {4, "the receiver answered 500"}, "endless": {1, ""},
	} {
		if got := len(h.came(path)); got > want.times || got == 0 || !strings.Contains(dead[path], want.problem) || (dead[path] == "") != (want.problem == "") {
			t.Errorf("%s came %d times and is dead for %q, want %d, %q", path, got, dead[path], want.times, want.problem)
		}
	}
}

// holdsWebhooks ends the calls of the plugin, and lets them go again.
func (s *server) holdsWebhooks(t *testing.T, h *hooks, url string) {
	t.Helper()
	s.mustCLI("", "egress", "off", "hooks")
	if a := s.do("POST", "/hooks/send", url+"/fine held\n"); a.status != http.StatusOK {
		t.Errorf("a send while calls are off: %v", a)
	}
	var list []struct {
		Name              string
		Paused            bool
		Waiting, Handling int
	}
	s.api(&list, "GET", "/v1/plugins/hooks/queues")
	if len(list) != 1 || list[0].Name != "webhooks" || !list[0].Paused || len(h.came("held")) > 0 {
		t.Errorf("held: %+v, came %v", list, h.came("held"))
	}
	s.mustCLI("", "egress", "on", "hooks")
	if dead := s.dead(t); dead["held"] != "" || len(h.came("held")) != 1 {
		t.Errorf("it came %d times, dead: %q", len(h.came("held")), dead["held"])
	}
}

// sendsToItself has the plugin receive a webhook of its own, with the key of an account,
// and refuse that of another.
func (s *server) sendsToItself(t *testing.T, origin string) {
	t.Helper()
	s.mustCLI(hookSecret, "secret", "set", "hooks", "mine", "-")
	s.deploy("hooks", hookGuest(t, origin, s.public))
	for _, account := range []string{"acme", "other"} {
		if a := s.do("POST", "/hooks/send?account="+account, s.public+"/hooks/receive for "+account+"\n"); a.status != http.StatusOK {
			t.Fatal(a)
		}
	}
	dead := s.dead(t)
	if got := s.get("/hooks/received").body; got != "for acme\n" || dead["for other"] != "the receiver answered 401" {
		t.Errorf("received %q, dead: %v", got, dead)
	}
	other := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	s.mustCLI(other+" "+hookSecret, "secret", "set", "hooks", "signing", "-") // as it is replaced
	if a := s.do("POST", "/hooks/send?account=acme", s.public+"/hooks/receive for both\n"); a.status != http.StatusOK {
		t.Fatal(a)
	}
	if s.dead(t); !strings.Contains(s.get("/hooks/received").body, "for both\n") {
		t.Errorf("received %q", s.get("/hooks/received").body)
	}
}
