package sdktest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/socket"
)

// chatHost has rooms: a message is published, unless it tells the handler something else.
func chatHost() *sdktest.Host {
	r := sdk.NewRouter()
	r.HandleFunc("GET /rooms/{id}", func(w *sdk.Response, r *sdk.Request) error {
		e, _ := socket.From(r)
		if status, err := strconv.Atoi(r.Query().Get("status")); err == nil {
			w.SetStatus(status)
		}
		if err := socket.Send(e.ID, []byte("sent")); err != nil {
			return err
		}
		if _, err := w.WriteString("welcome " + r.Header("x-name")); err != nil {
			return err
		}
		return socket.Follow(e.ID, "room:"+r.PathValue("id"))
	})
	r.HandleFunc("POST /rooms/{id}/events", chatEvent)
	r.HandleFunc("POST /publish", func(w *sdk.Response, r *sdk.Request) error {
		if status, err := strconv.Atoi(r.Query().Get("status")); err == nil {
			w.SetStatus(status)
		}
		if r.Query().Get("write") != "" {
			if err := kv.SetInt("n", 1); err != nil {
				return err
			}
		}
		return socket.PublishContent("room:1", socket.Content{Data: []byte("news"), Event: "tick", Binary: true})
	})
	h := sdktest.New(r.Serve)
	h.Sockets = map[string]string{"GET /rooms/{id}": "POST /rooms/{id}/events"}
	return h
}

func chatEvent(w *sdk.Response, r *sdk.Request) error {
	e, _ := socket.From(r)
	if e.Kind == socket.Closed {
		_, err := fmt.Fprintf(w, "closed %d %q %v", e.Code, e.Reason, e.ByClient)
		return err
	}
	body, err := r.Body(socket.MaxData)
	if err != nil {
		return err
	}
	what, rest, _ := strings.Cut(string(body), " ")
	switch what {
	case "echo":
		_, err = w.WriteString(rest)
	case "type":
		w.SetHeader("Content-Type", rest)
		_, err = w.WriteString("typed")
	case "status":
		status, _ := strconv.Atoi(rest)
		w.SetStatus(status)
	case "close":
		err = socket.Close(e.ID, 4001, rest)
	case "follow": // so many topics more
		n, _ := strconv.Atoi(rest)
		for i := range n {
			if err := socket.Follow(e.ID, fmt.Sprintf("more:%d", i)); err != nil {
				return err
			}
		}
	case "unfollow":
		err = socket.Unfollow(e.ID, rest)
	case "trap":
		panic("it was told to")
	default:
		err = socket.Publish("room:"+r.PathValue("id"), body)
	}
	return err
}

func received(s *sdktest.Socket) (all []string) {
	for _, c := range s.Received {
		all = append(all, c.Text())
	}
	return all
}

func wantReceived(t *testing.T, s *sdktest.Socket, want ...string) {
	t.Helper()
	if got := received(s); !slices.Equal(got, want) {
		t.Errorf("%s has got %q, want %q", s.ID, got, want)
	}
}

func wantClosed(t *testing.T, s *sdktest.Socket, code int, reason string) {
	t.Helper()
	if s.Open || s.Code != code || s.Reason != reason || len(s.Topics) > 0 {
		t.Errorf("open %v, closed with %d %q, follows %q; want %d %q", s.Open, s.Code, s.Reason, s.Topics, code, reason)
	}
}

func TestSocket(t *testing.T) {
	h := chatHost()
	ann, bob, eve := h.Open("/rooms/1", "X-Name: ann"), h.Open("/rooms/1"), h.Open("/rooms/2")
	if !ann.Open || ann.Answer.Status != 200 || !slices.Equal(ann.Topics, []string{"room:1"}) || ann.ID == bob.ID {
		t.Fatalf("opened %+v", ann)
	}
	ann.Say("hello")
	bob.Say("echo you")
	wantReceived(t, ann, "welcome ann", "sent", "hello")
	wantReceived(t, bob, "welcome ", "sent", "hello", "you")
	wantReceived(t, eve, "welcome ", "sent")
	h.Send("POST", "/publish", "", "")
	if got := h.Published("room:1"); len(got) != 2 || got[0].Text() != "hello" || got[0].Binary || got[1].Event != "tick" || !got[1].Binary {
		t.Errorf("published %+v", got)
	}
	if got := h.Published("room:3"); got != nil {
		t.Errorf("published on another topic: %+v", got)
	}
	ann.Say("unfollow room:1")
	bob.Say("alone")
	if got := received(ann); slices.Contains(got, "alone") {
		t.Errorf("ann follows no more, and has got %q", got)
	}
	if got := bob.Leave(1006, ""); got.Text() != `closed 1006 "" true` {
		t.Errorf("the handler is told %v", got)
	}
	wantClosed(t, bob, 1006, "")
	ann.Say("close enough")
	wantClosed(t, ann, 4001, "enough")
	if got := ann.Closed(); got.Text() != `closed 4001 "enough" false` {
		t.Errorf("the handler is told %v", got)
	}
}

