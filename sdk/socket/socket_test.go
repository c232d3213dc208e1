package socket_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/socket"
)

// try opens a socket whose handler calls f, and returns what f has returned.
func try(sockets map[string]string, f func(id string) error) (*sdktest.Socket, error) {
	err := errors.New("the handler was not called")
	host := sdktest.New(func(_ *sdk.Response, r *sdk.Request) error {
		e, _ := socket.From(r)
		err = f(e.ID)
		return nil
	})
	host.Sockets = sockets
	if sockets == nil { // nothing opens one
		host.Get("/")
		return nil, err
	}
	return host.Open("/rooms/1"), err
}

var rooms = map[string]string{"GET /rooms/{id}": "POST /rooms/{id}/events"}

// TestErrors: each call names itself, what it was about, and the reason.
func TestErrors(t *testing.T) {
	calls := map[string]func(id string) error{
		"socket_send":     func(id string) error { return socket.Send(id, []byte("a")) },
		"socket_close":    func(id string) error { return socket.Close(id, 0, "") },
		"socket_follow":   func(id string) error { return socket.Follow(id, "a") },
		"socket_unfollow": func(id string) error { return socket.Unfollow(id, "a") },
		"socket_attach":   func(id string) error { return socket.Attach(id, "a") },
	}
	for name, call := range calls {
		_, err := try(rooms, func(string) error { return call("nobody") })
		wantError(t, err, name, "nobody", socket.ErrNotFound, "there is no such socket")
		_, err = try(nil, func(string) error { return call("nobody") })
		wantError(t, err, name, "nobody", socket.ErrDenied, "[[socket]]")
		wantError(t, call("nobody"), name, "nobody", socket.ErrUnavailable, "while a request is served")
		if _, err = try(rooms, call); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	topics := map[string]func() error{
		"publish":     func() error { return socket.Publish("t", []byte("a")) },
		"topic_count": func() error { _, err := socket.Count("t"); return err },
	}
	for name, call := range topics {
		_, err := try(nil, func(string) error { return call() })
		wantError(t, err, name, "t", socket.ErrDenied, "[[socket]]")
		wantError(t, call(), name, "t", socket.ErrUnavailable, "while a request is served")
	}
}

func wantError(t *testing.T, err error, call, of string, status error, why string) {
	t.Helper()
	e, ok := errors.AsType[*socket.Error](err)
	if !ok || e.Call != call || e.Of != of || !errors.Is(err, status) || !strings.Contains(err.Error(), why) || !strings.HasPrefix(err.Error(), call+` "`+of+`": `) {
		t.Errorf("%s: %v, want %v: %s", call, err, status, why)
	}
}

// TestBounds: each bound holds, and what is just within it is taken.
func TestBounds(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	for name, tc := range map[string]struct {
		call func(id string) error
		want error
	}{
		"data":                   {func(id string) error { return socket.Send(id, make([]byte, socket.MaxData)) }, nil},
		"too much data":          {func(id string) error { return socket.Send(id, make([]byte, socket.MaxData+1)) }, socket.ErrLimit},
		"too much published":     {func(string) error { return socket.Publish("t", make([]byte, socket.MaxData+1)) }, socket.ErrLimit},
		"a topic":                {func(id string) error { return socket.Follow(id, long(socket.MaxTopic)) }, nil},
		"too long a topic":       {func(id string) error { return socket.Follow(id, long(socket.MaxTopic+1)) }, socket.ErrLimit},
		"an attachment":          {func(id string) error { return socket.Attach(id, long(socket.MaxAttachment)) }, nil},
		"too long an attachment": {func(id string) error { return socket.Attach(id, long(socket.MaxAttachment+1)) }, socket.ErrLimit},
		"an empty topic":         {func(string) error { return socket.Publish("", nil) }, socket.ErrInvalid},
		"a topic of two lines":   {func(string) error { return socket.Publish("a\nb", nil) }, socket.ErrInvalid},
		"text that is none":      {func(id string) error { return socket.Send(id, []byte("\xff")) }, socket.ErrInvalid},
		"binary": {func(id string) error {
			return socket.SendContent(id, socket.Content{Data: []byte("\xff"), Binary: true})
		}, nil},
		"a name of two lines":    {func(string) error { return socket.PublishContent("t", socket.Content{Event: "a\nb"}) }, socket.ErrInvalid},
		"a code of its own":      {func(id string) error { return socket.Close(id, 4999, "") }, nil},
		"a code of the protocol": {func(id string) error { return socket.Close(id, 1002, "") }, socket.ErrInvalid},
		"a negative code":        {func(id string) error { return socket.Close(id, -1, "") }, nil},
		"a code that is none":    {func(id string) error { return socket.Close(id, 5000, "") }, socket.ErrInvalid},
		"all effects":            {func(id string) error { return often(socket.MaxEffects, id) }, nil},
		"one effect more":        {func(id string) error { return often(socket.MaxEffects+1, id) }, socket.ErrLimit},
	} {
		if _, err := try(rooms, tc.call); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func often(n int, id string) (err error) {
	for range n {
		err = errors.Join(err, socket.Send(id, nil))
	}
	return err
}

// TestFrom: a handler is told what happens, and a request of a client is no event.
func TestFrom(t *testing.T) {
	var got socket.Event
	var ok bool
	host := sdktest.New(func(_ *sdk.Response, r *sdk.Request) error {
		got, ok = socket.From(r)
		if got.Kind == socket.Open {
			return socket.Attach(got.ID, "ann")
		}
		return nil
	})
	host.Sockets = rooms
	want := func(want socket.Event) {
		t.Helper()
		if !ok || got != want {
			t.Errorf("told %+v, %v; want %+v", got, ok, want)
		}
	}
	s := host.Open("/rooms/1")
	want(socket.Event{Kind: socket.Open, ID: s.ID, WebSocket: true})
	s.Say("a")
	want(socket.Event{Kind: socket.Message, ID: s.ID, WebSocket: true, Attachment: "ann"})
	s.SayBinary([]byte("\xff"))
	want(socket.Event{Kind: socket.Message, ID: s.ID, WebSocket: true, Attachment: "ann", Binary: true})
	s.Leave(4001, "bored")
	want(socket.Event{Kind: socket.Closed, ID: s.ID, WebSocket: true, Attachment: "ann", Code: 4001, Reason: "bored", ByClient: true})
	if host.Do(httptest.NewRequest("GET", "/other", nil)); ok || got != (socket.Event{}) {
		t.Errorf("a client's request is read as %+v", got)
	}
}
