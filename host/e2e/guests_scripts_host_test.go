package e2e

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/abitest"
	"github.com/wasmoor/wasmoor/host/internal/blob"
	"github.com/wasmoor/wasmoor/host/internal/blob/names"
	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	capblobs "github.com/wasmoor/wasmoor/host/internal/capability/blobs"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	capsocket "github.com/wasmoor/wasmoor/host/internal/capability/socket"
	capsql "github.com/wasmoor/wasmoor/host/internal/capability/sql"
	capwebhook "github.com/wasmoor/wasmoor/host/internal/capability/webhook"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	internalservice "github.com/wasmoor/wasmoor/host/internal/service"
	"github.com/wasmoor/wasmoor/host/internal/socket"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/store/badger"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// The call scripts of abi/testdata/calls are run by whoever answers host calls.
// Here it is the real capabilities, on the real store and behind the real
// dispatch: called from Go, and from guests in C and in AssemblyScript.

// TestScripts has the capabilities called from Go, so that it needs no guest.
func TestScripts(t *testing.T) {
	for _, s := range loadScripts(t) {
		t.Run(s.Name, func(t *testing.T) {
			caller := &goCaller{functions: map[string]capability.Func{}, memory: make(capability.Memory, 16<<20)}
			for _, f := range capabilities.All(capabilities.Config{}).Native() {
				caller.functions[f.Name] = f
			}
			newScriptHost(t, &s, caller, caller).run(&s)
		})
	}
}

func loadScripts(t *testing.T) []abitest.Script {
	t.Helper()
	scripts, err := abitest.Load("../../abi/testdata/calls")
	if err != nil {
		t.Fatal(err)
	}
	return scripts
}

// caller is what makes the calls of an invocation.
type caller interface {
	// begin returns what the request carries in place of the script's own body, ""
	// for nothing, and how to find what the last attempt was told.
	begin(i *abitest.Invocation, calls []abitest.Call, origin string) (body string, told func(reply *string) told)
}

// told is what each call returned, and what its buffer held then. It is empty
// where the caller cannot say.
type told struct {
	results []int64
	buffers [][]byte
}

// scriptHost is a host for the plugin of a script.
type scriptHost struct {
	t          *testing.T
	caller     caller
	deployment *dispatch.Deployment
	program    *scriptProgram
	origin     string

	mu   sync.Mutex
	now  time.Time
	logs []abitest.Line
	sent []abitest.HTTPCall
}

func newScriptHost(t *testing.T, s *abitest.Script, c caller, p engine.Program) *scriptHost {
	t.Helper()
	h := &scriptHost{t: t, caller: c, now: time.UnixMilli(1_700_000_000_000)}
	h.program = &scriptProgram{Program: p, host: h}
	env := &invoke.Env{
		Plugin: "script", Version: 1, Limits: limit.Default(), KV: !s.Host.NoKV, Space: 7, Config: s.Host.Vars(),
		Log: slog.New(&lineLog{host: h}),
	}
	env.Limits.Deadline = time.Minute
	if len(s.Host.Queues) > 0 {
		h.queues(env, s.Host.Queues)
		env.States.Add(capwebhook.Name, capwebhook.Secrets(s.Host.Vars()))
	}
	if len(s.Host.SQL) > 0 {
		var databases capsql.Settings
		for _, name := range s.Host.SQL {
			databases = append(databases, capsql.Declared{Name: name})
		}
		env.Keeps = true
		env.States.Add(capsql.Name, capsql.Serving(databases))
	}
	if s.Host.Sockets != nil {
		env.States.Add(capsocket.Name, capsocket.Serving(&scriptHub{open: s.Host.Sockets, following: map[string][]string{}}, capsocket.Settings{{Pattern: "GET /rooms/{id}"}}))
	}
	if s.Host.Blobs != nil {
		env.States.Add(capblobs.Name, capblobs.Granted{Store: blobsIn(t), Quota: names.Quota(*s.Host.Blobs)})
	}
	if s.Host.Upstream != nil {
		env.States.Add(outbound.Name, h.upstream(s.Host.Upstream))
	}
	h.deployment = newDeployment(t, h.clock, h.program, env)
	return h
}