// TestSocketEffects: what is said leaves with the commit, once, or not at all.
func TestSocketEffects(t *testing.T) {
	for query, want := range map[string]int{
		"": 1, "?write=1": 1, "?status=404&write=1": 1, "?status=500": 0, "?status=500&write=1": 0,
	} {
		h := chatHost()
		h.Conflicts = 2
		s := h.Open("/rooms/1")
		h.Send("POST", "/publish"+query, "", "")
		if got := len(h.Published("room:1")); got != want || len(s.Received) != 2+want {
			t.Errorf("%s: published %d times, want %d; the client has got %q", query, got, want, received(s))
		}
	}
}

// TestSocketEnds: answers end a socket as they do at the real host.
func TestSocketEnds(t *testing.T) {
	for say, want := range map[string]struct {
		code   int
		reason string
	}{
		"status 302": {1008, "the message was refused"},
		"status 422": {1008, "the message was refused"},
		"status 500": {1011, "the message was not handled"},
		"status 503": {1011, "the message was not handled"},
		"trap":       {1011, "the message was not handled"},
		"follow 100": {1008, "it follows too many topics"},
	} {
		s := chatHost().Open("/rooms/1")
		s.Say(say)
		if s.Code != want.code {
			t.Errorf("%s:", say)
		}
		wantClosed(t, s, want.code, want.reason)
	}
	s := chatHost().Open("/rooms/1")
	if s.Say("follow 99"); !s.Open || len(s.Topics) != 100 {
		t.Errorf("a socket that follows %d topics: open %v", len(s.Topics), s.Open)
	}
	h := chatHost()
	s = h.Open("/rooms/1")
	h.Conflicts = 100
	s.Say("hello")
	wantClosed(t, s, 1013, "the service cannot answer just now")
}

// TestSocketIsRefused: a client that is refused has an answer, and nothing else.
func TestSocketIsRefused(t *testing.T) {
	for _, status := range []int{204, 403, 500} {
		h := chatHost()
		s := h.Open("/rooms/1?status=" + strconv.Itoa(status))
		if s.Open || s.Answer.Status != status || len(s.Received) > 0 || len(s.Topics) > 0 {
			t.Errorf("%d: open %v, %v, has got %q, follows %q", status, s.Open, s.Answer, received(s), s.Topics)
		}
		if h.Send("POST", "/publish", "", ""); len(s.Received) > 0 {
			t.Errorf("%d: it gets %q later", status, received(s))
		}
	}
	h := chatHost()
	for _, r := range [][2]string{{"GET", "/rooms/1"}, {"POST", "/rooms/1/events"}} {
		if got := h.Send(r[0], r[1], "", ""); got.Status != http.StatusNotFound {
			t.Errorf("a client's %s %s: %v", r[0], r[1], got)
		}
	}
}

// TestSocketTypes: the content type of an answer says whether it is text.
func TestSocketTypes(t *testing.T) {
	for kind, binary := range map[string]bool{
		"text/html; charset=utf-8": false, "application/json": false, "application/problem+json": false, "Application/XML": false,
		"application/javascript": false, "application/x-ndjson": false, "application/x-www-form-urlencoded": false,
		"application/octet-stream": true, "image/png": true,
	} {
		s := chatHost().Open("/rooms/1")
		s.Say("type " + kind)
		if got := s.Received[len(s.Received)-1]; got.Text() != "typed" || got.Binary != binary {
			t.Errorf("%s: %+v, want binary %v", kind, got, binary)
		}
	}
}

// TestSocketWithoutContent: a status that has no body sends none, as at the real host.
func TestSocketWithoutContent(t *testing.T) {
	h := sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		if r.Method() == "GET" {
			return nil
		}
		body, err := r.Body(socket.MaxData)
		if err != nil {
			return err
		}
		status, err := strconv.Atoi(string(body))
		if err != nil {
			return err
		}
		w.SetStatus(status)
		_, err = w.Write(body)
		return err
	})
	h.Sockets = map[string]string{"GET /rooms/{id}": "POST /rooms/{id}/events"}
	s := h.Open("/rooms/1")
	for _, status := range []string{"200", "202", "204", "205", "299"} {
		s.Say(status)
	}
	wantReceived(t, s, "200", "202", "299")
}
