package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// steps are lines for callguest.
type steps []string

// calling adds a call to the handler at a path of a plugin, which does what its lines say.
func (s steps) calling(alias, path string, lines ...string) steps {
	line := "call POST http://" + alias + ".wasmoor.internal" + path
	for _, l := range lines {
		line += " " + url.QueryEscape(l)
	}
	return append(s, line)
}

func (s steps) String() string { return strings.Join(s, "\n") + "\n" }

// call is a script of one call, as a line of another script.
func call(alias, path string, lines ...string) string {
	return steps{}.calling(alias, path, lines...)[0]
}

// callManifest is what callguest needs, and the plugins that it may call.
func callManifest(services ...string) []string {
	var lines []string
	for _, p := range []string{"POST /do", "POST /transfer", "POST /move", "GET /balances", "GET /tiny", "GET /calls", "POST /queue", "POST /private"} {
		lines = append(lines, "[[route]]", `pattern = "`+p+`"`)
	}
	lines = append(lines, "private = true", "[limits]", "concurrency = 6", "[kv]", "[queue.jobs]", `request = "POST /queue"`, "[config]", `version = { default = "one" }`)
	if len(services) > 0 {
		lines = append(lines, "[services]")
		for _, s := range services {
			lines = append(lines, s+` = "`+s+`"`)
		}
	}
	return lines
}

// services is a server with plugins that call each other.
type services struct{ *server }

var requestID = regexp.MustCompile(`"request_id":"[^"]*"`)

// do has a plugin do a script, and returns what it says, without ids of requests.
func (s services) do(plugin string, lines ...string) string {
	s.t.Helper()
	return requestID.ReplaceAllString(strings.TrimSpace(s.server.do("POST", "/"+plugin+"/do", steps(lines).String()).body), `"request_id":""`)
}

// want has a plugin do a script, and wants it to say something.
func (s services) want(t *testing.T, plugin, want string, lines ...string) {
	t.Helper()
	if got := s.do(plugin, lines...); got != want {
		t.Errorf("%s says\n%s\nwant\n%s\n%s", plugin, got, want, steps(lines))
	}
}

// has wants a plugin to have a value; "" = none.
func (s services) has(t *testing.T, plugin, key, value string) {
	t.Helper()
	s.want(t, plugin, fmt.Sprintf("%s=%s,%v", key, value, value != ""), "get "+key)
}

// calleeProblem is a problem that a caller gets in place of an answer.
func calleeProblem(status int, code, detail string) string {
	return fmt.Sprintf(`%d[{"type":"urn:wasmoor:%s","title":"%s","status":%d,"code":"%s","detail":"%s","request_id":""}]`,
		status, code, http.StatusText(status), status, code, detail)
}

var failedProblem = calleeProblem(502, "trap", "the handler of the plugin failed; what it wrote is gone")

