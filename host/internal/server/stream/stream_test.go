package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func closeNow(t *testing.T, s *Streams) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func text(s string) *Event { return NewEvent("", "", true, []byte(s)) }

// TestEncodings: an event has a form for each kind.
func TestEncodings(t *testing.T) {
	for name, tc := range map[string]struct {
		e   *Event
		sse string
	}{
		"text":      {text("a"), "data: a\n\n"},
		"empty":     {text(""), "data: \n\n"},
		"lines":     {text("a\nb\r\nc\rd\n"), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
		"CR at end": {text("a\r"), "data: a\ndata: \n\n"},
		"all":       {NewEvent("7", "tick", true, []byte("a")), "id: 7\nevent: tick\ndata: a\n\n"},
		"binary":    {NewEvent("", "", false, []byte{0xff, 0}), "data: /wA=\n\n"},
	} {
		if got := string(tc.e.wire(EventSource)); got != tc.sse {
			t.Errorf("%s: %q, want %q", name, got, tc.sse)
		}
	}
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		e := NewEvent("7", "tick", false, make([]byte, n))
		f, err := readFrame(strings.NewReader(string(e.wire(WebSocket))))
		if err != nil || f.Header.OpCode != ws.OpBinary || !f.Header.Fin || len(f.Payload) != n {
			t.Errorf("%d bytes: %+v, %v", n, f.Header, err)
		}
	}
}

// TestOrder: many senders, and each client has all events in the order they were taken in.
func TestOrder(t *testing.T) {
	for _, kind := range []Kind{WebSocket, EventSource} {
		all := newStreams(t, Config{QueueEvents: 10_000})
		s := openOne(t, all, Opening{Kind: kind, First: []*Event{text("first")}})
		const senders, each = 8, 100
		var done sync.WaitGroup
		for i := range senders {
			done.Go(func() {
				for j := range each {
					if !s.one.Send(text(fmt.Sprintf("%d %d", i, j))) {
						t.Errorf("event %d of %d was not taken", j, i)
						return
					}
				}
			})
		}
		done.Wait()
		s.one.Close(CodeNormal, "enough")
		var next [senders]int
		for n, e := range received(t, s) {
			var i, j int
			if n == 0 && e != "first" {
				t.Fatalf("first is %q", e)
			}
			if _, err := fmt.Sscanf(e, "%d %d", &i, &j); err == nil {
				if next[i] != j {
					t.Fatalf("%s: event %d of sender %d, want %d", kind, j, i, next[i])
				}
				next[i]++
			}
		}
		for i, n := range next {
			if n != each {
				t.Errorf("%s: %d events of sender %d", kind, n, i)
			}
		}
		_ = s.client.Close()
		s.got.wait(t)
		if s.got.code != CodeNormal || s.got.reason != "enough" || s.got.left {
			t.Errorf("%s: closed with %d %q, left %v", kind, s.got.code, s.got.reason, s.got.left)
		}
	}
}

// received reads events until the server says goodbye.
func received(t *testing.T, s *session) (events []string) {
	t.Helper()
	if s.one.Kind() == EventSource {
		b, err := io.ReadAll(s.in)
		if err != nil {
			t.Fatal(err)
		}
		for e := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n\n"), "\n\n") {
			events = append(events, strings.TrimPrefix(e, "data: "))
		}
		if last := events[len(events)-1]; !strings.HasPrefix(last, "event: bye\n") {
			t.Errorf("the last event is %q", last)
		}
		return events[:len(events)-1]
	}
	for {
		f := s.next(t)
		if f.Header.OpCode == ws.OpClose {
			return events
		}
		events = append(events, string(f.Payload))
	}
}

// TestSlow: who does not read is dropped, others are not held up, and what waits is bounded.
func TestSlow(t *testing.T) {
	for _, kind := range []Kind{WebSocket, EventSource} {
		all := newStreams(t, Config{QueueEvents: 50, QueueBytes: 1 << 20})
		slow, quick := openOne(t, all, Opening{Kind: kind}), openOne(t, all, Opening{Kind: kind})
		go func() { _, _ = io.Copy(io.Discard, quick.in) }()
		e := text(strings.Repeat("a", 64<<10))
		taken := 0
		for slow.one.Send(e) {
			taken++
			if !quick.one.Send(e) {
				t.Fatalf("%s: a client that reads was dropped", kind)
			}
			if slow.one.Waiting() > 50 || taken > 100_000 {
				t.Fatalf("%s: %d wait, %d were taken", kind, slow.one.Waiting(), taken)
			}
			for quick.one.Waiting() > 10 {
				time.Sleep(time.Millisecond)
			}
		}
		slow.got.wait(t)
		if slow.got.code != CodeTryAgain || slow.got.left {
			t.Errorf("%s: closed with %d, left %v", kind, slow.got.code, slow.got.left)
		}
		if n := all.Totals().Slow; n != 1 {
			t.Errorf("%s: %d are counted as slow", kind, n)
		}
	}
}

