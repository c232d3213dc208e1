// Package outbound is the capability to call other services over HTTP. What may
// be called, and within which bounds, is package egress's. Package capabilities
// imports it.
package outbound

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/runq"
	"github.com/wasmoor/wasmoor/host/internal/service"
)

// Unit returns the capability. network is what the operator lets all plugins
// reach.
func Unit(network egress.Network) capability.Unit {
	return capability.Unit{
		Name: Name, Keys: keys, Read: ask, Terms: readTerms,
		Plugin:     func(clock func() time.Time) invoke.State { return egress.NewState(clock) },
		Deployment: func(d capability.Deployment) invoke.State { return newClient(network, d) },
		Native:     functions(), Extism: extism(),
	}
}

// newClient makes the client of a deployment's calls, nil if the plugin may make
// none. It has no connection until a call is made.
func newClient(network egress.Network, d capability.Deployment) invoke.State {
	asked, _ := d.Ask.(Terms)
	granted, _ := d.Grant.(Terms)
	origins := plugin.Origins(asked).Both(plugin.Origins(granted)).List()
	if len(origins) == 0 {
		return nil
	}
	settings, _ := d.Settings.(Settings)
	state, _ := d.Plugin.(*egress.State)
	return egress.New(egress.Config{
		Network: network, Origins: origins, Limits: settings.Limits,
		Idempotent: settings.Idempotent, Cache: settings.Cache, State: state,
	})
}

// Off reports whether an operator has ended the calls of the plugin that keeps states.
func Off(states invoke.States) bool {
	calls, _ := states.Of(Name).(*egress.State)
	return calls.Off()
}

// functions returns the host functions of calls to other services.
func functions() []capability.Func {
	return capability.OfPlugin(append(
		capability.Native(map[string]capability.Handler{
			abi.FnHTTPOpen:  open,
			abi.FnHTTPWrite: write,
			abi.FnHTTPHead:  head,
			abi.FnHTTPClose: closeCall,
		}),
		capability.Waiting(map[string]capability.Waiter{
			abi.FnHTTPSend: send,
			abi.FnHTTPRead: read,
		})...))
}

// Name is that of the capability's table in a manifest and of what it keeps: a
// client with the deployment, calls with the attempt.
const Name = "outbound"

// blindSecrets is the name under which a deployment keeps the secrets that the host
// puts into calls: that of package blind.
const blindSecrets = "secrets"

// attempt is what an attempt that has called out has under Name.
type attempt struct {
	Session                 // to services outside; nil = none is granted
	services *service.Calls // to other plugins of this server; nil = none is granted
	opened   int            // calls of either kind, of the plugins that were called among it
	most     int            // of them
	live     egress.Session
	inv      *invoke.Invocation
	patient  context.Context    // of its calls, which end when their client leaves; nil = of the handler
	release  context.CancelFunc // frees patient
	to       string             // host of the call that was opened last
	head     []byte             // where heads are encoded
	answer   answer             // to the last http_request of a plugin of Extism
}

// Session is the calls of one attempt: an egress.Session, or what an observer of
// the invocation has put in its place.
type Session interface {
	Open(r *abi.HTTPRequest) (handle uint32, status abi.Status, why string)
	Write(handle uint32, data []byte) abi.Status
	Send(ctx context.Context, handles []uint32) (int, abi.Status, error)
	Response(handle uint32) (*abi.HTTPResponse, abi.Status)
	Read(ctx context.Context, handle uint32, buf []byte) (int, abi.Status, error)
	Reason(handle uint32) string
	CloseCall(handle uint32) abi.Status
	Close()
}

// Calls returns the attempt's calls to other services, nil without a grant.
func Calls(inv *invoke.Invocation) Session {
	if a := of(inv); a != nil {
		return a.Session
	}
	return nil
}