// TestServices has plugins call each other in every way that matters.
func TestServices(t *testing.T) {
	t.Parallel()
	guest := goGuest(t, "testdata/callguest")
	s := services{serve(t, t.TempDir(), "--outbound-allow-networks", "127.0.0.0/8,::1/128")}
	deploy := func(name string, lines ...string) { s.deploy(name, pack(t, guest, name, lines...)) }
	var outside atomic.Pointer[http.HandlerFunc]
	origin := service(t, func(w http.ResponseWriter, r *http.Request) { (*outside.Load())(w, r) })
	deploy("a", append(callManifest("a", "b", "c", "e", "nobody"), allowing(origin))...)
	deploy("b", append(callManifest("a", "b", "c"), allowing(origin))...)
	deploy("c", callManifest()...)

	t.Run("one transaction", func(t *testing.T) {
		s.want(t, "a", "200[one=b,true]\n200[one=b,true]", "set one a", call("b", "/do", "set one b", "get one"), call("b", "/do", "get one"))
		s.has(t, "a", "one", "a")
		s.has(t, "b", "one", "b")
		s.want(t, "a", "200[]", "status 500", "set two a", call("b", "/do", "set two b"))
		s.has(t, "a", "two", "")
		s.has(t, "b", "two", "")
		s.want(t, "a", "200[200[in=a,true]]\nin=c,true", "set in a", call("b", "/do", call("a", "/do", "get in", "set in c")), "get in") // of one plugin, within each other
		if a := s.server.do("POST", "/a/do", "set three a\npanic\n"+call("b", "/do", "set three b")+"\n"); a.status != 502 {
			t.Errorf("a caller that traps: %v", a)
		}
		s.has(t, "b", "three", "")
	})
	t.Run("a callee that fails leaves nothing", func(t *testing.T) {
		s.want(t, "a", failedProblem+"\n200[trap=,false]\ntrap=a,true",
			"set trap a", call("b", "/do", "set trap b", call("c", "/do", "set trap c"), "panic"), call("b", "/do", "get trap"), "get trap")
		s.has(t, "a", "trap", "a")
		s.has(t, "b", "trap", "")
		s.has(t, "c", "trap", "")
		s.want(t, "a", "500[]\n409[]\n500[]\n200[]",
			call("b", "/do", "set five b", "status 500"), call("b", "/do", "set four b", "status 409"),
			call("b", "/do", "set six b", "status 500", "outcome commit"), call("b", "/do", "set seven b", "outcome abort"))
		for key, want := range map[string]string{"five": "", "four": "b", "six": "b", "seven": ""} {
			s.has(t, "b", key, want)
		}
	})
	t.Run("messages", func(t *testing.T) {
		a := s.do("a", call("b", "/do", "send jobs add got 1"), call("b", "/do", "send jobs add got 10"), call("b", "/do", "send jobs add got 100", "panic"))
		if a != "200[]\n200[]\n"+failedProblem {
			t.Errorf("sent: %s", a)
		}
		if err := until(t.Context(), func() bool { return s.do("b", "get got") == "got=\v\x00\x00\x00\x00\x00\x00\x00,true" }); err != nil {
			t.Errorf("%v: %q", err, s.do("b", "get got"))
		}
	})
	t.Run("messages to another", func(t *testing.T) { testMessagesToAnother(t, s, guest) })
	t.Run("who calls", func(t *testing.T) {
		s.want(t, "a", "200[call a b.wasmoor.internal /b /private attempt 1]", call("b", "/private", "who"))
		if a := s.server.do("POST", "/b/private", "who\n"); a.status != 404 {
			t.Errorf("a client reaches a private route: %v", a)
		}
		s.want(t, "b", "http  "+strings.TrimPrefix(s.public, "http://")+" /b /do attempt 1", "who")
	})
	t.Run("refused", func(t *testing.T) {
		for to, want := range map[string]string{
			"http://d.wasmoor.internal/do":                "denied",
			"http://sub.b.wasmoor.internal/do":            "denied",
			"http://wasmoor.internal/do":                  "denied",
			"https://b.wasmoor.internal/do":               "invalid",
			"http://b.wasmoor.internal:8080/do":           "invalid",
			"http://u@b.wasmoor.internal/do":              "invalid",
			"http://B.WASMOOR.internal/do":                "200[]",
			"http://b.wasmoor.internal./do":               "invalid",
			"http://nobody.wasmoor.internal/do":           calleeProblem(503, "not_found", `plugin \"nobody\" does not serve`),
			"http://b.wasmoor.internal/none":              calleeProblem(404, "not_found", "the plugin has no route for /none"),
			"http://b.wasmoor.internal/tiny":              calleeProblem(405, "invalid", "the plugin does not take the method POST there"),
			"http://b.wasmoor.internal/private/%2e%2e/do": calleeProblem(400, "invalid", "the path has a segment of dots"),
			"http://b.wasmoor.internal//do":               calleeProblem(400, "invalid", "the path has an empty segment"),
			"http://b.wasmoor.internal/d%2Fo":             calleeProblem(404, "not_found", "the plugin has no route for /d%2Fo"),
		} {
			if got := s.do("a", "call POST "+to); !strings.HasSuffix(got, want) && !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", to, got, want)
			}
		}
		if a := s.do("c", call("a", "/do")); !strings.Contains(a, "denied") {
			t.Errorf("a plugin without [services]: %s", a)
		}
		if err := s.tryDeploy(t.Context(), "open", pack(t, guest, "open", allowing("http://b.wasmoor.internal"))); err == nil || !strings.Contains(err.Error(), "[services]") {
			t.Errorf("outbound.allow of a plugin: %v", err)
		}
	})
	t.Run("a service outside sends nobody in", func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://b.wasmoor.internal/do", http.StatusTemporaryRedirect)
		})
		outside.Store(&h)
		if a := s.do("a", "call POST "+origin+"/in set hacked b"); !strings.Contains(a, "http://b.wasmoor.internal is not granted") {
			t.Errorf("a redirect to a plugin: %s", a)
		}
		s.has(t, "b", "hacked", "")
	})
	t.Run("circles", func(t *testing.T) {
		line := "set deep a"
		for i := range 12 {
			line = call([]string{"a", "b"}[i%2], "/do", line)
		}
		a := s.do("a", line)
		if n := strings.Count(a, "200["); n != 8 || !strings.Contains(a, "limit") {
			t.Errorf("%d calls within each other: %s", n, a)
		}
		s.has(t, "a", "deep", "")
	})
	t.Run("calls are counted with those of who is called", func(t *testing.T) {
		six := slices.Repeat([]string{call("c", "/do")}, 6)
		a := s.do("a", slices.Repeat([]string{call("b", "/do", six...)}, 3)...) // one more than outbound.calls
		if n := strings.Count(a, "error"); n != 1 || !strings.HasSuffix(a, "200[];error fetch http://c.wasmoor.internal/do: open: limit]") {
			t.Errorf("%d are refused: %s", n, a)
		}
	})
	t.Run("re-runs", func(t *testing.T) {
		var asked atomic.Int64
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			if asked.Add(1) == 1 {
				s.do("c", "set seen changed") // what the attempt has read
			}
		})
		outside.Store(&h)
		got := s.do("a", call("c", "/do", "get seen"), call("b", "/do", "call POST "+origin+"/charge", "add charged 1", "who"), "world", call("b", "/do", "world"))
		if !strings.HasPrefix(got, "200[seen=changed,true]\n200[200[];call a b.wasmoor.internal /b /do attempt 2]\n") || asked.Load() != 1 {
			t.Errorf("the service was asked %d times: %s", asked.Load(), got)
		}
		world := strings.Split(got, "\n")[2:]
		if len(world) != 2 || world[0] == strings.TrimSuffix(strings.TrimPrefix(world[1], "200["), "]") {
			t.Errorf("both perceive %q", world)
		}
	})
	t.Run("time", func(t *testing.T) {
		deploy("e", strings.Replace(strings.Join(callManifest(), "\n"), "concurrency = 6", "concurrency = 6\ndeadline = '200ms'", 1))
		s.want(t, "a", calleeProblem(504, "deadline", "the handler of the plugin took too long; what it wrote is gone")+"\n200[late=,false]",
			"set late a", call("e", "/do", "set late e", "spin 60000"), call("e", "/do", "get late"))
		s.has(t, "a", "late", "a")
		s.want(t, "a", calleeProblem(504, "deadline", "the handler of the plugin took too long; what it wrote is gone"), call("e", "/do", "sleep 60000"))
	})
	t.Run("paused, and gone", func(t *testing.T) {
		s.mustCLI("", "pause", "c")
		s.want(t, "a", calleeProblem(503, "unavailable", "the plugin is paused by its operator; try again later"), "set paused a", call("c", "/do", "get seen"))
		s.mustCLI("", "pause", "c", "--writes")
		s.want(t, "a", "200[seen=changed,true]\n"+calleeProblem(503, "unavailable", "the plugin takes no changes at the moment; what it wrote is gone, reading goes on"),
			call("c", "/do", "get seen"), call("c", "/do", "set seen more"))
		s.mustCLI("", "resume", "c")
		s.mustCLI("", "delete", "c", "--yes")
		if a := s.do("a", call("c", "/do", "get seen")); !strings.HasPrefix(a, "503[") {
			t.Errorf("deleted: %s", a)
		}
		deploy("c", callManifest()...)
		s.want(t, "a", "200[seen=changed,true]", call("c", "/do", "get seen"))
	})
	t.Run("plugins that call each other at their limits", func(t *testing.T) { testMutualCalls(t, s) })
	t.Run("a roll-out", func(t *testing.T) { testCallsInRollout(t, s, guest) })
	t.Run("extism", func(t *testing.T) {
		dir, err := sdkDir()
		if err != nil {
			t.Fatal(err)
		}
		module, err := os.ReadFile(filepath.Join(dir, "http_headers.wasm"))
		if err != nil {
			t.Fatal(err)
		}
		s.deploy("x", pack(t, module, "x", `abi = "extism"`, "[[route]]", `pattern = "POST /"`, `export = "http_get"`, "[services]", `c = "c"`))
		if a := s.server.do("POST", "/x/", `{"url":"http://c.wasmoor.internal/balances"}`); a.status != 200 || !strings.Contains(a.body, "content-length") {
			t.Errorf("a call of Extism: %v", a)
		}
		if a := s.server.do("POST", "/x/", `{"url":"http://b.wasmoor.internal/tiny"}`); a.status != 502 {
			t.Errorf("one that is not granted: %v", a)
		}
		testExtismServices(t, s)
	})
}

