package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// metricsURL returns where a server shows its metrics without a token.
func (s *server) metricsURL() string {
	s.t.Helper()
	var url string
	err := until(s.t.Context(), func() bool {
		if found := regexp.MustCompile(`(?m)^ *metrics +(http\S+)$`).FindStringSubmatch(s.log.String()); found != nil {
			url = found[1]
		}
		return url != ""
	})
	if err != nil {
		s.t.Fatalf("the server does not say where its metrics are: %v\n%s", err, s.log)
	}
	return url
}

// TestMetrics: what a server shows is the contract, and counts what happened.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--metrics", "127.0.0.1:0", "--ship-to", t.TempDir(), "--backup-to", t.TempDir())
	s.deploy("visits", pack(t, enginetest.Counter(), "visits", "[kv]", "[[route]]", "pattern = \"GET /{$}\""))
	s.deploy("bad", pack(t, enginetest.Trap(), "bad", "[queue.mail]", `request = "POST /queues/mail"`, "[[cron]]", `schedule = "@yearly"`, `request = "POST /tick"`))
	s.deploy("live", liveGuest(t))
	s.listens("/live/state").wants(t, "", "0 0 0")
	s.deploy("kept", pack(t, enginetest.Version("hi"), "kept", "[[route]]", `pattern = "GET /{$}"`, `cache = "1h"`))
	s.get("/kept/")
	s.get("/kept/")
	s.deploy("chat", pack(t, enginetest.Version("hi"), "chat", "[[socket]]", `pattern = "GET /room"`))
	s.ws("/chat/room").hear("hi")
	s.deploy("calling", pack(t, callingTiny(1), "calling", "[services]", `tiny = "chat"`))
	s.get("/calling/")
	for range 5 {
		s.get("/visits/")
		s.get("/bad/")
		s.get("/nothing")
	}
	s.deploy("visits", pack(t, enginetest.Counter(), "visits", "[kv]"))
	s.get("/visits/")

	for _, token := range []string{"", "wrong"} {
		if a, err := send(t.Context(), "GET", s.admin+"/metrics", token, nil); err != nil || a.status != 401 {
			t.Errorf("with the token %q: %v, %v", token, a, err)
		}
	}
	withToken, err := s.tryAdmin(t.Context(), "GET", "/metrics", nil)
	if err != nil || withToken.status != 200 {
		t.Fatalf("with the token: %v, %v", withToken, err)
	}
	open, err := send(t.Context(), "GET", s.metricsURL(), "", nil)
	if err != nil || open.status != 200 {
		t.Fatalf("without a token: %v, %v", open, err)
	}
	for _, want := range []string{
		`http_server_request_duration_seconds_count{code="200",method="GET",plugin="visits",route="/{$}",version="1"} 5`,
		`http_server_request_duration_seconds_count{code="200",method="GET",plugin="visits",route="none",version="2"} 1`,
		`http_server_request_duration_seconds_count{code="502",method="GET",plugin="bad",route="none",version="1"} 5`,
		`wasmoor_http_refused_total{listener="public",reason="not_found"} 5`,
		`wasmoor_traps_total{kind="unreachable",plugin="bad"} 5`,
		`wasmoor_invocations_total{outcome="committed",plugin="visits"} 6`,
		`wasmoor_invocations_total{outcome="aborted",plugin="bad"} 5`,
		`wasmoor_plugin_keys{plugin="visits"} 1`,
		`wasmoor_plugin_loaded{plugin="visits",version="2"} 1`,
		`wasmoor_plugin_failed{plugin="bad",version="1"} 0`,
		`wasmoor_queue_messages{plugin="bad",queue="mail",state="waiting"} 0`,
		`wasmoor_cron_late_seconds{cron="tick",plugin="bad"} 0`,
		`wasmoor_live_streams{plugin="live"} 1`,
		`wasmoor_live_runs_total{outcome="changed"} 1`,
		`wasmoor_cache_entries{plugin="kept"} 1`,
		`wasmoor_cache_requests_total{outcome="kept",plugin="kept",route="GET /{$}"} 1`,
		`wasmoor_cache_requests_total{outcome="hit",plugin="kept",route="GET /{$}"} 1`,
		`wasmoor_sockets{kind="websocket",plugin="chat"} 1`,
		`wasmoor_sockets{kind="sse",plugin="chat"} 0`,
		`wasmoor_streams{kind="websocket"} 1`,
		`wasmoor_streams{kind="sse"} 1`,
		`wasmoor_streams_opened_total{kind="websocket"} 1`,
		`wasmoor_streams_dropped_total{reason="slow"} 0`,
		`wasmoor_service_calls_total{code="2xx",outcome="answered",plugin="calling",service="tiny"} 1`,
		`wasmoor_healthy{check="reads"} 1`,
	} {
		for from, text := range map[string]string{"admin": withToken.body, "metrics": open.body} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("the listener %s lacks %s", from, want)
			}
		}
	}
	golden, err := os.ReadFile("../internal/telemetry/metrics/testdata/metrics.golden")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(golden)) {
		name, kind, _ := strings.Cut(strings.TrimSpace(line), " ")
		kind, _, _ = strings.Cut(kind, " ")
		listed[name] = true
		if !strings.Contains(open.body, "\n# TYPE "+name+" "+kind+"\n") {
			t.Errorf("the server shows no %s %s", kind, name)
		}
	}
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(open.body, -1) {
		if name := found[1]; !listed[name] && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is no part of the contract", name)
		}
	}
}
