package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capability/kv"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/logs"
	"github.com/wasmoor/wasmoor/host/internal/logs/ring"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// operating returns the rows of OPERATING.md's tables.
func operating(t *testing.T) map[string][]string {
	t.Helper()
	return rows(read(t, "docs/OPERATING.md"))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows returns the cells of a document's tables by their first cell.
func rows(text string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		rows[cells[0]] = cells[1:]
	}
	return rows
}

func TestOperatingLimitsAreTheCode(t *testing.T) {
	table := operating(t)
	size := func(n int64) string { return limit.FormatSize(n) }
	d, m := limit.Default(), limit.Maximum()
	o, om := egress.DefaultLimits(), egress.MaximumLimits()
	for _, row := range []struct{ name, def, max string }{
		{"memory of an instance", size(d.Memory), size(m.Memory)},
		{"time of a handler, re-runs included", d.Deadline.String(), m.Deadline.String()},
		{"request body", size(d.RequestBody), size(m.RequestBody)},
		{"request body of a route", "that of the plugin", size(limit.RouteBody)},
		{"response body", size(d.ResponseBody), size(m.ResponseBody)},
		{"requests of a plugin at a time", fmt.Sprint(d.Concurrency), fmt.Sprint(m.Concurrency)},
		{"requests that wait, for each that runs", fmt.Sprint(limit.Queue), ""},
		{"request line and header", size(limit.RequestHead), ""},
		{"URL", size(limit.RequestURL), ""},
		{"header fields of a request", fmt.Sprint(limit.Headers), ""},
		{"header fields of a response", fmt.Sprint(limit.Headers), ""},
		{"response header", size(limit.ResponseHead), ""},
		{"module", size(limit.Module), ""},
		{"key", size(store.MaxKey), ""},
		{"value", size(store.MaxValue), ""},
		{"writes of an invocation", fmt.Sprint(store.MaxEffectOps), ""},
		{"bytes written by an invocation", size(store.MaxEffectBytes), ""},
		{"keys of a plugin", fmt.Sprint(kv.DefaultKeys), "by grant"},
		{"bytes of a plugin", size(kv.DefaultBytes), "by grant"},
		{"runs of a handler after conflicts", fmt.Sprint(limit.Attempts), ""},
		{"calls of an attempt", fmt.Sprint(o.Calls), fmt.Sprint(om.Calls)},
		{"calls of an attempt that are sent at a time", fmt.Sprint(o.Concurrent), fmt.Sprint(om.Concurrent)},
		{"time of a call", o.Timeout.String(), om.Timeout.String()},
		{"response body of a call, decompressed", size(o.ResponseBody), size(om.ResponseBody)},
		{"request head of a call", size(egress.MaxHead), ""},
		{"request body of a call", size(egress.MaxBody), ""},
		{"request bodies of an attempt's calls, until they are sent", size(egress.MaxBodies), ""},
		{"answers of a request's calls, kept for another attempt", size(egress.MaxAnswers), ""},
		{"answer kept for an Idempotency-Key", size(limit.Replay), ""},
		{"time an answer is kept for", "0", fmt.Sprint(limit.MaxReplayAge)},
		{"log line", size(limit.LogLine), ""},
		{"log bytes of a plugin in a second, after ten times as much at once", size(logs.Bytes), ""},
		{"records of a plugin's failed requests in a second, after ten times as many at once", fmt.Sprint(logs.Failures), ""},
		{"lines of a plugin that are kept on disk", size(ring.Size), ""},
		{"log lines of an attempt", fmt.Sprint(limit.LogLines), ""},
	} {
		got := table[row.name]
		if len(got) < 3 || got[1] != row.def || got[2] != row.max {
			t.Errorf("OPERATING.md row %q is %q, the code says default %q maximum %q", row.name, got, row.def, row.max)
		}
	}
}

func TestOperatingConfigurationIsTheCode(t *testing.T) {
	table := operating(t)
	c := DefaultConfig()
	for key, want := range map[string]any{
		"data": c.DataDir, "metrics": c.MetricsAddr, "public": c.PublicAddr, "admin": c.AdminAddr,
		"drain_timeout": c.DrainTimeout, "max_conns": c.MaxConns, "max_guest_memory": limit.FormatSize(c.MaxGuestMemory), "sleep_after": c.SleepAfter, "max_body_memory": limit.FormatSize(c.MaxBodyMemory), "max_handler_memory": limit.FormatSize(c.MaxHandlerMemory), "max_reply_memory": limit.FormatSize(c.MaxReplyMemory), "max_body_disk": limit.FormatSize(c.MaxBodyDisk), "header_timeout": c.HeaderTimeout, "body_timeout": c.BodyTimeout,
		"write_timeout": c.WriteTimeout, "idle_timeout": c.IdleTimeout, "min_free_disk": limit.FormatSize(c.MinFreeDisk),
		"tls_cert": c.TLSCert, "tls_key": c.TLSKey, "admin_tls_cert": c.AdminTLSCert, "admin_tls_key": c.AdminTLSKey, "admin_allow": c.AdminAllow, "trusted_proxies": c.TrustedProxies,
		"access_log_sample": c.AccessLogSample, "access_log_file": "",
		"outbound_allow_networks": c.OutboundAllowNetworks,
	} {
		if got := table[key]; len(got) < 1 || got[0] != fmt.Sprint(want) {
			t.Errorf("OPERATING.md row %q is %q, the code's default is %v", key, got, want)
		}
	}
}

