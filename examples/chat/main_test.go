package main

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func newRoom() *sdktest.Host {
	h := sdktest.New(routes().Serve)
	h.Sockets = map[string]string{"GET /rooms/{room}": "POST /rooms/{room}/events"}
	return h
}

// got returns what a client has got since the last time, without the times.
func got(s *sdktest.Socket) string {
	var all []string
	for _, c := range s.Received {
		text, _, _ := strings.Cut(c.Text(), `,"at":`)
		all = append(all, text)
	}
	s.Received = nil
	return strings.Join(all, "\n")
}

func TestPeopleTalk(t *testing.T) {
	h := newRoom()
	ada := h.Open("/rooms/lobby?name=Ada")
	if ada.Answer.Status != 200 || got(ada) != `{"here":1}` {
		t.Fatalf("Ada comes in: %v", ada.Answer)
	}
	ada.Say(`{"text":"hello?"}`)
	if got := got(ada); got != `{"name":"Ada","text":"hello?"` {
		t.Errorf("Ada hears herself: %s", got)
	}
	bob := h.Open("/rooms/lobby?name=Bob")
	if got := got(bob); got != `{"name":"Ada","text":"hello?"`+"\n"+`{"here":2}` {
		t.Errorf("Bob comes in and gets %s", got)
	}
	elsewhere := h.Open("/rooms/attic?name=Eve")
	bob.Say(`{"text":"hi <b>Ada</b>"}`)
	if got := got(ada); !strings.HasPrefix(got, `{"here":2}`+"\n"+`{"name":"Bob","text":"hi `) {
		t.Errorf("Ada gets %s", got)
	}
	bob.Leave(1000, "")
	if got := got(ada); got != `{"here":1}` {
		t.Errorf("Bob leaves: %s", got)
	}
	if got := got(elsewhere); got != `{"here":1}` {
		t.Errorf("another room hears %s", got)
	}
}

// Who comes late gets the last messages, the oldest first.
func TestHistory(t *testing.T) {
	h := newRoom()
	ada := h.Open("/rooms/lobby?name=Ada")
	for n := range history + 5 {
		ada.Say(`{"text":"` + strings.Repeat("i", n+1) + `"}`)
	}
	bob := h.Open("/rooms/lobby?name=Bob")
	lines := strings.Split(got(bob), "\n")
	if len(lines) != history+1 || lines[0] != `{"name":"Ada","text":"iiiiii"` {
		t.Errorf("%d lines, the first is %s", len(lines), lines[0])
	}
}

func TestRefusals(t *testing.T) {
	h := newRoom()
	for _, name := range []string{"", "%20", strings.Repeat("x", maxName+1), "%ff"} {
		if s := h.Open("/rooms/lobby?name=" + name); s.Answer.Status != 400 || s.Open {
			t.Errorf("the name %q: %v", name, s.Answer)
		}
	}
	if res := h.Get("/"); res.Status != 200 || !strings.Contains(res.Text(), "<h1>Chat") {
		t.Errorf("the page: %v", res)
	}
	ada := h.Open("/rooms/lobby?name=Ada")
	for _, text := range []string{"", "hello", `{"text":""}`, `{"text":"` + strings.Repeat("x", maxText+1) + `"}`} {
		got(ada)
		if res := ada.Say(text); res.Status != 200 || !strings.Contains(res.Text(), "problem") || !ada.Open {
			t.Errorf("the message %.20q: %v", text, res)
		}
		if got := got(ada); !strings.Contains(got, "problem") {
			t.Errorf("the message %.20q: she gets %s", text, got)
		}
	}
}
