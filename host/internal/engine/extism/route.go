package extism

import (
	"cmp"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// route is what a route of the manifest calls.
type route struct {
	index    int    // of its export among those that are called
	envelope bool   // request and response are JSON
	head     []byte // of a response without an envelope, in the layout of abi
}

// newRoutes returns the routes by their patterns, and the exports they call.
func newRoutes(list []manifest.Route) (routes map[string]route, exports []string) {
	routes = make(map[string]route, len(list))
	for i, r := range list {
		contentType := cmp.Or(r.ContentType, "application/octet-stream")
		routes[r.Pattern] = route{
			index:    i,
			envelope: r.Handler != "",
			head: abi.AppendResponseHead(nil, &abi.ResponseHead{
				Status: 200, Headers: []abi.Pair{{Name: "content-type", Value: contentType}},
			}),
		}
		exports = append(exports, r.Export+r.Handler)
	}
	return routes, exports
}

// input returns what the plugin reads as its input, of a request with that body.
func (r route) input(inv *invoke.Invocation, body []byte) []byte {
	if r.envelope {
		return appendRequest(nil, &inv.Request.Head, body)
	}
	return body
}

// reply makes the response of the plugin's output. A rule that it breaks is kept
// by the reply, or a BadReply fault.
func (r route) reply(inv *invoke.Invocation, output []byte) error {
	head, body := r.head, output
	if r.envelope {
		answer, err := decodeReply(output)
		if err != nil {
			return fault.New(fault.BadReply, "handle", err.Error())
		}
		inv.Outcome, body = answer.outcome, answer.body
		head = abi.AppendResponseHead(nil, &answer.head)
	}
	_ = inv.Reply.SetHead(head) // what is wrong with them, the reply keeps
	if !inv.Hold(len(body)) {
		return inv.Starved()
	}
	_ = inv.Reply.Write(body, inv.Limits.ResponseBody)
	return nil
}