// testMessagesToAnother has plugins send to each other's queues.
func testMessagesToAnother(t *testing.T, s services, guest []byte) {
	handled := func(plugin, want string, lines ...string) {
		t.Helper()
		if err := until(t.Context(), func() bool { return s.do(plugin, lines...) == want }); err != nil {
			t.Errorf("%v: %s has %s, want %s", err, plugin, s.do(plugin, lines...), want)
		}
	}
	// A message has gone with the sender's commit alone, whoever within the request sent it.
	s.want(t, "a", failedProblem, "send b/jobs from sender", call("b", "/do", "send c/jobs from sender", "panic"))
	s.want(t, "a", "200[]", "send b/jobs add sent 1", call("b", "/do", "send c/jobs from through", "send a/jobs from back"))
	if a := s.server.do("POST", "/a/do", "send b/jobs add sent 10\npanic\n"); a.status != 502 {
		t.Errorf("a sender that traps: %v", a)
	}
	handled("b", "sender=jobs/a/true,true\nsent=\x01\x00\x00\x00\x00\x00\x00\x00,true", "get sender", "get sent")
	handled("c", "through=jobs/b/true,true\nsender=,false", "get through", "get sender")
	handled("a", "back=jobs/b/true,true", "get back")
	s.want(t, "b", "", "send jobs from own")
	handled("b", "own=jobs//true,true", "get own")
	for to, why := range map[string]string{
		"b/mail":      "not found: the other plugin has no such queue",
		"b/webhooks":  "not found: the other plugin has no such queue",
		"d/jobs":      "denied: [services] in wasmoor.toml has no such name, or the operator has not granted it",
		"nobody/jobs": "unavailable: the other plugin does not serve, or takes no writes for now",
	} {
		s.want(t, "a", `queue send "`+to+`": `+why, "send "+to+" from refused")
	}
	// A receiver that is paused, and one that is gone.
	s.mustCLI("", "pause", "c")
	s.want(t, "a", "", "send c/jobs add waited 1")
	s.mustCLI("", "pause", "c", "--writes")
	s.want(t, "a", `queue send "c/jobs": unavailable: the other plugin does not serve, or takes no writes for now`, "send c/jobs add waited 10")
	s.mustCLI("", "resume", "c")
	handled("c", "waited=\x01\x00\x00\x00\x00\x00\x00\x00,true", "get waited")
	s.mustCLI("", "queue", "pause", "c", "jobs")
	s.want(t, "a", "", "send c/jobs add kept 1")
	page := s.mustCLI("", "queue", "peek", "c", "jobs", "--json")
	if !strings.Contains(page, `"from": "a"`) {
		t.Errorf("peek shows %s", page)
	}
	s.mustCLI("", "delete", "c", "--yes")
	s.want(t, "a", `queue send "c/jobs": unavailable: the other plugin does not serve, or takes no writes for now`, "send c/jobs add kept 10")
	s.deploy("c", pack(t, guest, "c", callManifest()...))
	s.mustCLI("", "queue", "resume", "c", "jobs")
	handled("c", "kept=\x01\x00\x00\x00\x00\x00\x00\x00,true", "get kept")
}

