package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// flight is the record of an invocation: its request, and all that reached its
// guest from outside, in order. It is an invoke.Outside that notes, or, when it
// replays, answers with what was noted.
type flight struct {
	Request abi.RequestHead
	Body    []byte
	Start   time.Time
	Inputs  []input

	t      *testing.T
	replay bool
	at     int // the next input of a replay
}

type input struct {
	Kind string
	Data json.RawMessage
}

// take returns what live answers, and notes it; in a replay, what was noted.
func take[T any](f *flight, kind string, live func() T) (v T) {
	if !f.replay {
		v = live()
		data, err := json.Marshal(v)
		if err != nil {
			f.t.Error(err)
		}
		f.Inputs = append(f.Inputs, input{kind, data})
		return v
	}
	if f.at == len(f.Inputs) || f.Inputs[f.at].Kind != kind {
		f.t.Errorf("input %d is asked for %q, of %d", f.at, kind, len(f.Inputs))
		return v
	}
	if err := json.Unmarshal(f.Inputs[f.at].Data, &v); err != nil {
		f.t.Error(err)
	}
	f.at++
	return v
}

func (f *flight) Begin(_ int, start time.Time) { f.Start = start }

func (f *flight) Now() time.Time {
	return time.Unix(0, take(f, "now", func() int64 { return invoke.Machine.Now().UnixNano() }))
}

func (f *flight) Uptime() time.Duration { return take(f, "uptime", invoke.Machine.Uptime) }

func (f *flight) Random(buf []byte) {
	copy(buf, take(f, "random", func() []byte {
		invoke.Machine.Random(buf)
		return buf
	}))
}

func (f *flight) Sleep(ctx context.Context, d time.Duration) error {
	if f.replay {
		return nil
	}
	return invoke.Machine.Sleep(ctx, d)
}

func (f *flight) Through(name string, live any) any {
	switch name {
	case invoke.Reads:
		snap, _ := live.(store.Snapshot)
		return reads{f, snap}
	case outbound.Name:
		calls, _ := live.(outbound.Session)
		return answers{f, calls}
	}
	f.t.Errorf("%s reaches the outside", name)
	return live
}

// reads is a snapshot that notes.
type reads struct {
	*flight
	live store.Snapshot // nil in a replay
}

func (r reads) Since(store.Space) store.Revision { return 0 }

func (r reads) Revision() store.Revision {
	return take(r.flight, "revision", func() store.Revision { return r.live.Revision() })
}

// found is what a snapshot answers.
type found struct {
	Key   []byte
	Value store.Value
	OK    bool
}

func (r reads) Get(space store.Space, key []byte) (store.Value, bool, error) {
	got := take(r.flight, "get", func() found {
		v, ok, err := r.live.Get(space, key)
		if err != nil {
			r.t.Error(err)
		}
		return found{Value: v, OK: ok}
	})
	return got.Value, got.OK, nil
}

func (r reads) Scan(space store.Space, from, to []byte, reverse bool, yield func([]byte, store.Value) bool) error {
	for _, got := range take(r.flight, "scan", func() (all []found) {
		if err := r.live.Scan(space, from, to, reverse, func(key []byte, v store.Value) bool {
			v.Data = append([]byte{}, v.Data...)
			all = append(all, found{Key: append([]byte{}, key...), Value: v})
			return true
		}); err != nil {
			r.t.Error(err)
		}
		return all
	}) {
		if !yield(got.Key, got.Value) {
			break
		}
	}
	return nil
}

func (r reads) Durable() error {
	if r.live == nil {
		return nil
	}
	return r.live.Durable()
}

func (r reads) Release() {
	if r.live != nil {
		r.live.Release()
	}
}

// answers is a session that notes.
type answers struct {
	*flight
	live outbound.Session // nil in a replay
}

// callAnswer is what a session says.
type callAnswer struct {
	Number   int
	Handle   uint32
	Status   abi.Status
	Text     string
	Data     []byte
	Response *abi.HTTPResponse
}

func (a answers) Open(r *abi.HTTPRequest) (uint32, abi.Status, string) {
	got := take(a.flight, "open "+r.Method+" "+r.URL, func() (got callAnswer) {
		got.Handle, got.Status, got.Text = a.live.Open(r)
		return got
	})
	return got.Handle, got.Status, got.Text
}

func (a answers) Write(handle uint32, data []byte) abi.Status {
	return take(a.flight, "write", func() abi.Status { return a.live.Write(handle, data) })
}

func (a answers) Send(ctx context.Context, handles []uint32) (int, abi.Status, error) {
	got := take(a.flight, "send", func() (got callAnswer) {
		var err error
		if got.Number, got.Status, err = a.live.Send(ctx, handles); err != nil {
			a.t.Error(err)
		}
		return got
	})
	return got.Number, got.Status, nil
}

func (a answers) Response(handle uint32) (*abi.HTTPResponse, abi.Status) {
	got := take(a.flight, "response", func() (got callAnswer) {
		got.Response, got.Status = a.live.Response(handle)
		return got
	})
	return got.Response, got.Status
}