func blobsIn(t *testing.T) *blob.Store {
	t.Helper()
	blobs, err := blob.OpenStore(blob.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return blobs
}

// queues gives the plugin its queues, and those of others that it may send to.
func (h *scriptHost) queues(env *invoke.Env, names []string) {
	var queues capqueue.Settings
	others := &internalservice.Services{Bound: map[string]string{}}
	manifests := map[string]string{}
	for _, name := range names {
		if alias, of, other := strings.Cut(name, "/"); other {
			others.Bound[alias] = alias
			manifests[alias] += fmt.Sprintf("[queue.%s]\nrequest = \"POST /queues/%s\"\n", of, of)
			continue
		}
		queues = append(queues, capqueue.Declared{Queue: queue.Queue{Name: name, Retention: time.Hour}})
	}
	others.Find = func(_ *invoke.Invocation, plugin string) (internalservice.Receiver, error) {
		m, err := manifest.Parse([]byte("manifest_version = 1\nname = \""+plugin+"\"\n"+manifests[plugin]), "wasmoor.toml", capabilities.Sections())
		return internalservice.Receiver{Manifest: m, Space: 9}, err
	}
	env.Keeps = true
	env.States.Add(capqueue.Name, queues)
	env.States.Add(internalservice.Name, others)
}

// newDeployment returns a deployment on a store of its own.
func newDeployment(t *testing.T, clock func() time.Time, p engine.Program, env *invoke.Env) *dispatch.Deployment {
	t.Helper()
	kv, err := badger.Open(badger.Config{Dir: t.TempDir(), Clock: clock, MinFree: -1, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() })
	pools := dispatch.NewPools(clock, 0)
	t.Cleanup(pools.Close)
	d := dispatch.NewDeployment(dispatch.Config{
		Plugin: dispatch.NewPlugin("guest", limit.Default().Concurrency, nil, nil),
		Pools:  pools, Program: p, Store: kv, Clock: clock, Env: env,
	})
	t.Cleanup(func() { d.Close(context.Background()) })
	return d
}

// prepareNative prepares a module of the native ABI.
func prepareNative(t *testing.T, module []byte, memory int64) engine.Program {
	t.Helper()
	e := enginetest.InProcess(native.New(native.Config{Functions: capabilities.All(capabilities.Config{}).Native()}))
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	p, err := e.Prepare(context.Background(), module, engine.Options{Memory: memory})
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	return p
}

func (h *scriptHost) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// upstream starts the service of a script, and grants it.
func (h *scriptHost) upstream(answers []abitest.Upstream) *egress.Client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.sent = append(h.sent, abitest.HTTPCall{Method: r.Method, Path: r.URL.Path, Body: string(body)})
		h.mu.Unlock()
		for _, a := range answers {
			if a.Path == r.URL.Path {
				answerUpstream(w, r, a)
				return
			}
		}
		w.WriteHeader(http.StatusNotImplemented)
	}))
	h.t.Cleanup(server.Close)
	h.origin = server.URL
	granted, err := plugin.ParseOrigin(server.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	client := egress.New(egress.Config{
		Network: egress.Network{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Origins: []plugin.Origin{granted}, Limits: egress.DefaultLimits(),
	})
	h.t.Cleanup(client.Close)
	return client
}

func answerUpstream(w http.ResponseWriter, r *http.Request, a abitest.Upstream) {
	if a.Breaks {
		panic(http.ErrAbortHandler)
	}
	if a.Hangs {
		<-r.Context().Done()
		return
	}
	for _, f := range a.Headers {
		w.Header().Add(f[0], f[1])
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, string(a.Body))
}

// run makes the invocations of a script and compares what becomes of them.
func (h *scriptHost) run(s *abitest.Script) {
	for n := range s.Invocations {
		i := &s.Invocations[n]
		h.mu.Lock()
		h.now = h.now.Add(time.Duration(i.AfterMS) * time.Millisecond)
		h.sent = nil
		h.mu.Unlock()
		h.program.after = nil
		if i.Meanwhile != nil {
			h.program.after = func() { h.meanwhile(n, i) }
		}
		got, err := h.invoke(i, i.Calls)
		if err != nil {
			h.t.Errorf("invocation %d (%s): %v", n, i.About, err)
		}
		if err := i.Want.Check(got); err != nil {
			h.t.Errorf("invocation %d (%s): %v", n, i.About, err)
		}
	}
}

// meanwhile has another request commit, by another route: those of one that conflict
// wait for each other.
func (h *scriptHost) meanwhile(n int, i *abitest.Invocation) {
	h.program.after = nil
	step, logs := h.program.step, h.logs
	got, err := h.invoke(&abitest.Invocation{Request: abitest.Request{Method: http.MethodPut}}, i.Meanwhile)
	h.program.step, h.logs = step, logs
	if err != nil || got.Outcome != string(trace.Committed) {
		h.t.Errorf("invocation %d: meanwhile: %+v, %v", n, got, err)
	}
}

// invoke makes one invocation and compares what its calls returned.
func (h *scriptHost) invoke(i *abitest.Invocation, calls []abitest.Call) (abitest.Got, error) {
	h.program.step = step{invocation: i, calls: calls, origin: h.origin}
	body, find := h.caller.begin(i, calls, h.origin)
	inv := &invoke.Invocation{Request: scriptRequest(i.Request, cmp.Or(body, i.Request.Body))}
	result, err := h.deployment.Do(context.Background(), inv, h.deployment.Env().Limits)
	text := string(inv.Reply.Body)
	var told told
	if err == nil || body == "" { // an answer that the host refuses need not be whole
		told = find(&text)
	}
	got := abitest.Got{
		Outcome: string(result.Outcome), Refused: err != nil, Attempts: result.Attempts, Status: inv.Reply.Status, Body: text, Pattern: inv.Pattern,
	}
	for _, p := range inv.Reply.Headers {
		got.Headers = append(got.Headers, [2]string{p.Name, p.Value})
	}
	h.mu.Lock()
	got.Logs, got.Sent = h.logs, h.sent
	h.mu.Unlock()
	if err != nil && fault.CodeOf(err) == fault.Internal {
		return got, err
	}
	for n, r := range told.results {
		if err := calls[n].Check(r, told.buffers[n]); err != nil {
			return got, err
		}
	}
	return got, nil
}

func scriptRequest(r abitest.Request, body string) *invoke.Request {
	method := cmp.Or(r.Method, http.MethodPost)
	return &invoke.Request{
		Head: abi.RequestHead{
			Method: method, Path: cmp.Or(r.Path, "/"), Query: r.Query, Headers: append([]abi.Pair{{Name: "host", Value: "localhost"}}, abitest.Pairs(r.Headers)...),
			Scheme: "http", Host: "localhost", Remote: "127.0.0.1", RequestID: "r1", BodySize: uint64(len(body)),
			Trigger: cmp.Or(r.Trigger, abi.TriggerHTTP), Attributes: abitest.Pairs(r.Attributes),
		},
		Body: invoke.BodyOf([]byte(body)), DropEffects: method == http.MethodHead,
	}
}

// step is the invocation under way.
type step struct {
	invocation *abitest.Invocation
	calls      []abitest.Call
	origin     string // of the upstream
}

// scriptProgram is a program whose instances call after once their handler has
// returned, in its first attempt.
type scriptProgram struct {
	engine.Program
	host  *scriptHost
	step  step
	after func()
}

func (p *scriptProgram) Instance(ctx context.Context) (engine.Instance, error) {
	in, err := p.Program.Instance(ctx)
	return &scriptInstance{in, p}, err
}

type scriptInstance struct {
	engine.Instance
	program *scriptProgram
}

func (in *scriptInstance) Handle(ctx context.Context, inv *invoke.Invocation) error {
	in.program.host.logs = nil
	c, own := in.Instance.(*goCaller)
	if own {
		c.step = in.program.step
	}
	err := in.Instance.Handle(ctx, inv)
	if in.program.after == nil {
		return err
	}
	if own {
		defer func(t told) { c.told = t }(c.told)
	}
	in.program.after()
	return err
}

// lineLog keeps the lines of the last attempt.
type lineLog struct {
	slog.Handler
	host *scriptHost
}

func (l *lineLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *lineLog) Handle(_ context.Context, r slog.Record) error {
	line := abitest.Line{Level: strings.ToLower(r.Level.String()), Message: abitest.Text(r.Message)}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "guest" {
			for _, a := range a.Value.Group() {
				line.Attrs = append(line.Attrs, [2]string{a.Key, a.Value.String()})
			}
		}
		return true
	})
	l.host.mu.Lock()
	defer l.host.mu.Unlock()
	l.host.logs = append(l.host.logs, line)
	return nil
}

