package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socketTables are the sockets of the guest, and the topics that it keeps.
const socketTables = `[[socket]]
pattern = "GET /rooms/{id}"
request = "POST /rooms/{id}/events"
origins = ["https://friend.example"]
[[topic]]
name = "kept:*"
keep = 1000
[[topic]]
name = "few"
keep = 3
`

func socketGuest(t testing.TB, version string, tables ...string) []byte {
	if tables == nil {
		tables = []string{socketTables}
	}
	return pack(t, goGuest(t, "testdata/socketguest"), "chat", append([]string{"[kv]", "[config.version]", fmt.Sprintf("default = %q", version)}, tables...)...)
}

// ws is an open WebSocket.
type ws struct {
	t    testing.TB
	conn *websocket.Conn
	ctx  context.Context
}

func (s *server) tryWS(path string, header ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := &websocket.DialOptions{HTTPHeader: http.Header{}}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Protocol" {
			o.Subprotocols = append(o.Subprotocols, value)
			continue
		}
		o.HTTPHeader.Add(name, value)
	}
	conn, resp, err := websocket.Dial(ctx, s.public+path, o)
	if conn != nil {
		conn.SetReadLimit(1 << 20)
	}
	return conn, resp, err
}

func (s *server) ws(path string, header ...string) *ws {
	s.t.Helper()
	conn, _, err := s.tryWS(path, header...)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, s.log)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	s.t.Cleanup(func() { cancel(); _ = conn.CloseNow() })
	return &ws{s.t, conn, ctx}
}

func (w *ws) say(text string) {
	w.t.Helper()
	if err := w.conn.Write(w.ctx, websocket.MessageText, []byte(text)); err != nil {
		w.t.Fatalf("say %q: %v", text, err)
	}
}

func (w *ws) hear(want string) {
	w.t.Helper()
	_, got, err := w.conn.Read(w.ctx)
	if err != nil || string(got) != want {
		w.t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func (w *ws) ask(text, want string) {
	w.t.Helper()
	w.say(text)
	w.hear(want)
}

// closed wants the server to close with a code.
func (w *ws) closed(code int, reason string) {
	w.t.Helper()
	_, got, err := w.conn.Read(w.ctx)
	var e websocket.CloseError
	if !errors.As(err, &e) || int(e.Code) != code || e.Reason != reason {
		w.t.Errorf("heard %q, %v; want the end with %d %q", got, err, code, reason)
	}
}

// sse is an open event stream.
type sse struct {
	t    testing.TB
	resp *http.Response
	in   *bufio.Reader
}

// sseEvent is an event of a stream; Name "" is a message.
type sseEvent struct{ ID, Name, Data string }

func (s *server) trySSE(path, last string, header ...string) (*http.Response, error) {
	req, err := http.NewRequest("GET", s.public+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	return client.Do(req)
}

func (s *server) sse(path, last string) *sse {
	s.t.Helper()
	resp, err := s.trySSE(path, last)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, s.log)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		s.t.Fatalf("%s: %d %v", path, resp.StatusCode, resp.Header)
	}
	return &sse{s.t, resp, bufio.NewReader(resp.Body)}
}

func (e *sse) next() (ev sseEvent, err error) {
	var data []string
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			return ev, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && data != nil:
			ev.Data = strings.Join(data, "\n")
			return ev, nil
		case name == "data":
			data = append(data, value)
		case name == "id":
			ev.ID = value
		case name == "event":
			ev.Name = value
		}
	}
}

func (e *sse) hear(want sseEvent) sseEvent {
	e.t.Helper()
	got, err := e.next()
	if want.ID == "" {
		want.ID = got.ID
	}
	if err != nil || got != want {
		e.t.Fatalf("heard %+v, %v; want %+v", got, err, want)
	}
	return got
}

// until asks until there is the answer that is wanted.
func (s *server) until(path, want string) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		got := s.get(path)
		if got.status == 200 && got.body == want {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: %v, want %q\n%s", path, got, want, s.log)
		}
	}
}

// in returns the server for a sub-test.
func (s *server) in(t *testing.T) *server {
	one := *s
	one.t = t
	return &one
}

