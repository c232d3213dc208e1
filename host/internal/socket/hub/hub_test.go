package hub

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/abi/limits"
	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const soon = time.Minute // is far more than anything here takes

// bench is a hub whose events run handles.
type bench struct {
	t *testing.T
	*Service
}

func newBench(t *testing.T, kv store.Store, run func(*trigger.Request) trigger.Outcome) *bench {
	t.Helper()
	streams := stream.New(stream.Config{Rate: 1_000_000, QueueEvents: 100_000, QueueBytes: 64 << 20})
	s := New(Config{Store: func() store.Store { return kv }, Streams: streams, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	s.Start(func() []deploy.Installed { return nil }, func(_ context.Context, q *trigger.Request) trigger.Outcome {
		if run == nil {
			return trigger.Outcome{Status: 200, Reply: &invoke.Reply{Status: 200}}
		}
		return run(q)
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		if err := streams.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return &bench{t, s}
}

func request(kind stream.Kind) *Request {
	return &Request{
		Plugin: "p", Space: 7, Kind: kind, Client: netip.MustParseAddr("127.0.0.1"), Concurrency: 2,
		Declared: &capsocket.Declared{Pattern: "GET /", HasEvents: true, Max: 100, MaxMessage: 64 << 10},
	}
}

// say has effects delivered, and waits until they are.
func (b *bench) say(effects ...socket.Effect) {
	b.t.Helper()
	left := make(chan struct{})
	b.Say("p", effects, 1, func() { close(left) })
	b.wait(left, "the effects do not leave")
}

func (b *bench) wait(done <-chan struct{}, what string) {
	b.t.Helper()
	select {
	case <-done:
	case <-time.After(soon):
		b.t.Fatal(what)
	}
}

// until waits until a condition holds.
func (b *bench) until(what string, holds func() bool) {
	b.t.Helper()
	for end := time.Now().Add(soon); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal(what)
		}
	}
}

// end is a client's end of a socket.
type end struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	id   string
}

func (b *bench) begin(r *Request) *Opening {
	b.t.Helper()
	o, err := b.Begin(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

func (b *bench) take(o *Opening) *end {
	b.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = client.Close() })
	_ = client.SetDeadline(time.Now().Add(soon))
	o.Take(server, nil, nil)
	return &end{b.t, client, bufio.NewReader(client), o.sock.id}
}

func (b *bench) open() *end { b.t.Helper(); return b.take(b.begin(request(stream.WebSocket))) }

func (e *end) say(text string) {
	e.t.Helper()
	if err := wsutil.WriteClientText(e.conn, []byte(text)); err != nil {
		e.t.Fatal(err)
	}
}

func (e *end) frame() (f ws.Frame) {
	e.t.Helper()
	var err error
	if f.Header, err = ws.ReadHeader(e.in); err != nil {
		e.t.Fatal(err)
	}
	if f.Header.Length > limits.SocketData {
		e.t.Fatalf("a frame of %d bytes", f.Header.Length)
	}
	f.Payload = make([]byte, f.Header.Length)
	if _, err := io.ReadFull(e.in, f.Payload); err != nil {
		e.t.Fatal(err)
	}
	return f
}

func (e *end) hear(want string) {
	e.t.Helper()
	if f := e.frame(); f.Header.OpCode != ws.OpText || string(f.Payload) != want {
		e.t.Fatalf("heard opcode %d, %.100q, want %q", f.Header.OpCode, f.Payload, want)
	}
}

func (e *end) closed(code int, reason string) {
	e.t.Helper()
	f := e.frame()
	if got, why := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || int(got) != code || why != reason {
		e.t.Fatalf("heard opcode %d, %.100q, want the end with %d %q", f.Header.OpCode, f.Payload, code, reason)
	}
	_ = e.conn.Close()
}

func send(id, text string) socket.Effect {
	return socket.Effect{Kind: socket.Send, Socket: id, Text: true, Data: []byte(text)}
}

func publish(topic, text string) socket.Effect {
	return socket.Effect{Kind: socket.Publish, Topic: topic, Text: true, Data: []byte(text)}
}

func follow(id, topic string) socket.Effect {
	return socket.Effect{Kind: socket.Follow, Socket: id, Topic: topic}
}

// TestEffectsInOrder: what attempts say leaves in the order in which they said it, sent
// and published alike, and each is told when it has left.
func TestEffectsInOrder(t *testing.T) {
	b := newBench(t, nil, nil)
	one, two := b.open(), b.open()
	b.say(follow(one.id, "t"), follow(two.id, "t"))
	const rounds = 500
	var left []int
	done := make(chan struct{})
	for i := range rounds {
		effects := []socket.Effect{publish("t", fmt.Sprint(i, " all")), send(one.id, fmt.Sprint(i, " one")), send("nobody", "x")}
		b.Say("p", effects, 1, func() { // delivery calls one after the other
			if left = append(left, i); len(left) == rounds {
				close(done)
			}
		})
	}
	for i := range rounds {
		one.hear(fmt.Sprint(i, " all"))
		one.hear(fmt.Sprint(i, " one"))
		two.hear(fmt.Sprint(i, " all"))
	}
	b.wait(done, "not all have left")
	if !slices.IsSorted(left) {
		t.Errorf("they left in the order %v", left)
	}
	told := false
	if b.Say("nobody", []socket.Effect{publish("t", "x")}, 1, func() { told = true }); !told {
		t.Error("who speaks to no socket waits")
	}
}

// TestFollowing: a socket follows a topic once, so many topics and no more, and none
// when it is over.
func TestFollowing(t *testing.T) {
	b := newBench(t, nil, nil)
	one, two := b.open(), b.open()
	for range 3 {
		b.say(follow(one.id, "t"))
	}
	if n := b.Count("p", "t"); n != 1 {
		t.Errorf("%d follow", n)
	}
	b.say(publish("t", "once"), send(one.id, "then"))
	one.hear("once")
	one.hear("then")
	var most []socket.Effect
	for i := range limits.SocketTopics - 1 {
		most = append(most, follow(one.id, fmt.Sprint(i)))
	}
	b.say(most...)
	b.say(socket.Effect{Kind: socket.Unfollow, Socket: one.id, Topic: "t"}, socket.Effect{Kind: socket.Unfollow, Socket: one.id, Topic: "never"})
	b.say(follow(one.id, "again"), publish("t", "x"), publish("again", "it is heard"))
	one.hear("it is heard")
	b.say(follow(one.id, "one too many"), follow(two.id, "again"))
	one.closed(stream.CodePolicy, "it follows too many topics")
	b.until("the socket is not forgotten", func() bool { return !b.Has("p", one.id) })
	b.say(follow(one.id, "late"), publish("again", "to those who are left"))
	two.hear("to those who are left")
	for topic, want := range map[string]int{"again": 1, "0": 0, "one too many": 0, "late": 0} {
		if n := b.Count("p", topic); n != want {
			t.Errorf("%d follow %q, want %d", n, topic, want)
		}
	}
	d := b.desk("p")
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.topics) != 1 {
		t.Errorf("%d topics are remembered", len(d.topics))
	}
}