func (a answers) Read(ctx context.Context, handle uint32, buf []byte) (int, abi.Status, error) {
	got := take(a.flight, "read", func() callAnswer {
		n, status, err := a.live.Read(ctx, handle, buf)
		if err != nil {
			a.t.Error(err)
		}
		return callAnswer{Data: buf[:n], Status: status}
	})
	return copy(buf, got.Data), got.Status, nil
}

func (a answers) Reason(handle uint32) string {
	return take(a.flight, "reason", func() string { return a.live.Reason(handle) })
}

func (a answers) CloseCall(handle uint32) abi.Status {
	return take(a.flight, "close", func() abi.Status { return a.live.CloseCall(handle) })
}

func (a answers) Close() {
	if a.live != nil {
		a.live.Close()
	}
}

// lasting is a program that outlives its deployment.
type lasting struct{ engine.Program }

func (lasting) Close(context.Context) error { return nil }

// landed is what an invocation came to.
type landed struct {
	Status  int
	Headers []abi.Pair
	Body    string
	Effects *store.Effects
}

func land(inv *invoke.Invocation) landed {
	return landed{inv.Reply.Status, append([]abi.Pair{}, inv.Reply.Headers...), string(inv.Reply.Body), inv.Tx.Effects()}
}

// TestARecordIsEnoughToRunAgain: a handler that reads clocks, random bytes, keys
// and the answers of a service runs on the real platform, and once more from the
// record alone, with neither a store nor a network.
func TestARecordIsEnoughToRunAgain(t *testing.T) {
	limits := limit.Default()
	limits.Deadline = time.Minute
	// What the guest's initialisation saw is in the program, which a version keeps.
	program := prepareNative(t, goGuest(t, "testdata/flight"), limits.Memory)
	defer program.Close(context.Background())
	recorded := &flight{t: t}
	want := fly(t, program, limits, recorded)
	text, err := json.Marshal(recorded)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		replayed := &flight{t: t, replay: true}
		if err := json.Unmarshal(text, replayed); err != nil {
			t.Fatal(err)
		}
		got := flyAgain(t, program, limits, replayed)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replayed (-want +got)\n%s", diff)
		}
		if replayed.at != len(replayed.Inputs) {
			t.Errorf("%d of %d inputs were asked for", replayed.at, len(replayed.Inputs))
		}
	}
	if again := fly(t, program, limits, &flight{t: t}); again.Body == want.Body {
		t.Error("another run answers the same without the record")
	}
}

// fly runs the handler twice on the real platform, the second time recorded, and
// closes everything.
func fly(t *testing.T, program engine.Program, limits limit.Limits, record *flight) (out landed) {
	t.Helper()
	t.Run("record", func(t *testing.T) {
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := w.Write([]byte(strings.Repeat(time.Now().String(), 5000))); err != nil {
				t.Error(err)
			}
		}))
		defer service.Close()
		granted, err := plugin.ParseOrigin(service.URL)
		if err != nil {
			t.Fatal(err)
		}
		env := &invoke.Env{Plugin: "flight", Version: 1, Limits: limits, KV: true, Space: 17}
		env.States.Add(outbound.Name, egress.New(egress.Config{
			Network: egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
			Origins: []plugin.Origin{granted}, Limits: egress.DefaultLimits(),
		}))
		defer env.States.Close()
		d := newDeployment(t, time.Now, lasting{program}, env)
		record.Request = abi.RequestHead{Method: "POST", Path: "/", RequestID: "r1", Trigger: abi.TriggerHTTP}
		record.Body = []byte(service.URL)
		for _, observer := range []invoke.Outside{nil, record} {
			inv := record.invocation()
			inv.Observe(observer)
			if res, err := d.Do(t.Context(), inv, limits); err != nil || res.Attempts != 1 {
				t.Fatalf("%+v, %v", res, err)
			}
			out = land(inv)
		}
	})
	return out
}

func (f *flight) invocation() *invoke.Invocation {
	f.Request.BodySize = uint64(len(f.Body))
	return &invoke.Invocation{Request: &invoke.Request{Head: f.Request, Body: invoke.BodyOf(f.Body)}}
}

// flyAgain runs the handler from the record alone.
func flyAgain(t *testing.T, program engine.Program, limits limit.Limits, record *flight) landed {
	t.Helper()
	instance, err := program.Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer instance.Close(context.Background())
	inv := record.invocation()
	inv.Env = &invoke.Env{Plugin: "flight", Version: 1, Limits: limits, KV: true, Space: 17}
	inv.Start = record.Start
	inv.Observe(record)
	var tx store.Tx
	tx.Reset(nowhere{inv}, inv.Env.Space, store.Quota{}, inv.Start)
	defer tx.Close()
	inv.Begin(1, limits, &tx)
	defer inv.End()
	if err := instance.Handle(t.Context(), inv); err != nil {
		t.Fatal(err)
	}
	return land(inv)
}

// nowhere opens the snapshots of an observer that replays.
type nowhere struct{ inv *invoke.Invocation }

func (n nowhere) Snapshot() (store.Snapshot, error) {
	return invoke.Through[store.Snapshot](n.inv, invoke.Reads, nil), nil
}