// TestSockets opens sockets of both kinds and has the guest do everything on them.
func TestSockets(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--max-sockets", "200")
	s.deploy("chat", socketGuest(t, "1"))
	for name, test := range map[string]func(*testing.T, *server){
		"a WebSocket": socketTalks, "an event stream": streamTalks, "ends": socketEnds, "refused": socketsRefused,
		"bad input": socketsBadInput, "effects": socketEffects, "order": socketOrder, "resume": streamResumes, "slow": socketSlow,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s.in(t))
		})
	}
}

func socketTalks(t *testing.T, s *server) {
	w := s.ws("/chat/rooms/blue%20room?as=ann&topic=talk&hello", "Origin: "+s.public)
	_, hello, err := w.conn.Read(w.ctx)
	id, ok := strings.CutPrefix(string(hello), "hello ")
	if err != nil || !ok || len(id) != 32 {
		t.Fatalf("heard %q, %v", hello, err)
	}
	w.ask("echo \u2603", "\u2603")
	w.ask("who", "1 ann blue room false")
	w.say("attach bob")
	w.ask("who", "1 bob blue room false")
	if err := w.conn.Write(w.ctx, websocket.MessageBinary, []byte("who")); err != nil {
		t.Fatal(err)
	}
	w.hear("1 bob blue room true")
	w.say("binary")
	if kind, data, err := w.conn.Read(w.ctx); err != nil || kind != websocket.MessageBinary || string(data) != "\xff\x00" {
		t.Errorf("heard %v %q, %v", kind, data, err)
	}
	s.until("/chat/count?topic=talk", "1")
	other := s.ws("/chat/rooms/2")
	other.say("follow talk")
	s.until("/chat/count?topic=talk", "2")
	if a := s.do("POST", "/chat/publish?topic=talk", "one\ntwo"); a.status != 200 {
		t.Fatal(a)
	}
	for _, each := range []*ws{w, other} {
		each.hear("one")
		each.hear("two")
	}
	other.say("say talk three")
	w.hear("three")
	other.hear("three")
	if a := s.do("POST", "/chat/tell?id="+id, "to you"); a.status != 200 {
		t.Fatal(a)
	}
	w.hear("to you")
	w.say("unfollow talk")
	s.until("/chat/count?topic=talk", "1")
	if a := s.do("POST", "/chat/tell?id="+strings.Repeat("A", 32), "to nobody"); a.status != 500 {
		t.Errorf("an id that is none: %v", a)
	}
	if a := s.do("POST", "/chat/rooms/1/events", "who"); a.status != 404 {
		t.Errorf("a client reaches the handler of events: %v", a)
	}
	chosen, resp, err := s.tryWS("/chat/rooms/1?protocol=v2", "Protocol: v1", "Protocol: v2")
	if err != nil || chosen.Subprotocol() != "v2" || resp.Header.Get("Set-Cookie") != "seen=1" || resp.Header.Get("X-Request-Id") == "" {
		t.Fatalf("with subprotocols: %v, %v", resp, err)
	}
	_ = chosen.CloseNow()
}

func streamTalks(t *testing.T, s *server) {
	e := s.sse("/chat/rooms/1?topic=stream&hello", "")
	if ev, err := e.next(); err != nil || !strings.HasPrefix(ev.Data, "hello ") {
		t.Fatalf("heard %+v, %v", ev, err)
	}
	s.do("POST", "/chat/publish?topic=stream", "one")
	e.hear(sseEvent{Data: "one"})
	s.do("POST", "/chat/publish?topic=stream&event=tick", "two")
	e.hear(sseEvent{Name: "tick", Data: "two"})
	s.do("POST", "/chat/publish?topic=stream&binary", "/wA=")
	e.hear(sseEvent{Data: "/wA="})
	if n := s.get("/chat/count?topic=stream").body; n != "1" {
		t.Errorf("%s follow", n)
	}
	_ = e.resp.Body.Close()
	s.until("/chat/count?topic=stream", "0") // it is noticed, although nothing is sent
}