// TestOneEventMayBeLarger: a queue that is empty takes an event of any size.
func TestOneEventMayBeLarger(t *testing.T) {
	s := openOne(t, newStreams(t, Config{QueueBytes: 10}), Opening{Kind: WebSocket})
	if !s.one.Send(text(strings.Repeat("a", 1000))) {
		t.Error("it was not taken")
	}
	if f := s.next(t); len(f.Payload) != 1000 {
		t.Errorf("got %d bytes", len(f.Payload))
	}
}

// TestWatch: silent clients are pinged, those that do not answer are dropped, and one
// whose message is being handled is not.
func TestWatch(t *testing.T) {
	all := newStreams(t, Config{Ping: 40 * time.Millisecond})
	hold := make(chan struct{})
	mute := openOne(t, all, Opening{Kind: WebSocket})
	answers := openOne(t, all, Opening{Kind: WebSocket})
	held := openOne(t, all, Opening{Kind: WebSocket, Listener: &recorder{closed: make(chan struct{}), hold: hold}})
	events := openOne(t, all, Opening{Kind: EventSource})
	held.send(t, masked(ws.OpText, true, "work"))
	pings := 0
	for pings < 5 {
		if f := answers.next(t); f.Header.OpCode == ws.OpPing {
			pings++
			answers.send(t, masked(ws.OpPong, true, string(f.Payload)))
		}
	}
	mute.got.wait(t)
	if mute.got.code != CodeLost || all.Totals().Lost == 0 {
		t.Errorf("the mute client: closed with %d, %d lost", mute.got.code, all.Totals().Lost)
	}
	line, err := events.in.ReadString('\n')
	if err != nil || line != ":\n" {
		t.Errorf("an event stream: %q, %v", line, err)
	}
	select {
	case <-held.got.closed:
		t.Error("a client was dropped whose message is being handled")
	default:
	}
	close(hold)
}

// TestPlaces: the bounds hold for those that are being opened too, and places come back.
func TestPlaces(t *testing.T) {
	all := newStreams(t, Config{Max: 3, PerAddress: 2})
	a, b, c := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1")
	reserve := func(owner string, most int, from netip.Addr, want error) *Place {
		t.Helper()
		p, err := all.Reserve(owner, most, from)
		if !errors.Is(err, want) || (p == nil) != (want != nil) {
			t.Fatalf("%s from %s: %v, want %v", owner, from, err, want)
		}
		return p
	}
	first := reserve("p", 2, a, nil)
	reserve("p", 1, b, ErrOwner)
	reserve("p", 2, a, nil).Leave()
	second := reserve("q", 2, a, nil)
	reserve("q", 2, a, ErrAddress)
	third := reserve("q", 2, c, nil)
	reserve("r", 2, b, ErrFull)
	first.Leave()
	reserve("r", 2, b, nil).Leave()
	second.Leave()
	third.Leave()
	if n := all.Totals().Refused; n != 3 {
		t.Errorf("%d refusals are counted", n)
	}
}

