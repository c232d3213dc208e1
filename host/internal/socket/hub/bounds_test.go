package hub

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// TestClosedSocketsKeepTheirPlace: a socket that is closed keeps its place until its events are handled.
func TestClosedSocketsKeepTheirPlace(t *testing.T) {
	hold := make(chan struct{})
	b := newBench(t, nil, func(*trigger.Request) trigger.Outcome {
		<-hold
		return trigger.Outcome{Status: 200, Reply: &invoke.Reply{Status: 200}}
	})
	defer close(hold)
	for i := range 20 {
		r := request(stream.WebSocket)
		r.Declared.Max = 5
		o, err := b.Begin(r)
		if err != nil {
			t.Logf("refused at %d: %v", i, err)
			return
		}
		e := b.take(o)
		for range 8 {
			e.say(strings.Repeat("x", 60<<10))
		}
		d := b.desk("p")
		b.until("read", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(o.sock.inbox) >= 7 })
		_ = e.conn.Close()
		b.until("left", func() bool { return b.Streams().Open() == 0 })
	}
	t.Errorf("with socket.max 5, 20 sockets have %d events waiting", b.events.Load())
}

// TestResumeOfMuch: a client that resumes is not dropped for what it has missed.
func TestResumeOfMuch(t *testing.T) {
	kv, err := badger.Open(badger.Config{Dir: t.TempDir(), MinFree: -1, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() })
	streams := stream.New(stream.Config{})
	s := New(Config{Store: func() store.Store { return kv }, Streams: streams, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	s.Start(func() []deploy.Installed { return nil }, func(context.Context, *trigger.Request) trigger.Outcome {
		return trigger.Outcome{Status: 200, Reply: &invoke.Reply{Status: 200}}
	})
	t.Cleanup(func() { _ = streams.Close(context.Background()); _ = s.Close(context.Background()) })
	b := &bench{t, s}
	const n = 60
	for i := range n {
		var tx store.Tx
		tx.Reset(kv, 7, store.Quota{}, time.Now())
		if err := socket.Keep(socket.Part(&tx, 7), "a", 0, &socket.Event{Text: true, Sent: time.Now().UnixMilli(), Data: []byte(fmt.Sprint(i) + strings.Repeat("x", 100<<10))}); err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Commit(t.Context(), tx.Effects()); err != nil {
			t.Fatal(err)
		}
		tx.Close()
	}
	r := request(stream.EventSource)
	r.LastEventID, r.Kept = "0-0", capsocket.Kept{{Topic: "", Prefix: true, Events: 10_000}}
	o := b.begin(r)
	b.say(follow(o.sock.id, "a"))
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	client, _ := net.Dial("tcp", ln.Addr().String())
	server, _ := ln.Accept()
	_ = ln.Close()
	go o.Take(server, nil, nil)
	in := bufio.NewReaderSize(client, 1<<20)
	_ = client.SetDeadline(time.Now().Add(soon))
	for got := 0; got < n; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d: %v", got, err)
		}
		if strings.HasPrefix(line, "event: bye") {
			t.Fatalf("dropped after %d of %d events", got, n)
		}
		if strings.HasPrefix(line, "data: ") && len(line) > 1000 {
			got++
		}
	}
	_ = client.Close()
}

// TestEndOfWhoIsHeldBack: a client that is held back does not hold up the end.
func TestEndOfWhoIsHeldBack(t *testing.T) {
	hold := make(chan struct{})
	b := newBench(t, nil, func(*trigger.Request) trigger.Outcome {
		<-hold
		return trigger.Outcome{Status: 200, Reply: &invoke.Reply{Status: 200}}
	})
	defer close(hold)
	e := b.open()
	for i := range 20 {
		e.say(fmt.Sprint(i))
	}
	d := b.desk("p")
	b.until("held", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.sockets[e.id].wait != nil })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	done := make(chan struct{})
	go func() { _ = b.Streams().Close(ctx); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("Close still waits 5 s after its context has ended")
	}
}

// TestLargeAnswerAtTheOpening: what is sent with the answer that opens a socket is sent.
func TestLargeAnswerAtTheOpening(t *testing.T) {
	streams := stream.New(stream.Config{})
	s := New(Config{Store: func() store.Store { return nil }, Streams: streams, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
	s.Start(func() []deploy.Installed { return nil }, func(context.Context, *trigger.Request) trigger.Outcome {
		return trigger.Outcome{Status: 200, Reply: &invoke.Reply{Status: 200}}
	})
	t.Cleanup(func() { _ = streams.Close(context.Background()); _ = s.Close(context.Background()) })
	b := &bench{t, s}
	lost := 0
	for range 50 {
		o := b.begin(request(stream.EventSource))
		o.Accept(&invoke.Reply{Status: 200, Body: []byte(strings.Repeat("x", 300<<10))})
		ln, _ := net.Listen("tcp", "127.0.0.1:0")
		client, _ := net.Dial("tcp", ln.Addr().String())
		server, _ := ln.Accept()
		_ = ln.Close()
		go o.Take(server, nil, []byte("HTTP/1.1 200 OK\r\n\r\n"))
		_ = client.SetDeadline(time.Now().Add(soon))
		line, _ := bufio.NewReader(client).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 200") {
			lost++
		}
		_ = client.Close()
	}
	if lost > 0 {
		t.Errorf("%d of 50 clients have no head of the answer", lost)
	}
}
