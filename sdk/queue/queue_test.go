package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

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