// journal is what handlers were told, by socket.
type journal struct {
	mu      sync.Mutex
	told    map[string][]string
	running map[string]bool
	most    int // that ran at once
	fault   string
}

// tell notes an event, and returns what ends it.
func (j *journal) tell(q *trigger.Request) (done func()) {
	attribute := func(name string) string {
		for _, a := range q.Attributes {
			if a.Name == name {
				return a.Value
			}
		}
		return ""
	}
	id, what := attribute("socket.id"), attribute("socket.event")
	if what == "message" {
		what = string(q.Body)
	} else {
		what += " " + attribute("socket.code") + " " + attribute("socket.by")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running[id] {
		j.fault = "two events of one socket are handled at once"
	}
	j.running[id] = true
	j.most = max(j.most, len(j.running))
	j.told[id] = append(j.told[id], what)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.running, id)
	}
}

// TestClosesOnceAndLast: the events of a socket come one after the other and in order, of
// all sockets no more at once than may be, and the close is the last, whoever closes.
func TestClosesOnceAndLast(t *testing.T) {
	j := &journal{told: map[string][]string{}, running: map[string]bool{}}
	b := newBench(t, nil, func(q *trigger.Request) trigger.Outcome {
		done := j.tell(q)
		time.Sleep(100 * time.Microsecond) // others may come in between
		done()
		return trigger.Outcome{Status: 200, Reply: &invoke.Reply{Status: 200}}
	})
	const messages = 40
	want := map[string][]string{}
	var clients sync.WaitGroup
	for i := range 12 {
		e := b.open()
		last := []string{"close 3001 client", "close 1006 client", "close 4001 host"}[i%3]
		for m := range messages {
			want[e.id] = append(want[e.id], fmt.Sprint(m))
		}
		want[e.id] = append(want[e.id], last)
		clients.Go(func() {
			for m := range messages {
				e.say(fmt.Sprint(m))
			}
			switch i % 3 {
			case 0:
				_ = ws.WriteFrame(e.conn, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(3001, ""))))
				_, _ = io.Copy(io.Discard, e.in)
			case 1:
				b.until("the messages are not read", func() bool { return len(j.of(e.id)) == messages })
				_ = e.conn.Close()
			case 2:
				b.until("the messages are not read", func() bool { return len(j.of(e.id)) == messages })
				b.Say("p", []socket.Effect{{Kind: socket.Close, Socket: e.id, Code: 4001}, {Kind: socket.Close, Socket: e.id, Code: 4002}, send(e.id, "late")}, 1, func() {})
				e.closed(4001, "")
			}
		})
	}
	clients.Wait()
	for id := range want {
		b.until("a socket is not forgotten", func() bool { return !b.Has("p", id) })
		if told := j.of(id); !slices.Equal(told, want[id]) {
			t.Errorf("the handler was told %q, want %q", told, want[id])
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault != "" || j.most > 2 {
		t.Errorf("%s; %d at once", j.fault, j.most)
	}
	if n := b.events.Load(); n != 0 {
		t.Errorf("%d events are counted that wait", n)
	}
}

// of returns what the handler was told of a socket so far.
func (j *journal) of(id string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.told[id])
}

