package queue_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/queue"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// routes sends what it is told to, and handles it.
func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("POST /send", func(w *sdk.Response, r *sdk.Request) error {
		sent, err := queue.SendWith(r.Query().Get("queue"), []byte(r.Query().Get("body")), queue.Options{
			Key: r.Query().Get("key"), ID: r.Query().Get("id"), Delay: time.Duration(len(r.Query().Get("delay"))) * time.Second,
		})
		if err != nil {
			return err
		}
		if !sent {
			w.SetStatus(409)
		}
		return nil
	})
	r.HandleFunc("POST /queues/mail", func(w *sdk.Response, r *sdk.Request) error {
		d, ok := queue.From(r)
		body, err := r.Body(queue.MaxBody)
		if err != nil || !ok {
			return errors.Join(err, errors.New("no message"))
		}
		if err := kv.Add("tried/"+string(body), 1); err != nil {
			return err
		}
		switch {
		case string(body) == "refuse":
			w.SetStatus(422)
		case string(body) == "flaky" && d.Attempt == 1:
			w.SetStatus(429)
		}
		return nil
	})
	return r
}

func newHost() *sdktest.Host {
	host := sdktest.New(routes().Serve)
	host.Queues = map[string]string{"mail": "POST /queues/mail"}
	return host
}

func send(t *testing.T, host *sdktest.Host, query string, status int) {
	t.Helper()
	if res := host.Send("POST", "/send?queue=mail&"+query, "", ""); res.Status != status {
		t.Errorf("%s: %v, want %d", query, res, status)
	}
}

func TestQueue(t *testing.T) {
	host := newHost()
	if res := host.Send("POST", "/queues/mail", "", ""); res.Status != 404 {
		t.Errorf("a client reaches the handler: %v", res)
	}
	send(t, host, "body=flaky&key=k&id=1", 200)
	send(t, host, "body=again&id=1", 409)
	send(t, host, "body=after&key=k", 200)
	send(t, host, "body=refuse", 200)
	send(t, host, "body=later&delay=s", 200)
	for _, want := range []struct {
		status int
		tried  string
		count  int64
	}{
		{429, "flaky", 0}, // dropped
		{200, "flaky", 1},
		{200, "after", 1},
		{422, "refuse", 1},
	} {
		res := host.Deliver("mail")
		if res == nil || res.Status != want.status || host.Store.Int("tried/"+want.tried) != want.count {
			t.Errorf("%v, %s %d times; want %+v", res, want.tried, host.Store.Int("tried/"+want.tried), want)
		}
	}
	if res := host.Deliver("mail"); res != nil {
		t.Errorf("before its time: %v", res)
	}
	host.Now = host.Now.Add(time.Second)
	if res := host.Deliver("mail"); res == nil || res.Status != 200 {
		t.Errorf("in time: %v", res)
	}
	if left := host.Messages("mail"); len(left) != 1 || !left[0].Dead || string(left[0].Body) != "refuse" || left[0].Attempts != 1 {
		t.Errorf("left: %+v", left)
	}
}

func TestAnotherPlugin(t *testing.T) {
	host := newHost()
	host.Queues = map[string]string{"stock/mail": ""}
	host.Service("ledger", http.NotFoundHandler())
	if res := host.Send("POST", "/send?queue=stock/mail&body=a&key=k", "", ""); res.Status != 200 {
		t.Error(res)
	}
	if list := host.Messages("stock/mail"); len(list) != 1 || string(list[0].Body) != "a" || list[0].Key != "k" {
		t.Errorf("sent: %+v", list)
	}
	for to, want := range map[string]string{
		"stock/letters": "not found: the other plugin has no such queue",
		"ledger/mail":   "not found: the other plugin has no such queue",
		"nobody/mail":   "denied: [services] in wasmoor.toml has no such name",
	} {
		if res := host.Send("POST", "/send?queue="+to, "", ""); res.Status != 500 || !strings.Contains(res.Logs[0].String(), want) {
			t.Errorf("%s: %v", to, res)
		}
	}
	var got queue.Delivery
	from := sdktest.New(func(_ *sdk.Response, r *sdk.Request) error {
		got, _ = queue.From(r)
		return nil
	})
	from.Trigger, from.Attributes = abi.TriggerQueue, map[string]string{"queue.name": "mail", "queue.from": "shop", "queue.attempt": "1"}
	if from.Send("POST", "/queues/mail", "", ""); got.From != "shop" || got.Queue != "mail" {
		t.Errorf("told: %+v", got)
	}
}

func TestErrors(t *testing.T) {
	host := newHost()
	for query, want := range map[string]string{
		"queue=letters": "the manifest has no such queue",
		"queue=mail&key=" + strings.Repeat("k", 256): "a key or an id over 255 bytes",
	} {
		res := host.Send("POST", "/send?"+query, "", "")
		if res.Status != 500 || len(res.Logs) == 0 || !strings.Contains(res.Logs[0].String(), want) {
			t.Errorf("%s: %v", query, res)
		}
	}
	host.Queues = nil
	if res := host.Send("POST", "/send?queue=mail", "", ""); res.Status != 500 || !strings.Contains(res.Logs[0].String(), "denied") {
		t.Errorf("without queues: %v", res)
	}
}
