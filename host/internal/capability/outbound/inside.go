package outbound

import (
	"context"
	"fmt"
	"slices"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/service"
)

// The calls of an attempt go to services outside or to plugins of this server, as their
// URLs say, and their handles tell them apart.

// inside reports whether a handle is that of a call to a plugin.
func inside(handle uint32) bool { return handle >= service.First }

// noGrant is why nothing at a URL is called by a plugin whose manifest asks for nothing.
func noGrant(url string) string {
	if egress.IsLocal(url) {
		return egress.NoService
	}
	return noOrigin
}

// Open takes a call, of this handler and of those that have called it, and notes where it
// goes.
func (a *attempt) Open(r *abi.HTTPRequest) (handle uint32, status abi.Status, why string) {
	if why := a.spent(); why != "" {
		return 0, abi.Limit, why
	}
	local := a.services != nil && egress.IsLocal(r.URL)
	switch {
	case local && a.opened >= a.most:
		return 0, abi.Limit, fmt.Sprintf("this run of the handler has made all of its %d calls (outbound.calls)", a.most)
	case local:
		handle, status, why = a.services.Open(r)
	default:
		handle, status, why = a.Session.Open(r)
	}
	if status != abi.OK {
		return handle, status, why
	}
	if !local {
		a.to = hostOf(r.URL)
	}
	for by := a; by != nil; by = by.caller() {
		by.opened++
	}
	return handle, status, why
}

// caller returns what the handler that called this one keeps, nil for none.
func (a *attempt) caller() *attempt {
	if by := a.inv.Caller(); by != nil {
		kept, _ := by.State(Name).(*attempt)
		return kept
	}
	return nil
}

// spent says which of those who called this handler have no call left, "" = none: their
// calls are for all that they begin.
func (a *attempt) spent() string {
	for by := a.caller(); by != nil; by = by.caller() {
		if by.opened >= by.most {
			return fmt.Sprintf("plugin %q, for which this handler runs, has made all of its %d calls, with those of the plugins that it called (outbound.calls)",
				by.inv.Env.Plugin, by.most)
		}
	}
	return ""
}

// send sends calls: those outside at a time, and then those to plugins, one after the
// other, on the goroutine and on the place in the run queue of this handler.
func (a *attempt) send(ctx context.Context, handles []uint32) (int, abi.Status, error) {
	if !slices.ContainsFunc(handles, inside) {
		return a.outside(ctx, handles)
	}
	var out, in []uint32
	for i, handle := range handles {
		switch {
		case slices.Contains(handles[:i], handle):
			return 0, abi.Invalid, nil
		case inside(handle):
			in = append(in, handle)
		default:
			out = append(out, handle)
		}
	}
	if status := a.services.Ready(in); status != abi.OK {
		return 0, status, nil
	}
	answered := 0
	if len(out) > 0 {
		n, status, err := a.outside(ctx, out)
		if err != nil || status != abi.OK {
			return 0, status, err
		}
		answered = n
	}
	n, err := a.services.Send(ctx, in)
	return answered + n, abi.OK, err
}

// Write is Session.Write.
func (a *attempt) Write(handle uint32, data []byte) abi.Status {
	if inside(handle) {
		return a.services.Write(handle, data)
	}
	return a.Session.Write(handle, data)
}

// Response is Session.Response.
func (a *attempt) Response(handle uint32) (*abi.HTTPResponse, abi.Status) {
	if inside(handle) {
		return a.services.Response(handle)
	}
	return a.Session.Response(handle)
}

// Reason is Session.Reason.
func (a *attempt) Reason(handle uint32) string {
	if inside(handle) {
		return a.services.Reason(handle)
	}
	return a.Session.Reason(handle)
}

// CloseCall is Session.CloseCall.
func (a *attempt) CloseCall(handle uint32) abi.Status {
	if inside(handle) {
		return a.services.CloseCall(handle)
	}
	return a.Session.CloseCall(handle)
}

// nobody is the Session of a plugin that may call no service outside.
type nobody struct{}

func (nobody) Open(r *abi.HTTPRequest) (uint32, abi.Status, string) {
	return 0, abi.Denied, noGrant(r.URL)
}
func (nobody) Write(uint32, []byte) abi.Status                 { return abi.NotFound }
func (nobody) Response(uint32) (*abi.HTTPResponse, abi.Status) { return nil, abi.NotFound }
func (nobody) Reason(uint32) string                            { return "" }
func (nobody) CloseCall(uint32) abi.Status                     { return abi.NotFound }
func (nobody) Close()                                          {}
func (nobody) Read(context.Context, uint32, []byte) (int, abi.Status, error) {
	return 0, abi.NotFound, nil
}

func (nobody) Send(_ context.Context, handles []uint32) (int, abi.Status, error) {
	if len(handles) > 0 {
		return 0, abi.NotFound, nil
	}
	return 0, abi.OK, nil
}