// socketEnds: each end of a socket, who is told what, and that the handler hears of it
// once.
func socketEnds(t *testing.T, s *server) {
	for _, tc := range []struct {
		say    string // to the guest; "" = the client leaves
		code   int
		reason string
	}{
		{"close 4001 go away", 4001, "go away"},
		{"close 0 ", 1000, ""},
		{"refuse", 1008, "the message was refused"},
		{"fail", 1011, "the message was not handled"},
		{"trap", 1011, "the message was not handled"},
		{"", 3333, "bored"},
	} {
		name := strings.ReplaceAll(tc.say, " ", "-") + "x"
		w := s.ws("/chat/rooms/ends?as=" + name)
		if tc.say == "" {
			if err := w.conn.Close(websocket.StatusCode(tc.code), tc.reason); err != nil {
				t.Errorf("the close is not answered: %v", err)
			}
		} else {
			w.say(tc.say)
			w.closed(tc.code, tc.reason)
		}
		s.untilContains("/chat/closes", fmt.Sprintf("ends %s %d %s %t x1\n", name, tc.code, tc.reason, tc.say == ""))
	}
	gone := s.ws("/chat/rooms/ends?as=gone")
	_ = gone.conn.CloseNow()
	s.untilContains("/chat/closes", "ends gone 1006  true x1\n")
	e := s.sse("/chat/rooms/ends?as=stream", "")
	_ = e.resp.Body.Close()
	s.untilContains("/chat/closes", "ends stream 1006  true x1\n")
	big := s.ws("/chat/rooms/ends?as=big")
	big.say("echo " + strings.Repeat("a", 64<<10))
	big.closed(1009, "the message is too large")
	s.untilContains("/chat/closes", "ends big 1009 the message is too large false x1\n")
}

func (s *server) untilContains(path, want string) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		got := s.get(path)
		if got.status == 200 && strings.Contains(got.body, want) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: %v, want %q in it\n%s", path, got, want, s.log)
		}
	}
}

// socketsRefused: who may not open a socket learns why, and the handler's refusals are
// answers like any other.
func socketsRefused(t *testing.T, s *server) {
	for name, tc := range map[string]struct {
		path   string
		header []string
		status int
	}{
		"by the handler":       {"/chat/rooms/1?status=403", nil, 403},
		"by a 204":             {"/chat/rooms/1?status=204", nil, 204},
		"another origin":       {"/chat/rooms/1", []string{"Origin: https://evil.example"}, 403},
		"a null origin":        {"/chat/rooms/1", []string{"Origin: null"}, 403},
		"two origins":          {"/chat/rooms/1", []string{"Origin: " + s.public, "Origin: https://evil.example"}, 403},
		"another scheme":       {"/chat/rooms/1", []string{"Origin: https" + strings.TrimPrefix(s.public, "http")}, 403},
		"no such path":         {"/chat/nothing", nil, 404},
		"no socket there":      {"/chat/count?topic=x", nil, 200},
		"an allowed origin":    {"/chat/rooms/1", []string{"Origin: https://friend.example"}, 101},
		"an allowed origin, A": {"/chat/rooms/1", []string{"Origin: HTTPS://Friend.example"}, 101},
	} {
		conn, resp, err := s.tryWS(tc.path, tc.header...)
		if resp == nil || resp.StatusCode != tc.status || (err == nil) != (tc.status == 101) {
			t.Errorf("%s, as a WebSocket: %v, %v", name, resp, err)
		}
		if conn != nil {
			_ = conn.CloseNow()
		}
		stream, err := s.trySSE(tc.path, "", tc.header...)
		if want := min(tc.status, max(tc.status, 200)); err != nil || stream.StatusCode != max(want, 200) {
			t.Errorf("%s, as an event stream: %v, %v", name, stream, err)
		} else {
			_ = stream.Body.Close()
		}
	}
	a := s.get("/chat/rooms/1")
	if a.status != 426 || a.header.Get("Upgrade") != "websocket" {
		t.Errorf("a request without a kind: %v, %v", a, a.header)
	}
}