// goCaller calls the capabilities from Go, with a memory of its own. It is
// program and instance in one: its calls take turns.
type goCaller struct {
	functions map[string]capability.Func
	memory    capability.Memory
	step      step
	told      told // in the last attempt
}

func (c *goCaller) begin(*abitest.Invocation, []abitest.Call, string) (string, func(*string) told) {
	return "", func(*string) told { return c.told }
}

// Handle makes the calls of the step.
func (c *goCaller) Handle(ctx context.Context, inv *invoke.Invocation) error {
	c.told = told{}
	s := c.step
	for i := range s.calls {
		call := &s.calls[i]
		var result uint64
		var buffer []byte
		for again := true; again; again = call.Drain && int64(result) > 0 {
			var args []uint64
			var err error
			args, buffer = c.place(call, s.origin, c.told.results)
			result, err = c.functions[call.Function.Name].Call(ctx, &capability.Guest{Inv: inv, Mem: c.memory}, args)
			if err != nil {
				return err
			}
		}
		c.told.results = append(c.told.results, int64(result))
		c.told.buffers = append(c.told.buffers, append([]byte(nil), buffer...))
	}
	if s.invocation.Fails {
		return fault.New(fault.Trap, "handle", "the script says so")
	}
	return nil
}

// place puts the arguments of a call into memory.
func (c *goCaller) place(call *abitest.Call, origin string, results []int64) (args []uint64, buffer []byte) {
	at := 0
	room := func(n int) []byte {
		b := c.memory[at : at+n]
		args = append(args, uint64(at), uint64(n))
		at += n
		return b
	}
	for i := range call.Args {
		switch a := &call.Args[i]; {
		case a.Range != nil:
			args = append(args, uint64(int64(len(c.memory))+a.Range.Offset), uint64(a.Range.Length))
		case a.Kind == abi.In || a.Kind == abi.Text:
			data := a.Data.Bytes(origin, results)
			copy(room(len(data)), data)
		case a.Kind == abi.Out:
			buffer = room(int(a.Number))
			clear(buffer)
		case a.Handle != nil:
			args = append(args, uint64(results[*a.Handle]))
		default:
			args = append(args, uint64(a.Number))
		}
	}
	return args, buffer
}

