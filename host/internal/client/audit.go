package client

import (
	"context"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Audit lists who changed what, the oldest first.
func (c *Client) Audit(ctx context.Context) ([]adminapi.Event, error) {
	var all []adminapi.Event
	for after := uint64(0); ; after = all[len(all)-1].Number {
		var page []adminapi.Event
		err := c.call(ctx, request{
			op: "read the audit", method: http.MethodGet, path: adminapi.PathEvents,
			in: adminapi.EventsQuery{After: after, Limit: adminapi.MaxEvents},
		}, &page)
		all = append(all, page...)
		if err != nil || len(page) < adminapi.MaxEvents {
			return all, err
		}
	}
}

// Requests tells what became of the recent requests with an id, the oldest first.
// NotFound when the server remembers none.
func (c *Client) Requests(ctx context.Context, id string) (requests []adminapi.Request, err error) {
	err = c.call(ctx, request{
		op: "trace", method: http.MethodGet, path: adminapi.PathRequests, in: adminapi.RequestsQuery{ID: id},
	}, &requests)
	return requests, err
}
