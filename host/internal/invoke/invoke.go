// Package invoke is the state of one invocation: the request, the transaction,
// the reply and the budget. It holds state and checks what enters it; it runs
// nothing. Capabilities act on it, engines pass it through, dispatch owns it.
package invoke

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/redact"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Env is what a deployment gives to each of its invocations. It is built once
// per deployment, shared and never changed.
type Env struct {
	Plugin  string
	Version int
	Limits  limit.Limits
	KV      bool        // the key-value capability is granted
	Keeps   bool        // the manifest has queues, databases, or topics whose events are kept
	Calls   bool        // it may call other plugins
	Space   store.Space // the plugin's key space
	Quota   store.Quota
	Config  map[string]string
	Vars    []string // what the manifest declares that operators may set, sorted
	// Warmup is set while a version warms up: it has no plugin yet, so that what
	// belongs to one is unavailable.
	Warmup bool
	// Preview is set where a version serves at an address of its own.
	Preview bool
	States  States // what capabilities keep of the deployment
	// Memory is what all attempts of all plugins may have together outside their
	// guests (Invocation.Hold); nil = no bound.
	Memory *limit.Budget
	Log    *slog.Logger     // carries plugin and version; nil drops what the guest logs
	Redact *redact.Redactor // hides the plugin's secrets, as Log does; nil = it has none
	World  World            // nil = Machine, with the wall clock of Clock
	Clock  func() time.Time // nil = time.Now
}

// Blobs is the name of the capability of blobs. A deployment has its state that is granted
// it.
const Blobs = "blobs"

// Stores reports whether invocations have a transaction.
func (e *Env) Stores() bool { return e.KV || e.Keeps || e.Calls || e.States.Of(Blobs) != nil }

// Request is what the client sent. The host built it: it is already bounded and
// normalised, and owns its memory.
type Request struct {
	Head abi.RequestHead
	Body Body
	// Blobs says that whoever sends the reply sends one that is a blob as it is. Else its
	// bytes become the body of the reply, as far as limits.response_body allows.
	Blobs bool
	// DropEffects never commits, whatever the handler says: HEAD is safe.
	DropEffects bool
	// Low has the handler run when others leave it room: no client waits for it.
	Low bool
	// Seen, if not nil, is called with an attempt that has replied, before its effects are
	// settled. It may not keep it.
	Seen func(*Invocation)
	// Client, if not nil, tells when the client leaves.
	Client Client
	// Sender, if not nil, decides for which side of a roll-out the request is, in every
	// plugin that it reaches.
	Sender Sender
	// Once, if not nil, has the answer kept with the effects, so that a repeat
	// gets the answer and does nothing. The invocation has a transaction then.
	Once *Once
	// Claim, if not nil, is settled with the effects. The invocation has a transaction then.
	Claim Claim
	// Arrived is when the head of the request was there; zero = when its handling begins.
	Arrived time.Time
	// Timeline, if not nil, notes what the request does, which is traced.
	Timeline *trace.Timeline
}

// TraceID returns the id of the trace that the request is a part of, "" of none: of
// its own, or of its client's where requests are not traced here.
func (r *Request) TraceID() string {
	if r.Timeline != nil {
		return r.Timeline.ID()
	}
	return TraceOf(r.Head.Headers).ID()
}

// TraceOf returns the place in a trace that a header names, the zero Context for none.
func TraceOf(header []abi.Pair) trace.Context {
	c, ok := trace.Parse(field.Single(header, "traceparent"))
	if !ok {
		return trace.Context{}
	}
	return c
}

// Client is whoever waits for the reply. A client that leaves ends what has had no
// effect; a handler runs on.
type Client interface {
	// Watch calls left at most once, on a goroutine of its own, when the client has
	// left. It does not call it after stop has returned. A request that waits for
	// less than a moment need not be noticed.
	Watch(left func()) (stop func())
}

// CheckAttributes returns an Internal error if a way in has set more attributes
// than a guest has to expect.
func (r *Request) CheckAttributes() error {
	bytes := 0
	for _, a := range r.Head.Attributes {
		bytes += len(a.Name) + len(a.Value)
	}
	if n := len(r.Head.Attributes); n > limit.Attributes || bytes > limit.AttributesBytes {
		return fault.New(fault.Internal, "invoke", fmt.Sprintf("the request has %d attributes of %d bytes; at most %d of %d are allowed",
			n, bytes, limit.Attributes, limit.AttributesBytes))
	}
	return nil
}

// Once names a request that its client may send more than once.
type Once struct {
	Key    string        // the client's, 1 to 255 visible ASCII characters
	Digest [32]byte      // of what makes two requests the same
	Keep   time.Duration // how long the answer is kept, above zero

	// Success has only answers with a status below 300 kept: after others the request runs
	// again.
	Success bool
}

// Keeps reports whether an answer with a status is kept. nil keeps none.
func (o *Once) Keeps(status int) bool { return o != nil && (!o.Success || status < 300) }