// testExtismServices has a plugin of Extism call another plugin within its own transaction,
// and be called itself.
func testExtismServices(t *testing.T, s services) {
	lines := []string{
		`abi = "extism"`, "[kv]", "[[route]]", `pattern = "POST /do"`, `handler = "call"`, "[services]", `c = "c"`,
	}
	s.deploy("y", pack(t, goGuest(t, "testdata/extismguest"), "y", lines...))
	s.deploy("a", pack(t, goGuest(t, "testdata/callguest"), "a", callManifest("b", "c", "y")...))
	for i, c := range []struct{ plugin, body, want, kept string }{
		{"y", "set extism yes\nget extism", "200[extism=yes,true] called by ", "yes"},
		{"y", "drop set extism no", "200[] called by ", "yes"},
		{"y", "set extism no\npanic", failedProblem + " called by ", "yes"},
		{"a", "set extism maybe", "200[200[] called by a]", "maybe"},
		{"a", "drop set extism no", "500[200[] called by a]", "maybe"},
	} {
		got := ""
		if c.plugin == "y" {
			got = s.do("y", c.body)
		} else {
			got = s.do("a", call("y", "/do", c.body))
		}
		if strings.TrimSpace(got) != strings.TrimSpace(c.want) {
			t.Errorf("%d: %s says %q, want %q", i, c.plugin, got, c.want)
		}
		s.has(t, "c", "extism", c.kept)
	}
	calls, err := s.tryAdmin(t.Context(), "GET", "/v1/plugins/y/kv/value?key=calls", nil)
	if err != nil || calls.body != "\x03\x00\x00\x00\x00\x00\x00\x00" {
		t.Errorf("the plugin of Extism has counted %v, %v; want the 3 calls that were kept", calls, err)
	}
}

