//go:build edge

package e2e

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

// prometheus is a running one.
type prometheus struct {
	*child
	t   *testing.T
	url string
}

// prometheusConfig scrapes a server each second, with its token.
const prometheusConfig = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: wasmoor
    authorization: {credentials_file: admin.token}
    static_configs: [{targets: ["SERVER"]}]
`

// startPrometheus starts a Prometheus with the alert rules, which wait for a second
// where they wait for minutes.
func startPrometheus(t *testing.T, s *server) *prometheus {
	t.Helper()
	path, dir := tool(t, "prometheus", "prometheus"), t.TempDir()
	rules, err := os.ReadFile("../docs/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules = regexp.MustCompile(`(?m)^( +for: ).*$`).ReplaceAll(rules, []byte("${1}1s"))
	for name, content := range map[string]string{
		"alerts.yaml": string(rules), "admin.token": s.token,
		"prometheus.yml": strings.ReplaceAll(prometheusConfig, "SERVER", strings.TrimPrefix(s.admin, "http://")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	p := &prometheus{t: t, url: "http://" + address, child: begin(path, "--config.file", filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address, "--log.level", "warn")}
	p.start(t)
	return p
}

// scraped is one series of an answer of Prometheus.
type scraped struct {
	Metric map[string]string
	Value  []any
}

// query runs an expression, "" for the error without one.
func (p *prometheus) query(expr string) (found []scraped, failed string) {
	var out struct {
		Status, Error string
		Data          struct{ Result []scraped }
	}
	a, err := send(p.t.Context(), "GET", p.url+"/api/v1/query?query="+url.QueryEscape(expr), "", nil)
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &out)
	}
	if err != nil {
		return nil, err.Error()
	}
	return out.Data.Result, out.Error
}

// await waits until an expression finds something, and does each thing meanwhile.
func (p *prometheus) await(expr string, meanwhile ...func()) {
	p.t.Helper()
	var failed string
	err := until(p.t.Context(), func() bool {
		for _, do := range meanwhile {
			do()
		}
		var found []scraped
		found, failed = p.query(expr)
		return len(found) > 0
	})
	if err != nil {
		p.t.Fatalf("nothing for %s: %v, %s\n%s", expr, err, failed, &p.said)
	}
}

// TestEdgePrometheus has Debian's Prometheus scrape a server: it takes the metrics and
// the rules, every panel of the dashboard shows something, and an alert fires when a
// plugin begins to trap.
func TestEdgePrometheus(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--ship-to", t.TempDir(), "--backup-to", t.TempDir())
	s.deploy("visits", pack(t, enginetest.Counter(), "visits", "[kv]", "[[cron]]", `schedule = "@every 1s"`, `request = "POST /tick"`))
	s.deploy("bad", pack(t, enginetest.Trap(), "bad", "[queue.mail]", `request = "POST /queues/mail"`))
	s.deploy("live", liveGuest(t))
	s.listens("/live/state")
	s.deploy("kept", pack(t, enginetest.Version("hi"), "kept", "[[route]]", `pattern = "GET /{$}"`, `cache = "1h"`))
	s.get("/kept/")
	s.get("/kept/")
	s.deploy("chat", pack(t, enginetest.Version("hi"), "chat", "[[socket]]", `pattern = "GET /room"`))
	s.ws("/chat/room").hear("hi")
	s.deploy("calling", pack(t, callingTiny(1), "calling", "[services]", `tiny = "chat"`))
	promtool := tool(t, "promtool", "prometheus")
	if out, err := exec.Command(promtool, "check", "rules", "../docs/monitoring/alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
	text, err := s.tryAdmin(t.Context(), "GET", "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text.body)
	if out, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}

	p := startPrometheus(t, s)
	p.await(`up{job="wasmoor"} == 1`)
	p.await(`wasmoor_traps_total{plugin="bad",kind="unreachable"} == 0`)
	if found, failed := p.query(`ALERTS{alertstate="firing"}`); failed != "" || len(found) > 0 {
		t.Errorf("before the fault: %v %s", found, failed)
	}
	fault := func() { s.get("/bad/") }
	use := func() { s.get("/visits/") }
	p.await(`ALERTS{alertname="WasmoorTraps",alertstate="firing",plugin="bad",kind="unreachable"}`, fault, use)
	p.await(`ALERTS{alertname="WasmoorErrors",alertstate="firing",plugin="bad"}`, fault, use)
	found, _ := p.query(`ALERTS{alertstate="firing",plugin!="bad"}`)
	if len(found) > 0 {
		t.Errorf("these fire too: %v", found)
	}
	p.checkRules()
	p.checkDashboard()
}

// checkRules wants that Prometheus has evaluated all rules without an error.
func (p *prometheus) checkRules() {
	var out struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	a, err := send(p.t.Context(), "GET", p.url+"/api/v1/rules", "", nil)
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &out)
	}
	if err != nil || len(out.Data.Groups) != 1 || len(out.Data.Groups[0].Rules) < 15 {
		p.t.Fatalf("the rules: %v %v", err, a)
	}
	for _, rule := range out.Data.Groups[0].Rules {
		if rule.Health != "ok" {
			p.t.Errorf("rule %s: %s %s", rule.Name, rule.Health, rule.LastError)
		}
	}
}

// checkDashboard wants something for each panel.
func (p *prometheus) checkDashboard() {
	text, err := os.ReadFile("../docs/monitoring/dashboard.json")
	if err != nil {
		p.t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		p.t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for i, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$plugin", ".*").Replace(target.Expr)
			if found, failed := p.query(expr); failed != "" || len(found) == 0 {
				p.t.Errorf("panel %q, query %d finds nothing: %s", panel.Title, i, failed)
			}
		}
	}
}