func (c *goCaller) Instance(context.Context) (engine.Instance, error)   { return c, nil }
func (c *goCaller) Fresh() string                                       { return "" }
func (c *goCaller) Cold() string                                        { return "" }
func (c *goCaller) Close(context.Context) error                         { return nil }
func (c *goCaller) Try(ctx context.Context, i *invoke.Invocation) error { return c.Handle(ctx, i) }
func (c *goCaller) Reset() bool                                         { return true }
func (c *goCaller) Trim()                                               {}

// scriptHub has the sockets of a script.
type scriptHub struct {
	mu        sync.Mutex
	open      []string
	following map[string][]string // topics by socket
}

func (h *scriptHub) Has(_, id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.open, id)
}

func (h *scriptHub) Count(_, topic string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, topics := range h.following {
		if slices.Contains(topics, topic) {
			n++
		}
	}
	return n
}

func (h *scriptHub) Say(_ string, effects []socket.Effect, _ store.Revision, left func()) {
	defer left()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range effects {
		switch e.Kind {
		case socket.Close:
			h.open = slices.DeleteFunc(h.open, func(id string) bool { return id == e.Socket })
			delete(h.following, e.Socket)
		case socket.Follow:
			if !slices.Contains(h.following[e.Socket], e.Topic) {
				h.following[e.Socket] = append(h.following[e.Socket], e.Topic)
			}
		case socket.Unfollow:
			h.following[e.Socket] = slices.DeleteFunc(h.following[e.Socket], func(t string) bool { return t == e.Topic })
		}
	}
}