// Invocation is one run of a handler. It belongs to one goroutine at a time.
type Invocation struct {
	Env     *Env
	Limits  limit.Limits // of the plugin, or of the route where it has its own
	Request *Request
	Tx      *store.Tx // nil without Env.Stores
	Start   time.Time // the clock of expiry, the same over all attempts
	Reply   Reply
	Outcome uint32        // abi.Outcome*
	Pattern string        // what the guest's own router matched, for metrics
	Out     time.Duration // it waited for services, over all attempts

	outside  Outside // nil = nobody observes
	head     []byte  // encoded request head, made at its first reading
	logLines int
	notices  Notice // those that the log has of the attempt
	looks    Looks
	memory   memory

	departure Departure   // nil = nothing has to happen
	kept      States      // what capabilities keep of the attempt
	called    Leaving     // what leaves with handlers that the attempt has called
	calls     Calls       // what the request has asked of services, over its attempts; nil = nothing
	lasting   States      // what ways in keep of the request, over its attempts
	caller    *Invocation // within which it runs; nil = it is a root
	own       perceived   // the World of the request

	calling atomic.Pointer[string] // host that the handler waits for; nil = none
}

// Waits notes which host the handler waits for from now on, "" = none any more.
func (inv *Invocation) Waits(host string) {
	inv = inv.Root()
	if host == "" {
		inv.calling.Store(nil)
		return
	}
	inv.calling.Store(&host)
}

// Calling returns the host that the handler waits for, "" = none. It may be called on
// any goroutine.
func (inv *Invocation) Calling() string {
	if host := inv.calling.Load(); host != nil {
		return *host
	}
	return ""
}

// World returns the time and chance that the guest perceives.
func (inv *Invocation) World() World {
	switch {
	case inv.outside != nil:
		return inv.outside
	case inv.caller != nil:
		return inv.caller.World()
	case inv.Env.World != nil:
		return inv.Env.World
	}
	return &inv.own
}

// Begin makes inv ready for an attempt, reusing what the last one left.
func (inv *Invocation) Begin(attempt int, limits limit.Limits, tx *store.Tx) {
	inv.Limits = limits
	inv.Request.Head.Attempt = uint32(attempt)
	inv.Tx, inv.departure, inv.called = tx, nil, nil
	inv.Reply.reset(inv.Request.Head.Method)
	inv.Outcome = abi.OutcomeDefault
	inv.Pattern = ""
	inv.head = inv.head[:0]
	inv.logLines, inv.notices, inv.looks = 0, 0, 0
	inv.memory.give()
	inv.own.begin(attempt, inv.Env)
	if inv.outside != nil {
		inv.outside.Begin(attempt, inv.Start)
	}
}

// State returns what the capability of that name keeps of the attempt, nil if it
// has kept nothing yet.
func (inv *Invocation) State(name string) State { return inv.kept.Of(name) }

// Leaving returns what leaves the process with the effects of the attempt: its own, and
// that of handlers which it has called. States kept of the request that implement Effect
// are told too, though nothing of them leaves.
func (inv *Invocation) Leaving() Leaving { return append(inv.said(), inv.lasting.Effects()...) }

func (inv *Invocation) said() Leaving {
	return append(slices.Clip(inv.called), inv.kept.Effects()...)
}

// Certify tells what capabilities keep that the handler has returned, and has the attempt
// commit if something leaves with it that may rest on what it has read: then that is still
// so as it leaves, and comes after all that it has seen.
func (inv *Invocation) Certify() error {
	inv.kept.ran()
	if inv.Tx == nil || inv.Request.DropEffects || !inv.Commits() {
		return nil
	}
	inv.lasting.seal(inv)
	if len(inv.said()) == 0 {
		return nil
	}
	return inv.Tx.CertifyReads()
}

// Inherit takes what leaves with the effects of a handler that the attempt has called.
func (inv *Invocation) Inherit(l Leaving) { inv.called = append(inv.called, l...) }

// Keep keeps the state of a capability until the attempt ends, which closes it.
func (inv *Invocation) Keep(name string, state State) { inv.kept.Add(name, state) }

// End closes what capabilities keep of the attempt, gives back its memory, and says
// how many of its lines were dropped.
func (inv *Invocation) End() {
	inv.tellDropped()
	inv.memory.give()
	inv.kept.Close()
	clear(inv.kept)
	inv.kept = inv.kept[:0]
}

// KeepCalls keeps what the request asks of services until Finish of the root.
func (inv *Invocation) KeepCalls(c Calls) { inv.Root().calls = c }

// Calls returns what KeepCalls kept, nil if there is nothing.
func (inv *Invocation) Calls() Calls { return inv.Root().calls }

// Finish closes what is kept of the request over its attempts.
func (inv *Invocation) Finish() {
	if len(inv.lasting) > 0 {
		inv.lasting.Close()
		clear(inv.lasting)
		inv.lasting = inv.lasting[:0]
	}
	if inv.calls != nil {
		inv.calls.Close()
		inv.calls = nil
	}
}

// Head returns the encoded request head; valid until the next Begin.
func (inv *Invocation) Head() []byte {
	if len(inv.head) == 0 {
		inv.head = abi.AppendRequestHead(inv.head, &inv.Request.Head)
	}
	return inv.head
}

// Commits reports whether the effects of a handler that returned normally are
// to be committed.
func (inv *Invocation) Commits() bool {
	switch inv.Outcome {
	case abi.OutcomeCommit:
		return true
	case abi.OutcomeAbort:
		return false
	default:
		return inv.Reply.Status < 500
	}
}