// TestInboxHoldsBack: of a client that sends faster than its messages are handled, few
// wait in memory.
func TestInboxHoldsBack(t *testing.T) {
	hold := make(chan struct{})
	b := newBench(t, nil, func(*trigger.Request) trigger.Outcome {
		<-hold
		return trigger.Outcome{Status: 200, Reply: &invoke.Reply{Status: 200}}
	})
	e := b.open()
	const messages = 200
	for i := range messages {
		e.say(fmt.Sprint(i)) // the system takes them
	}
	d := b.desk("p")
	one := d.sockets[e.id]
	waiting := func() (n int, held bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(one.inbox), one.wait != nil
	}
	b.until("the client is not held back", func() bool { _, held := waiting(); return held })
	if n, _ := waiting(); n != maxInbox || b.events.Load() != maxInbox+1 {
		t.Errorf("%d messages wait, %d events are counted", n, b.events.Load())
	}
	close(hold)
	b.until("not all are handled", func() bool { return b.counts.handled.Load() == messages })
}

// TestWhileItOpens: what is said to a socket that is not open yet waits for it, behind
// what its handler has answered; so much and no more; and a close counts then too.
func TestWhileItOpens(t *testing.T) {
	b := newBench(t, nil, nil)
	o := b.begin(request(stream.WebSocket))
	b.say(follow(o.sock.id, "t"), send(o.sock.id, "second"), publish("t", "third"),
		socket.Effect{Kind: socket.Close, Socket: o.sock.id, Code: 4001, Name: "done"}, socket.Effect{Kind: socket.Close, Socket: o.sock.id, Code: 4002})
	o.Accept(&invoke.Reply{Status: 200, Body: []byte("first")})
	e := b.take(o)
	for _, want := range []string{"first", "second", "third"} {
		e.hear(want)
	}
	e.closed(4001, "done")

	flood := b.begin(request(stream.WebSocket))
	b.say(slices.Repeat([]socket.Effect{send(flood.sock.id, "x")}, maxPending+1)...)
	if n := len(flood.sock.pending); n != maxPending {
		t.Errorf("%d events wait", n)
	}
	big := b.begin(request(stream.WebSocket))
	b.say(slices.Repeat([]socket.Effect{send(big.sock.id, strings.Repeat("x", 200<<10))}, 5)...)
	if n := big.sock.size; n > maxPendingSize+200<<10 {
		t.Errorf("%d bytes wait", n)
	}
	for _, o := range []*Opening{flood, big} {
		e := b.take(o)
		for {
			f := e.frame()
			if f.Header.OpCode != ws.OpClose {
				continue
			}
			if code, _ := ws.ParseCloseFrameData(f.Payload); code != stream.CodeTryAgain {
				t.Errorf("closed with %d", code)
			}
			_ = e.conn.Close()
			break
		}
	}

	refused := b.begin(request(stream.WebSocket))
	b.say(follow(refused.sock.id, "t"))
	refused.Refuse()
	b.say(follow(refused.sock.id, "t"), send(refused.sock.id, "x"))
	if b.Has("p", refused.sock.id) || b.Count("p", "t") != 0 {
		t.Error("a socket that was refused is remembered")
	}
	b.until("places are kept", func() bool { return b.Streams().Open() == 0 })
}