func TestOperatingStatesAreTheCode(t *testing.T) {
	table := operating(t)
	for _, state := range []string{adminapi.StateServing, adminapi.StateAsleep, adminapi.StateFailed, adminapi.StateStopped, adminapi.StateDeleted} {
		if len(table[state]) != 1 {
			t.Errorf("OPERATING.md does not say what the state %q means", state)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"data":               func(c *Config) { c.DataDir = "" },
		"public":             func(c *Config) { c.PublicAddr = "8080" },
		"admin":              func(c *Config) { c.AdminAddr = "" },
		"header_timeout":     func(c *Config) { c.HeaderTimeout = 0 },
		"body_timeout":       func(c *Config) { c.BodyTimeout = 0 },
		"drain_timeout":      func(c *Config) { c.DrainTimeout = -time.Second },
		"max_conns":          func(c *Config) { c.MaxConns = 0 },
		"max_guest_memory":   func(c *Config) { c.MaxGuestMemory = 0 },
		"sleep_after":        func(c *Config) { c.SleepAfter = -time.Second },
		"max_body_memory":    func(c *Config) { c.MaxBodyMemory = 0 },
		"max_handler_memory": func(c *Config) { c.MaxHandlerMemory = 95 << 20 },
		"max_reply_memory":   func(c *Config) { c.MaxReplyMemory = 63 << 20 },
		"max_body_disk":      func(c *Config) { c.MaxBodyDisk = 0 },
		"min_free_disk":      func(c *Config) { c.MinFreeDisk = 1 << 20 },
		"tls_cert":           func(c *Config) { c.TLSKey = "key.pem" },
		"admin_tls_cert":     func(c *Config) { c.AdminTLSCert = "cert.pem" },
		"admin_allow":        func(c *Config) { c.AdminAllow = "10.0.0.1/8" },
		"trusted_proxies":    func(c *Config) { c.TrustedProxies = "10.0.0.0/8, proxy.example" },

		"outbound_allow_networks": func(c *Config) { c.OutboundAllowNetworks = "10.0.0.0/8, 10.0.0.1/8" },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("Validate with a bad %s: %v, want an error that names it", name, err)
		}
	}
	for _, network := range []string{"10.0.0.5/8", "::ffff:10.0.0.0/104", "fe80::1%lo", "10.0.0.0/33", "010.0.0.0/8", "*"} {
		for name, change := range map[string]func(*Config){
			"trusted_proxies":         func(c *Config) { c.TrustedProxies = network },
			"outbound_allow_networks": func(c *Config) { c.OutboundAllowNetworks = network },
		} {
			c := DefaultConfig()
			change(&c)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), `"`+name+`"`) {
				t.Errorf("%s = %q: %v, want an error that names the key", name, network, err)
			}
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default configuration: %v", err)
	}
}

// TestReadmesNameThePortOfTheirCommand: `wasmoor dev` listens elsewhere than a
// server does.
func TestReadmesNameThePortOfTheirCommand(t *testing.T) {
	files, err := filepath.Glob("../[ep]*s/*/README.md") // examples and plugins
	if err != nil || len(files) < 7 {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, file := range append(files, "../sdk/README.md") {
		for i, block := range strings.Split(read(t, file), "```") {
			dev := strings.Contains(block, "wasmoor dev")
			if i%2 == 1 && (dev && strings.Contains(block, ":8080") || !dev && strings.Contains(block, ":8090")) {
				t.Errorf("%s: the port is not that of the command:%s", file, block)
			}
		}
	}
}

func TestNetworks(t *testing.T) {
	for _, text := range []string{"proxy.example", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "fe80::1%eth0", "10.0.0.1:80", "10.0.0.0/8 10.1.0.0/16"} {
		if list, err := networks("key", text); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q reads as %v, %v, want invalid", text, list, err)
		}
	}
	list, err := networks("key", " 10.0.0.0/8,, 127.0.0.1 , fd00::/8,::1")
	if got := fmt.Sprint(list); err != nil || got != "[10.0.0.0/8 127.0.0.1/32 fd00::/8 ::1/128]" {
		t.Errorf("networks reads as %s, %v", got, err)
	}
}