// TestClose: every client hears that the server goes, listeners of all are told once, and
// nothing comes after.
func TestClose(t *testing.T) {
	all := New(Config{})
	var sessions []*session
	for i := range 10 {
		sessions = append(sessions, openOne(t, all, Opening{Kind: Kind(i % 2)}))
	}
	place, err := all.Reserve("p", 100, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		go func() { // answers the goodbye
			if s.one.Kind() == EventSource {
				b, _ := io.ReadAll(s.in)
				if got := string(b); !strings.Contains(got, "event: bye\ndata: the server is stopping\n\n") || !strings.HasPrefix(got, "retry: ") {
					t.Errorf("an event stream ends with %q", got)
				}
				return
			}
			f, err := readFrame(s.in)
			if err != nil || f.Header.OpCode != ws.OpClose {
				t.Errorf("got %+v, %v", f.Header, err)
				return
			}
			if code, _ := ws.ParseCloseFrameData(f.Payload); code != CodeGoingAway {
				t.Errorf("closed with %d", code)
			}
			_, _ = s.client.Write(closeFrame(1001, ""))
		}()
	}
	closeNow(t, all)
	for _, s := range sessions {
		s.got.wait(t)
		if s.got.code != CodeGoingAway || s.got.left || s.one.Send(text("late")) {
			t.Errorf("closed with %d, left %v", s.got.code, s.got.left)
		}
	}
	if _, err := all.Reserve("p", 100, netip.Addr{}); !errors.Is(err, ErrStopping) {
		t.Errorf("a place after the end: %v", err)
	}
	server, _ := pair(t)
	got := &recorder{closed: make(chan struct{})}
	place.Open(Opening{Conn: server, Listener: got})
	got.wait(t)
	if n := all.Open(); n != 0 {
		t.Errorf("%d are open", n)
	}
}

// TestCloseInTime: a client that does not listen holds nobody up.
func TestCloseInTime(t *testing.T) {
	all := New(Config{QueueBytes: 1 << 30, QueueEvents: 1 << 20})
	s := openOne(t, all, Opening{Kind: WebSocket})
	for range 1000 {
		s.one.Send(text(strings.Repeat("a", 64<<10)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := all.Close(ctx); fault.CodeOf(err) != fault.Deadline {
		t.Errorf("close: %v", err)
	}
	s.got.wait(t)
}

func TestJudge(t *testing.T) {
	good := Handshake{Method: "GET", Upgrade: "websocket", Connection: "keep-alive, Upgrade", Version: "13", Key: "dGhlIHNhbXBsZSBub25jZQ==", HTTP11: true}
	with := func(change func(*Handshake)) Handshake {
		h := good
		change(&h)
		return h
	}
	for name, tc := range map[string]struct {
		h    Handshake
		kind Kind
		err  error
	}{
		"good":            {good, WebSocket, nil},
		"case":            {with(func(h *Handshake) { h.Upgrade = "WebSocket" }), WebSocket, nil},
		"version 8":       {with(func(h *Handshake) { h.Version = "8" }), 0, ErrVersion},
		"POST":            {with(func(h *Handshake) { h.Method = "POST" }), 0, ErrShake},
		"HTTP/1.0":        {with(func(h *Handshake) { h.HTTP11 = false }), 0, ErrShake},
		"no connection":   {with(func(h *Handshake) { h.Connection = "close" }), 0, ErrShake},
		"no key":          {with(func(h *Handshake) { h.Key = "" }), 0, ErrShake},
		"short key":       {with(func(h *Handshake) { h.Key = "dGhlIHNhbXBsZSBub25j" }), 0, ErrShake},
		"key no base64":   {with(func(h *Handshake) { h.Key = "dGhlIHNhbXBsZSBub25jZ===" }), 0, ErrShake},
		"other upgrade":   {with(func(h *Handshake) { h.Upgrade = "h2c" }), 0, ErrNoStream},
		"event stream":    {Handshake{Method: "GET", Accept: "text/html, text/Event-Stream;q=0.9"}, EventSource, nil},
		"event stream*":   {Handshake{Method: "GET", Accept: "*/*"}, 0, ErrNoStream},
		"nothing":         {Handshake{Method: "GET"}, 0, ErrNoStream},
		"events of POST":  {Handshake{Method: "POST", Accept: "text/event-stream"}, 0, ErrNoStream},
		"events and more": {with(func(h *Handshake) { h.Accept = "text/event-stream" }), WebSocket, nil},
	} {
		if kind, err := tc.h.Judge(); kind != tc.kind || !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, %v, want %v, %v", name, kind, err, tc.kind, tc.err)
		}
	}
	if got := good.AcceptKey(); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // of the RFC
		t.Errorf("accept %q", got)
	}
	h := Handshake{Protocols: "chat, superchat"}
	if !h.Offers("superchat") || h.Offers("super") || h.Offers("") {
		t.Error("the subprotocols are misread")
	}
}

func TestCutReason(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a", "\xff": "", strings.Repeat("a", 124): strings.Repeat("a", 123),
		strings.Repeat("a", 122) + "\u00e9": strings.Repeat("a", 122),
	} {
		if got := CutReason(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