// TestResume: a stream that comes back gets what was kept on all its topics in the order
// of the commits, over several pages, and what is published meanwhile once.
func TestResume(t *testing.T) {
	kv, err := badger.Open(badger.Config{Dir: t.TempDir(), MinFree: -1, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() }) // after the hub
	b := newBench(t, kv, nil)
	kept := func(i int) (socket.Effect, store.Revision) {
		t.Helper()
		e := publish([]string{"a", "b", "a"}[i%3], fmt.Sprint(i))
		e.Kept = true
		var tx store.Tx
		tx.Reset(kv, 7, store.Quota{}, time.Now())
		defer tx.Close()
		err := socket.Keep(socket.Part(&tx, 7), e.Topic, 0, &socket.Event{Text: true, Sent: time.Now().UnixMilli(), Data: e.Data})
		if err != nil {
			t.Fatal(err)
		}
		revision, err := kv.Commit(t.Context(), tx.Effects())
		if err != nil {
			t.Fatal(err)
		}
		return e, revision
	}
	const before, after = 3*page + 5, 50
	for i := range before {
		kept(i)
	}
	r := request(stream.EventSource)
	r.LastEventID, r.Kept = "0-0", capsocket.Kept{{Topic: "", Prefix: true, Events: 10_000}}
	o := b.begin(r)
	b.say(follow(o.sock.id, "a"), follow(o.sock.id, "b"))
	for i := before; i < before+after; i++ { // in the records, and on their way
		e, revision := kept(i)
		b.Say("p", []socket.Effect{e}, revision, func() {})
	}
	b.say()
	client := b.take(o)
	for i := before + after; i < before+2*after; i++ {
		e, revision := kept(i)
		b.Say("p", []socket.Effect{e}, revision, func() {})
	}
	var last socket.ID
	for i := 0; i < before+2*after; {
		line, err := client.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			id, ok := socket.ParseID(value)
			if !ok || !last.Before(id) {
				t.Fatalf("event %s comes behind %v", value, last)
			}
			last = id
		case "data":
			if value != fmt.Sprint(i) {
				t.Fatalf("heard %s, want %d", value, i)
			}
			i++
		}
	}
}

// TestAttributes: a handler is told of what happens, and nothing that does not belong to it.
func TestAttributes(t *testing.T) {
	one := &sock{id: "x", kind: stream.WebSocket, attachment: "ann"}
	for want, e := range map[string]event{
		"socket.id=x socket.kind=websocket socket.attachment=ann socket.event=message socket.type=text":                                {text: true},
		"socket.id=x socket.kind=websocket socket.attachment=ann socket.event=message socket.type=binary":                              {},
		"socket.id=x socket.kind=websocket socket.attachment=ann socket.event=close socket.code=1006 socket.reason= socket.by=client":  {closed: true, code: 1006, left: true},
		"socket.id=x socket.kind=websocket socket.attachment=ann socket.event=close socket.code=4001 socket.reason=bye socket.by=host": {closed: true, code: 4001, reason: "bye"},
	} {
		var got []string
		for _, a := range one.attributes(&e) {
			got = append(got, a.Name+"="+a.Value)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("told %s, want %s", text, want)
		}
	}
}
