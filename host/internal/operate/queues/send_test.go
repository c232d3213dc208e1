package queues_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/operate/queues"
	"github.com/wasmoor/wasmoor/host/internal/queue/delivery"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// serve has the plugin serve, whose handler answers as said and lets go of messages
// when the returned function is called.
func (d *desk) serve(answer trigger.Outcome) (release func()) {
	d.t.Helper()
	const text = "manifest_version = 1\nname = \"demo\"\n[queue.webhooks]\n[queue.q]\nrequest = \"POST /q\"\nattempts = 1\nretention = \"1h\"\n"
	m, err := manifest.Parse([]byte(text), "wasmoor.toml", capabilities.All(capabilities.Config{}).Sections())
	if err != nil {
		d.t.Fatal(err)
	}
	hold := make(chan struct{})
	s := delivery.New(delivery.Config{
		Store: d.store.Store, Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Serving: func() []deploy.Installed { return []deploy.Installed{{Name: "demo", Space: d.space, Manifest: m}} },
		Run: func(context.Context, *trigger.Request) trigger.Outcome {
			<-hold
			return answer
		},
	})
	s.Start()
	release = sync.OnceFunc(func() { close(hold) })
	d.t.Cleanup(func() {
		release()
		if err := s.Close(context.Background()); err != nil {
			d.t.Error(err)
		}
	})
	d.Queues = queues.New(d.store, d.registry, s, func() time.Time { return d.now })
	return release
}

func sendTo(of string) adminapi.Send {
	return adminapi.Send{QueueRef: adminapi.QueueRef{PluginRef: adminapi.PluginRef{Name: "demo"}, Queue: of}}
}

// TestSend: an operator's message is one as the plugin sends, with the id that is told.
func TestSend(t *testing.T) {
	d := open(t)
	d.serve(trigger.Outcome{Status: 200})
	in := sendTo("q")
	in.Key, in.ID, in.Delay = "user/7", "once", "24h"
	sent, err := d.Send(t.Context(), in, []byte("hello"), "ann")
	if err != nil || sent.State != adminapi.SentWaiting {
		t.Fatalf("%+v, %v", sent, err)
	}
	again, err := d.Send(t.Context(), in, []byte("hello"), "ann")
	if err != nil || again != (adminapi.Sent{State: adminapi.SentRepeated}) {
		t.Errorf("a repeat: %+v, %v", again, err)
	}
	list := d.peek("q", false).Messages
	if len(list) != 1 {
		t.Fatalf("%d messages", len(list))
	}
	m := list[0]
	if m.ID != sent.ID || m.Key != "user/7" || m.Body != "hello" || m.Due == nil || m.Due.Sub(m.Sent) != 24*time.Hour {
		t.Errorf("%+v, want the id %s", m, sent.ID)
	}
	if got := d.audited(); !slices.Equal(got, []string{"queue-send: 1 message of 5 bytes to queue q by ann"}) {
		t.Errorf("%q", got)
	}
}

// TestSendWaits: the answer waits for what becomes of the message, no longer than it may.
func TestSendWaits(t *testing.T) {
	for want, answer := range map[string]trigger.Outcome{
		adminapi.SentHandled: {Status: 200},
		adminapi.SentDead:    {Status: 500},
	} {
		d := open(t)
		d.now = time.Now()
		release := d.serve(answer)
		in := sendTo("q")
		in.Wait = "1ms"
		if sent, err := d.Send(t.Context(), in, nil, "ann"); err != nil || sent.State != adminapi.SentWaiting {
			t.Errorf("while it is handled: %+v, %v", sent, err)
		}
		release()
		in.Wait = "1m"
		sent, err := d.Send(t.Context(), in, nil, "ann")
		if err != nil || sent.State != want || (sent.Problem != "") != (want == adminapi.SentDead) {
			t.Errorf("%+v, %v, want %s", sent, err, want)
		}
	}
}

// TestSendRefuses: what a plugin may not send an operator may not, and nothing of it is
// kept or told to the audit.
func TestSendRefuses(t *testing.T) {
	d := open(t)
	if _, err := d.Send(t.Context(), sendTo("q"), nil, "ann"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("of a plugin that does not serve: %v", err)
	}
	d.serve(trigger.Outcome{Status: 200})
	change := func(f func(*adminapi.Send)) adminapi.Send {
		in := sendTo("q")
		f(&in)
		return in
	}
	long := strings.Repeat("x", limits.QueueKey+1)
	for name, tt := range map[string]struct {
		in   adminapi.Send
		size int
		want fault.Code
	}{
		"plugin":    {change(func(in *adminapi.Send) { in.Name = "none" }), 0, fault.NotFound},
		"queue":     {sendTo("none"), 0, fault.NotFound},
		"webhooks":  {sendTo("webhooks"), 0, fault.Invalid},
		"body":      {sendTo("q"), limits.QueueBody + 1, fault.TooLarge},
		"key":       {change(func(in *adminapi.Send) { in.Key = long }), 0, fault.Invalid},
		"id":        {change(func(in *adminapi.Send) { in.ID = long }), 0, fault.Invalid},
		"bytes":     {change(func(in *adminapi.Send) { in.Key = "\xff" }), 0, fault.Invalid},
		"delay":     {change(func(in *adminapi.Send) { in.Delay = "9000h" }), 0, fault.Invalid},
		"past":      {change(func(in *adminapi.Send) { in.Delay = "-1s" }), 0, fault.Invalid},
		"no time":   {change(func(in *adminapi.Send) { in.Delay = "soon" }), 0, fault.Invalid},
		"long wait": {change(func(in *adminapi.Send) { in.Wait = "2m" }), 0, fault.Invalid},
	} {
		if _, err := d.Send(t.Context(), tt.in, make([]byte, tt.size), "ann"); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	if left := d.peek("q", false).Messages; len(left) != 0 || len(d.audited()) != 0 {
		t.Errorf("%+v is kept, %q is told", left, d.audited())
	}
	largest := change(func(in *adminapi.Send) { in.Key, in.ID, in.Delay = long[1:], long[1:], "8760h" })
	if _, err := d.Send(t.Context(), largest, make([]byte, limits.QueueBody), "ann"); err != nil {
		t.Errorf("the largest: %v", err)
	}
}