// of returns what the attempt keeps, made at its first use; nil without a grant.
func of(inv *invoke.Invocation) *attempt {
	if kept, ok := inv.State(Name).(*attempt); ok {
		return kept
	}
	inv.Look(invoke.LookedAtOthers)
	made := &attempt{inv: inv, most: egress.DefaultLimits().Calls}
	header := inv.Request.Head.Headers
	trace := egress.Trace{
		RequestID:   inv.Request.Head.RequestID,
		Traceparent: field.Single(header, "traceparent"),
		Tracestate:  field.Single(header, "tracestate"),
		Host:        inv.Request.Head.Host,
		Timeline:    inv.Request.Timeline,
	}
	if client, ok := inv.Env.States.Of(Name).(*egress.Client); ok {
		made.live, made.most = client.Session(trace, answers(inv)), client.Calls()
		made.live.Blinds, _ = inv.Env.States.Of(blindSecrets).(*egress.Blinds)
		made.Session = &made.live
	}
	made.Session = invoke.Through(inv, Name, made.Session)
	made.services = service.Of(inv, trace)
	switch {
	case made.Session == nil && made.services == nil:
		return nil
	case made.Session == nil:
		made.Session = nobody{}
	}
	inv.Keep(Name, made)
	return made
}

// answers returns those of the request, which only a commit can have run again.
func answers(inv *invoke.Invocation) *egress.Answers {
	if kept, ok := inv.Calls().(*egress.Answers); ok {
		return kept
	}
	var share limit.Share
	if inv.Env.Memory != nil {
		share = inv.Env.Memory.Share()
	}
	root := inv.Root() // its attempts call again
	made := egress.NewAnswers(root.Tx != nil && !root.Request.DropEffects, share, root.Depart)
	inv.KeepCalls(made)
	return made
}

// maxHost bounds the name of a host that is shown, in bytes.
const maxHost = 255

// hostOf returns the host of a URL that was taken, with its port.
func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return strings.Clone(rest[:min(len(rest), maxHost)])
}

// outside sends calls to services outside. Those of a request that is safe (RFC 9110 §9.2.1) end when its
// client leaves, and the attempt with them: nobody waits for what they answer.
// Their bodies are read later and end with the same context.
func (a *attempt) outside(ctx context.Context, handles []uint32) (int, abi.Status, error) {
	client, method := a.inv.Request.Client, a.inv.Request.Head.Method
	if client == nil || method != http.MethodGet && method != http.MethodHead {
		return a.wait(ctx, func() (int, abi.Status, error) { return a.Session.Send(ctx, handles) })
	}
	if a.patient == nil {
		patient, cancel := context.WithCancelCause(ctx)
		stop := client.Watch(func() { cancel(errLeft) })
		a.patient, a.release = patient, func() { stop(); cancel(nil) }
	}
	n, status, err := a.wait(ctx, func() (int, abi.Status, error) { return a.Session.Send(a.patient, handles) })
	return n, status, cmp.Or(a.over(ctx), err)
}

// wait does what waits for a service, and leaves the processor to others
// meanwhile.
func (a *attempt) wait(ctx context.Context, do func() (int, abi.Status, error)) (n int, status abi.Status, err error) {
	a.inv.Waits(a.to)
	defer a.inv.Waits("")
	start := time.Now()
	late := runq.Of(ctx).Wait(ctx, func() { n, status, err = do() })
	a.inv.Out += time.Since(start)
	return n, status, cmp.Or(err, late)
}

// read reads the body of a call, which ends as outside says.
func (a *attempt) read(ctx context.Context, handle uint32, buf []byte) (int, abi.Status, error) {
	if inside(handle) {
		n, status := a.services.Read(handle, buf)
		return n, status, nil
	}
	calling := ctx
	if a.patient != nil {
		calling = a.patient
	}
	return a.wait(ctx, func() (int, abi.Status, error) {
		n, status, err := a.Session.Read(calling, handle, buf)
		return n, status, cmp.Or(a.over(ctx), err)
	})
}

// over returns why calls have ended, nil if they have not: the time of the
// handler is up, or nobody waits for it.
func (a *attempt) over(ctx context.Context) error {
	if err := ctx.Err(); err != nil || a.patient == nil {
		return err
	}
	return context.Cause(a.patient)
}

var errLeft = fault.New(fault.Left, "call", "the client left while a service was asked; nothing was done")

// Close implements invoke.State.
func (a *attempt) Close() {
	if a.release != nil {
		a.release()
	}
	a.Session.Close()
}

// enter returns the n bytes at ptr and the attempt's calls. Without calls it is
// Denied, and the bytes are there all the same.
func enter(inv *invoke.Invocation, mem capability.Memory, ptr, n uint64) ([]byte, *attempt, abi.Status) {
	data, ok := mem.Range(ptr, n)
	if !ok {
		return nil, nil, abi.BadPointer
	}
	calls := of(inv)
	if calls == nil {
		return data, nil, abi.Denied
	}
	return data, calls, abi.OK
}