// socketsBadInput sends openings that are malformed.
func socketsBadInput(t *testing.T, s *server) {
	const good = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for name, tc := range map[string]struct {
		request string
		status  int
	}{
		"good":        {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + good + "\r\n", 101},
		"version 8":   {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + strings.Replace(good, "13", "8", 1) + "\r\n", 426},
		"no key":      {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n", 400},
		"short key":   {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + strings.Replace(good, "dGhl", "", 1) + "\r\n", 400},
		"HTTP/1.0":    {"GET /chat/rooms/1 HTTP/1.0\r\nHost: x\r\n" + good + "\r\n", 400},
		"a body":      {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + good + "Content-Length: 1\r\n\r\na", 400},
		"HEAD":        {"HEAD /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + good + "\r\n", 400},
		"POST":        {"POST /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + good + "Content-Length: 0\r\n\r\n", 405},
		"h2c":         {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + strings.Replace(good, "websocket", "h2c", 1) + "\r\n", 426},
		"any accept":  {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", 426},
		"expectation": {"GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n" + good + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 400},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(conn, tc.request)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != tc.status {
			t.Errorf("%s: %v, %v, want %d", name, resp, err, tc.status)
		}
		_ = conn.Close()
	}
	for name, tc := range map[string]struct {
		raw  string
		code int
	}{
		"a frame that is not masked": {"\x81\x01a", 1002},
		"text that is not UTF-8":     {"\x81\x81\x00\x00\x00\x00\xff", 1007},
		"an oversized frame":         {"\x82\xff\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00", 1009},
		"a reserved bit":             {"\xc1\x81\x00\x00\x00\x00a", 1002},
		"a flood":                    {strings.Repeat("\x8a\x80\x00\x00\x00\x00", 10_000), 1008},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(conn, "GET /chat/rooms/1 HTTP/1.1\r\nHost: x\r\n"+good+"\r\n")
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 101 {
			t.Fatalf("%s: %v, %v", name, resp, err)
		}
		_, _ = io.WriteString(conn, tc.raw)
		frame := make([]byte, 4)
		if _, err := io.ReadFull(in, frame); err != nil || frame[0] != 0x88 || int(frame[2])<<8|int(frame[3]) != tc.code {
			t.Errorf("%s: %x, %v, want a close frame with %d", name, frame, err, tc.code)
		}
		_ = conn.Close()
	}
}

// socketEffects: what is said leaves with the commit, and not with one that is dropped.
func socketEffects(t *testing.T, s *server) {
	w := s.ws("/chat/rooms/1?topic=effects&write")
	for _, tc := range []struct {
		query string
		heard bool
	}{
		{"", true},
		{"&write", true},
		{"&status=404", true},
		{"&status=404&write", true},
		{"&status=500", false},
		{"&status=500&write", false},
	} {
		if a := s.do("POST", "/chat/publish?topic=effects"+tc.query, "said"+tc.query); a.status/100 == 5 && tc.heard {
			t.Error(a)
		}
		if tc.heard {
			w.hear("said" + tc.query)
		}
	}
	w.ask("echo end", "end") // nothing came in between
}

// socketOrder: many clients send at once, and each has its messages handled one after the
// other, in order; and two publishers are heard in the order of their commits.
func socketOrder(t *testing.T, s *server) {
	clients, messages := often(8, 64), often(30, 150)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			w := s.ws("/chat/rooms/1")
			go func() {
				for i := range messages {
					if w.conn.Write(w.ctx, websocket.MessageText, fmt.Appendf(nil, "append %d", i)) != nil {
						return
					}
				}
			}()
			for i := range messages {
				_, got, err := w.conn.Read(w.ctx)
				if want := fmt.Sprintf("appended %d", i); err != nil || string(got) != want {
					t.Errorf("heard %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	all.Wait()
	one, two := s.sse("/chat/rooms/1?topic=kept:order", ""), s.sse("/chat/rooms/2?topic=kept:order", "")
	for p := range 4 {
		all.Go(func() {
			for i := range messages {
				s.do("POST", "/chat/publish?topic=kept:order&write", fmt.Sprintf("%d %d", p, i))
			}
		})
	}
	last := ""
	for range 4 * messages {
		a, err1 := one.next()
		b, err2 := two.next()
		if err1 != nil || err2 != nil || a != b || !laterID(a.ID, last) {
			t.Fatalf("two clients hear %+v and %+v after %s, %v, %v", a, b, last, err1, err2)
		}
		last = a.ID
	}
	all.Wait()
}

// laterID reports whether an id of an event is above another.
func laterID(id, other string) bool {
	var a, b [2]uint64
	_, _ = fmt.Sscanf(id, "%d-%d", &a[0], &a[1])
	_, _ = fmt.Sscanf(other, "%d-%d", &b[0], &b[1])
	return slices.Compare(a[:], b[:]) > 0
}

// streamResumes: clients come and go while publishers publish, and each has all events in
// the end, once and in order. What is not kept any more is told.
func streamResumes(t *testing.T, s *server) {
	publishers, each := 3, often(60, 2000)
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				s.do("POST", "/chat/publish?topic=kept:resume", fmt.Sprintf("%d %d", p, i))
			}
		})
	}
	for client := range 3 {
		all.Go(func() { // it leaves after a few events, wherever that is
			last, got := "0-0", make([]int, publishers)
			for heard := 0; heard < publishers*each; {
				e := s.sse("/chat/rooms/1?topic=kept:resume", last)
				for range 1 + (heard+client)%17 {
					if heard == publishers*each {
						break
					}
					ev, err := e.next()
					var p, i int
					if _, scanned := fmt.Sscanf(ev.Data, "%d %d", &p, &i); err != nil || scanned != nil || !laterID(ev.ID, last) || got[p] != i {
						t.Errorf("heard %+v after %s, %v; want event %d of publisher %d", ev, last, err, got[p], p)
						return
					}
					got[p], last = i+1, ev.ID
					heard++
				}
				_ = e.resp.Body.Close()
			}
		})
	}
	all.Wait()
	var first string
	for i := range 40 {
		if i == 1 {
			e := s.sse("/chat/rooms/1?topic=few", "0-0")
			first = e.hear(sseEvent{Data: "0"}).ID
		}
		s.do("POST", "/chat/publish?topic=few", fmt.Sprint(i))
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		e := s.sse("/chat/rooms/1?topic=few", first)
		ev, err := e.next()
		told := err == nil && ev.Name == "reset"
		if told { // what is not kept goes a part at a time
			ev, err = e.next()
		}
		if told && err == nil && ev.Data == "37" {
			e.hear(sseEvent{Data: "38"})
			last := e.hear(sseEvent{Data: "39"})
			again := s.sse("/chat/rooms/1?topic=few", last.ID)
			s.do("POST", "/chat/publish?topic=few", "40")
			again.hear(sseEvent{Data: "40"})
			break
		}
		if time.Now().After(end) {
			t.Fatalf("heard %+v, %v, want to be told that events are missing", ev, err)
		}
	}
	e := s.sse("/chat/rooms/1?topic=few", "nonsense")
	if ev, err := e.next(); err != nil || ev.Name != "reset" {
		t.Errorf("with an id that is none: %+v, %v", ev, err)
	}
}

// socketSlow: a client that does not read is dropped, and holds nobody up.
func socketSlow(t *testing.T, s *server) {
	slow := s.ws("/chat/rooms/1?topic=slow&as=slow")
	quick := s.ws("/chat/rooms/1?topic=slow")
	_ = slow
	text := strings.Repeat("a", 100<<10)
	for i := 0; ; i++ {
		if a := s.do("POST", "/chat/publish?topic=slow", text); a.status != 200 {
			t.Fatal(a)
		}
		quick.hear(text)
		if s.get("/chat/count?topic=slow").body == "1" {
			break
		}
		if i > 1000 {
			t.Fatal("a client that does not read is not dropped")
		}
	}
	s.untilContains("/chat/closes", "1 slow 1013 the client reads too slowly false x1\n")
}

// swap has a version serve.
func (s *server) swap(name string, version int) {
	s.t.Helper()
	if err := s.tryActivate(s.t.Context(), name, version); err != nil {
		s.t.Fatalf("%v\n%s", err, s.log)
	}
}

// TestSocketsOverSwaps: versions take turns with sockets open, which stay and have their
// messages handled in order; clients that come back meanwhile hear each event once; and
// what a version does not have is closed.
func TestSocketsOverSwaps(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("chat", socketGuest(t, "1"))
	s.deploy("chat", socketGuest(t, "2"))
	s.deploy("chat", socketGuest(t, "3", "[[socket]]\npattern = \"GET /other\"\n"))
	s.swap("chat", 1)
	sockets := []*ws{}
	for range often(10, 200) {
		sockets = append(sockets, s.ws("/chat/rooms/1?topic=swaps"))
	}
	e := s.sse("/chat/rooms/1?topic=kept:swaps", "")
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, w := range sockets {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				w.ask(fmt.Sprintf("append %d", i), fmt.Sprintf("appended %d", i))
				time.Sleep(20 * time.Millisecond) // within the bound of messages
			}
		})
	}
	rounds := often(6, 100)
	for client := range 3 {
		all.Go(func() { // it comes and goes, and misses nothing
			for last, heard := "0-0", 0; heard < rounds; {
				e := s.sse("/chat/rooms/1?topic=kept:swaps", last)
				for range 1 + (heard+client)%4 {
					if heard == rounds {
						break
					}
					last = e.hear(sseEvent{Data: fmt.Sprint(heard)}).ID
					heard++
				}
				_ = e.resp.Body.Close()
			}
		})
	}
	for round := range rounds {
		s.swap("chat", 1+(round+1)%2)
		s.do("POST", "/chat/publish?topic=kept:swaps", fmt.Sprint(round))
		e.hear(sseEvent{Data: fmt.Sprint(round)})
	}
	close(stop)
	all.Wait()
	last := 1 + rounds%2
	for _, w := range sockets {
		w.ask("who", fmt.Sprintf("%d  1 false", last))
	}
	s.api(nil, "PUT", "/v1/plugins/chat/pause", []byte("{}")...)
	sockets[0].say("who")
	sockets[0].closed(1013, "the service cannot answer just now")
	s.api(nil, "DELETE", "/v1/plugins/chat/pause")
	sockets[1].ask("who", fmt.Sprintf("%d  1 false", last))
	s.swap("chat", 3)
	for _, w := range sockets[1:] {
		w.closed(1012, "the service does not offer this any more")
	}
	e.hear(sseEvent{Name: "bye", Data: "the service does not offer this any more"})
	s.swap("chat", 1)
	w := s.ws("/chat/rooms/1")
	s.api(nil, "DELETE", "/v1/plugins/chat")
	w.closed(1012, "the service does not offer this any more")
}

