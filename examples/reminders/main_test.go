package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func newHost() *sdktest.Host {
	host := sdktest.New(routes().Serve)
	host.Crons = map[string]string{"tasks-due": "POST /tasks/due"}
	host.Queues = map[string]string{"remind": "POST /queues/remind", "webhooks": ""}
	host.Secrets = map[string]string{"signing": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	host.Public = true
	return host
}

// add keeps a reminder that is due after so long.
func add(t *testing.T, host *sdktest.Host, after time.Duration, url, text string) {
	t.Helper()
	body := fmt.Sprintf(`{"at":%q,"url":%q,"text":%q}`, host.Now.Add(after).Format(time.RFC3339), url, text)
	if res := host.Send("POST", "/reminders", "application/json", body); res.Status != 201 {
		t.Fatal(res)
	}
}

// run has the schedule come and the queue handled, and returns how many were refused.
func run(t *testing.T, host *sdktest.Host) (refused int) {
	t.Helper()
	if res := host.Tick("tasks-due"); res.Status != 200 {
		t.Fatal(res)
	}
	for res := host.Deliver("remind"); res != nil; res = host.Deliver("remind") {
		if res.Status == 422 {
			refused++
		}
	}
	return refused
}

func sent(host *sdktest.Host) (texts []string) {
	for _, w := range host.Webhooks() {
		var m reminder
		_ = json.Unmarshal(w.Body, &m)
		texts = append(texts, m.Text+" to "+w.URL)
	}
	return texts
}

func TestReminders(t *testing.T) {
	host := newHost()
	add(t, host, time.Hour, "https://example.com/b", "later")
	add(t, host, time.Minute, "https://example.com/a", "tea")
	add(t, host, time.Minute, "http://stock.wasmoor.internal/", "to a plugin")
	if refused := run(t, host); refused > 0 || len(sent(host)) > 0 {
		t.Errorf("too early: %d refused, sent %q", refused, sent(host))
	}
	host.Now = host.Now.Add(time.Minute)
	if refused := run(t, host); refused != 1 || fmt.Sprint(sent(host)) != "[tea to https://example.com/a]" {
		t.Errorf("%d refused, sent %q", refused, sent(host))
	}
	host.Now = host.Now.Add(time.Hour)
	if refused := run(t, host); refused > 0 || len(sent(host)) != 2 || len(host.Store.Keys("")) > 0 {
		t.Errorf("at the end: %d refused, sent %q, kept %q", refused, sent(host), host.Store.Keys(""))
	}
}

func TestMoreThanABatch(t *testing.T) {
	host := newHost()
	for n := range batch + 1 {
		add(t, host, 0, "https://example.com", fmt.Sprint(n))
	}
	for _, want := range []int{batch, batch + 1, batch + 1} {
		if run(t, host); len(sent(host)) != want {
			t.Errorf("%d are sent, want %d", len(sent(host)), want)
		}
	}
}

func TestRefuses(t *testing.T) {
	host := newHost()
	for body, status := range map[string]int{`{}`: 422, `{"at":"2030-01-01T12:00:00Z","url":"https://example.com"}`: 422, `{`: 400, `{"at":"1900-01-01T12:00:00Z","url":"u","text":"t"}`: 422} {
		if res := host.Send("POST", "/reminders", "application/json", body); res.Status != status {
			t.Errorf("%s: %v, want %d", body, res, status)
		}
	}
	if res := host.Send("POST", "/tasks/due", "", ""); res.Status != 404 {
		t.Errorf("a client reaches the schedule: %v", res)
	}
}
