package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Audit lists who changed what, the oldest first.
func (c *Client) Audit(ctx context.Context) ([]adminapi.Event, error) {
	var all []adminapi.Event
	for after := uint64(0); ; {
		var page []adminapi.Event
		err := c.call(ctx, request{
			op: "read the audit", method: http.MethodGet, path: adminapi.PathEvents,
			in: adminapi.EventsQuery{After: after, Limit: adminapi.MaxEvents},
		}, &page)
		all = append(all, page...)
		if err != nil || len(page) < adminapi.MaxEvents {
			return all, err
		}
		last := page[len(page)-1].Number
		if last <= after { // the same again, for ever
			return nil, fault.New(fault.Internal, "read the audit", c.base.Host+" sends the same events again; is --server the admin address?")
		}
		after = last
	}
}

// Prune removes old versions, deployments and events, or counts them.
func (c *Client) Prune(ctx context.Context, in adminapi.Prune) (out adminapi.Pruned, err error) {
	r := request{op: "prune", method: http.MethodPost, path: adminapi.PathPrune, contentType: "application/json"}
	if r.body, err = json.Marshal(in); err != nil {
		return out, fault.Wrap(fault.Internal, r.op, "the request cannot be encoded", err)
	}
	return out, c.call(ctx, r, &out)
}

// Requests tells what became of the recent requests with an id, the oldest first.
// NotFound when the server remembers none.
func (c *Client) Requests(ctx context.Context, id string) (requests []adminapi.Request, err error) {
	err = c.call(ctx, request{
		op: "trace", method: http.MethodGet, path: adminapi.PathRequests, in: adminapi.RequestsQuery{ID: id},
	}, &requests)
	return requests, err
}