// testMutualCalls has two plugins call each other while each has all the requests that it
// may have: whoever finds no place is told at once, and nobody waits for a deadline.
func testMutualCalls(t *testing.T, s services) {
	var all sync.WaitGroup
	var answered, refused atomic.Int64
	for i := range 16 {
		all.Go(func() {
			own, other := "a", "b"
			if i%2 == 1 {
				own, other = other, own
			}
			for range often(20, 500) {
				a := s.server.do("POST", "/"+own+"/do", steps{"spin 1", call(other, "/do", "spin 1", call(own, "/do", "add mutual 1"))}.String())
				switch {
				case a.status == 200 && strings.HasPrefix(a.body, "200[200["):
					answered.Add(1)
				case a.status == 200 && strings.Contains(a.body, "503[") && strings.Contains(a.body, "a call of another plugin does not wait"), a.status == 503:
					refused.Add(1)
				default:
					t.Errorf("%s calls %s: %v", own, other, a)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d answered, %d found no place", answered.Load(), refused.Load())
	if answered.Load() == 0 {
		t.Error("none got through")
	}
}

// testCallsInRollout has a client be on the same side of a roll-out of a callee, whoever
// calls it, in each call of a request.
func testCallsInRollout(t *testing.T, s services, guest []byte) {
	two := pack(t, guest, "c", strings.Split(strings.ReplaceAll(strings.Join(callManifest(), "\n"), `"one"`, `"two"`), "\n")...)
	s.api(nil, "POST", "/v1/plugins/c/versions?key=header:X-User&canary="+url.QueryEscape("50%:1h"), two...)
	defer s.mustCLI("", "rollout", "abort", "c")
	sides := map[string]int{}
	for user := range 40 {
		ask := func(plugin string, lines steps) string {
			req, err := http.NewRequest("POST", s.public+"/"+plugin+"/do", strings.NewReader(lines.String()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-User", fmt.Sprint("user", user))
			a, err := roundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(a.body)
		}
		direct := ask("c", steps{"version"})
		want := "200[" + direct + "]\n200[200[" + direct + "]]"
		if got := ask("a", steps{call("c", "/do", "version"), call("b", "/do", call("c", "/do", "version"))}); got != want {
			t.Errorf("user %d has %s, and by way of others %s", user, direct, got)
		}
		sides[direct]++
	}
	if len(sides) != 2 {
		t.Errorf("the sides have %v users", sides)
	}
}

// TestTransfersAcrossPlugins moves money between accounts of two plugins by way of a third,
// while clients of the two move it as well and the server is killed over and over: nothing
// is lost, nothing is made, and each transfer that was acknowledged is counted once.
func TestTransfersAcrossPlugins(t *testing.T) {
	t.Parallel()
	guest, dir := goGuest(t, "testdata/callguest"), t.TempDir()
	s := serve(t, dir)
	s.deploy("bank", pack(t, guest, "bank", callManifest("left", "right")...))
	const accounts, begin = 4, 1000
	for _, bank := range []string{"left", "right"} {
		s.deploy(bank, pack(t, guest, bank, callManifest()...))
		for i := range accounts {
			s.do("POST", "/"+bank+"/move", fmt.Sprintf("%d %d", i, begin))
		}
	}
	var acked, sent atomic.Int64
	rounds := often(3, 200)
	for round := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for client := range 8 {
			clients.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), uint64(client)))
				account := func() string { return []string{"left", "right"}[rng.IntN(2)] + ":" + fmt.Sprint(rng.IntN(accounts)) }
				for n := 0; ctx.Err() == nil && n < often(30, 300); n++ {
					sent.Add(1)
					a, err := s.try(ctx, "POST", fmt.Sprintf("/bank/transfer?from=%s&to=%s&amount=%d", account(), account(), rng.IntN(200)), "")
					switch {
					case err != nil:
						return // the server is gone: done or not
					case a.status == http.StatusOK:
						acked.Add(1)
					case a.status != http.StatusConflict && a.status != http.StatusServiceUnavailable:
						t.Errorf("a transfer is answered %v", a)
					}
				}
			})
		}
		time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond)
		if round < rounds-1 {
			s.kill()
			cancel()
		}
		clients.Wait() // in the last round until the server has answered all, so that nothing moves any more
		cancel()
		if round < rounds-1 {
			s = serve(t, dir)
		}
		sum, counted := 0, int64(0)
		for _, plugin := range []string{"left", "right", "bank"} {
			var n int
			var transfers int64
			if _, err := fmt.Sscan(s.get("/"+plugin+"/balances").body, &n, &transfers); err != nil {
				t.Fatal(err)
			}
			sum, counted = sum+n, counted+transfers
		}
		if sum != 2*accounts*begin || counted < acked.Load() || counted > sent.Load() {
			t.Fatalf("round %d: the accounts hold %d, want %d; %d transfers are counted, %d were acknowledged, %d sent",
				round, sum, 2*accounts*begin, counted, acked.Load(), sent.Load())
		}
	}
	t.Logf("%d transfers sent, %d acknowledged, in %d rounds", sent.Load(), acked.Load(), rounds)
}
