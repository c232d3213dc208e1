package queue_test

import (
	"strings"
	"testing"
	"time"

	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

func parse(text string) (*manifest.Manifest, error) {
	u := capqueue.Unit()
	section := manifest.Section{Name: u.Name, Keys: u.Keys, Named: u.Named, Read: u.Read}
	return manifest.Parse([]byte("manifest_version = 1\nname = \"p\"\n"+text), "f.toml", []manifest.Section{section})
}

func TestManifest(t *testing.T) {
	m, err := parse(`
[queue.mail]
request = "POST /queues/mail/now"
attempts = 7
backoff = "2s..1h"
concurrency = 3
retention = "14d"
deadline = "15m"
external = "at-most-once"
[queue.jobs]
request = "PUT /jobs"
[[route]]
pattern = "POST /queues/{name}/now"
[[route]]
pattern = "PUT /jobs"
[[route]]
pattern = "GET /jobs"
`)
	if err != nil {
		t.Fatal(err)
	}
	mail, _ := capqueue.Of(m).Find("mail")
	if mail.Attempts != 7 || mail.Backoff != [2]time.Duration{2 * time.Second, time.Hour} || mail.Concurrency != 3 ||
		mail.Retention != 14*24*time.Hour || mail.Deadline != 15*time.Minute || !mail.AtMostOnce {
		t.Errorf("mail: %+v", mail)
	}
	if r := mail.Request; r.Route != 0 || r.Pattern != "POST /queues/{name}/now" || len(r.Params) != 1 || r.Params[0].Value != "mail" {
		t.Errorf("its request: %+v", r)
	}
	jobs, _ := capqueue.Of(m).Find("jobs")
	if jobs.Attempts != 5 || jobs.Backoff != [2]time.Duration{time.Second, 5 * time.Minute} || jobs.Concurrency != 8 || jobs.Retention != 7*24*time.Hour || jobs.Deadline != 0 || jobs.AtMostOnce {
		t.Errorf("jobs: %+v", jobs)
	}
	if closed := strings.Join(m.Closed(), ", "); closed != "POST /queues/{name}/now, PUT /jobs" {
		t.Errorf("closed: %s", closed)
	}
	if m, err = parse("[queue.a]\nrequest = \"POST /a\"\n"); err != nil || strings.Join(m.Closed(), ", ") != "POST /a" {
		t.Errorf("without routes: %v, %v", m.Closed(), err)
	}
}

func TestManifestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"[queue.a]\n":                                                          "queue.a.request: it is missing",
		"[queue.A]\nrequest = \"POST /a\"\n":                                   "a queue's name has 1 to 63 characters",
		"[queue.a]\nrequest = \"POST /a?b=c\"\n":                               "it has a query",
		"[queue.a]\nrequest = \"HEAD /a\"\n":                                   "what HEAD does is dropped",
		"[queue.a]\nrequest = \"POST /{a}\"\n":                                 "the path has characters that no route has",
		"[queue.a]\nrequest = \"POST /b\"\n[[route]]\npattern = \"POST /a\"\n": "no route of the manifest answers POST /b",
		"[queue.a]\nrequest = \"POST /a\"\nbackoff = \"5m..1s\"\n":             "is not two times",
		"[queue.a]\nrequest = \"POST /a\"\nretention = \"31d\"\n":              "is not from 1d to 30d",
		"[queue.a]\nrequest = \"POST /a\"\ndeadline = \"16m\"\n":               "above the maximum of 15m0s",
		"[queue.a]\nrequest = \"POST /a\"\nexternal = \"once\"\n":              "is unknown; write",
		"[queue.a]\nrequest = \"POST /a\"\nattempts = 0\n":                     "at least 1",
		"[queue.webhooks]\nrequest = \"POST /a\"\n":                            "unknown key",
		"[queue.webhooks]\nexternal = \"at-most-once\"\n":                      "unknown key",
		"[queue.a]\nrequest = \"POST /a\"\nvisibility = \"1s\"\n":              "unknown key",
	} {
		if _, err := parse(text); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