// TestSocketsDrain: a stop tells every client, has the closes handled, and what was kept
// is there after it.
func TestSocketsDrain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, "--max-sockets", "4", "--max-sockets-per-ip", "3")
	s.deploy("chat", socketGuest(t, "1"))
	w, e := s.ws("/chat/rooms/1?as=ann&topic=kept:x"), s.sse("/chat/rooms/1?topic=kept:x&as=eve", "")
	third := s.ws("/chat/rooms/1?as=bob")
	if _, resp, err := s.tryWS("/chat/rooms/1"); err == nil || resp == nil || resp.StatusCode != 429 {
		t.Errorf("a fourth from one address: %v, %v", resp, err)
	}
	_ = third.conn.Close(1000, "")
	s.untilContains("/chat/closes", "1 bob 1000  true x1\n")
	s.ws("/chat/rooms/1?as=bea")
	s.do("POST", "/chat/publish?topic=kept:x", "one")
	w.hear("one")
	id := e.hear(sseEvent{Data: "one"}).ID
	s.do("POST", "/chat/publish?topic=kept:x", "two")
	w.hear("two")
	e.hear(sseEvent{Data: "two"})
	go s.stop()
	w.closed(1001, "the server is stopping")
	e.hear(sseEvent{Name: "bye", Data: "the server is stopping"})
	<-s.exited
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the server ended with %d:\n%s", code, s.log)
	}
	s = serve(t, dir)
	e = s.sse("/chat/rooms/1?topic=kept:x", id)
	e.hear(sseEvent{Data: "two"})
	for _, name := range []string{"ann", "eve", "bea"} {
		s.untilContains("/chat/closes", "1 "+name+" 1001 the server is stopping false x1\n")
	}
}