// open tells the plugin's log why a call was refused: the guest learns a number.
func open(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	layout, calls, status := enter(inv, mem, args[0], args[1])
	var request abi.HTTPRequest
	decoded := len(layout) <= egress.MaxHead && abi.DecodeHTTPRequest(string(layout), &request)
	switch {
	case status == abi.Denied:
		refused(inv, request.URL, noGrant(request.URL))
		return int64(status)
	case status != abi.OK:
		return int64(status)
	case len(layout) > egress.MaxHead:
		refused(inv, "", "its head is larger than "+limit.FormatSize(egress.MaxHead))
		return int64(abi.Limit)
	case !decoded:
		return int64(abi.Invalid)
	}
	handle, status, why := calls.Open(&request)
	if status != abi.OK {
		refused(inv, request.URL, why)
		return int64(status)
	}
	return int64(handle)
}

// noOrigin is why a plugin calls nobody whose manifest asks for nothing.
const noOrigin = "no origin is granted; list it under [outbound] in wasmoor.toml, as allow = [\"https://api.example.com\"]"

func refused(inv *invoke.Invocation, url, why string) {
	inv.Log(slog.LevelWarn, "call refused: "+why, slog.String("url", shown(url)))
}

// shown returns what of a URL the log may hold: neither user information nor a
// query, which may be secrets. Of one that cannot be read that is nothing.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return invoke.Cut(u.String(), 256)
}

func write(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	data, calls, status := enter(inv, mem, args[1], args[2])
	if status != abi.OK {
		return int64(status)
	}
	status = calls.Write(uint32(args[0]), data)
	if status == abi.Limit {
		inv.Notice(invoke.CallLimit, "call refused: a body that is sent has up to "+limit.FormatSize(egress.MaxBody)+
			", and those of all calls of a run "+limit.FormatSize(egress.MaxBodies))
	}
	if status == abi.OK && !inv.Hold(len(data)) {
		return int64(abi.Internal)
	}
	return int64(status)
}

func send(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	layout, calls, status := enter(inv, mem, args[0], args[1])
	switch {
	case status != abi.OK:
		return int64(status), nil
	case len(layout) > egress.MaxHead:
		return int64(abi.Limit), nil
	}
	handles, ok := abi.DecodeHandles(string(layout), nil)
	if !ok {
		return int64(abi.Invalid), nil
	}
	answered, status, err := calls.send(ctx, handles)
	if err != nil || status != abi.OK {
		return int64(status), err
	}
	if answered < len(handles) {
		calls.logRefused(handles)
	}
	return int64(answered), nil
}

// logRefused tells the plugin's log of calls that broke a rule when they were to be
// sent.
func (a *attempt) logRefused(handles []uint32) {
	for _, handle := range handles {
		if r, _ := a.Response(handle); r != nil && r.Failure == uint32(-abi.Invalid) {
			refused(a.inv, r.URL, r.Reason)
		}
	}
}

func head(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	buf, calls, status := enter(inv, mem, args[1], args[2])
	if status != abi.OK {
		return int64(status)
	}
	response, status := calls.Response(uint32(args[0]))
	if status != abi.OK {
		return int64(status)
	}
	calls.head = abi.AppendHTTPResponse(calls.head[:0], response)
	return capability.Fill(buf, calls.head)
}

func read(ctx context.Context, inv *invoke.Invocation, mem capability.Memory, args []uint64) (int64, error) {
	buf, calls, status := enter(inv, mem, args[1], args[2])
	if status != abi.OK {
		return int64(status), nil
	}
	n, status, err := calls.read(ctx, uint32(args[0]), buf)
	if status == abi.Limit {
		inv.Notice(invoke.CallLimit, "call cut off: "+calls.Reason(uint32(args[0])))
	}
	if err != nil || status != abi.OK {
		return int64(status), err
	}
	return int64(n), nil
}

// ReadBody waits for the next bytes of the body of a call's response, and copies them to
// buf; 0 with abi.OK is the end. Errors end the guest.
func ReadBody(ctx context.Context, inv *invoke.Invocation, handle uint32, buf []byte) (int, abi.Status, error) {
	calls := of(inv)
	if calls == nil {
		return 0, abi.Denied, nil
	}
	return calls.read(ctx, handle, buf)
}

func closeCall(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	_, calls, status := enter(inv, mem, 0, 0)
	if status != abi.OK {
		return int64(status)
	}
	return int64(calls.CloseCall(uint32(args[0])))
}
