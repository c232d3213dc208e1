package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Audit lists who changed what, the oldest first, of a plugin, "" = of all, and since
// a time as in RFC 3339, "" = from the first.
func (c *Client) Audit(ctx context.Context, plugin, since string) ([]adminapi.Event, error) {
	var all []adminapi.Event
	for after := uint64(0); ; {
		var page []adminapi.Event
		err := c.call(ctx, request{
			op: "read the audit", method: http.MethodGet, path: adminapi.PathEvents,
			in: adminapi.EventsQuery{After: after, Limit: adminapi.MaxEvents, Plugin: plugin, Since: since},
		}, &page)
		all = append(all, page...)
		if err != nil || len(page) < adminapi.MaxEvents {
			return all, err
		}
		last := page[len(page)-1].Number
		if last <= after { // the same again, for ever
			return nil, c.sameEvents()
		}
		after = last
	}
}

func (c *Client) sameEvents() error {
	return fault.New(fault.Internal, "read the audit", c.base.Host+" sends the same events again; is --server the admin address?")
}

// AuditLines calls begin with the point where the audit begins, line with each event as
// it is stored, and end with the point where it ended when it was asked. It ends with
// the first error of them.
func (c *Client) AuditLines(ctx context.Context, begin, end func(adminapi.AuditPoint) error, line func(string) error) error {
	var last adminapi.AuditPoint
	for after, first := uint64(0), true; ; first = false {
		var page adminapi.AuditLines
		err := c.call(ctx, request{
			op: "read the audit", method: http.MethodGet, path: adminapi.PathAuditLines, in: adminapi.AuditLinesQuery{After: after},
		}, &page)
		if err == nil && first {
			last, after = page.End, page.Begin.Number
			err = begin(page.Begin)
		}
		if err == nil && page.Begin.Number > after {
			err = fault.New(fault.Conflict, "read the audit", "events were pruned meanwhile; try again")
		}
		for _, text := range page.Lines {
			if err == nil && after < last.Number {
				err, after = line(text), after+1
			}
		}
		if err != nil {
			return err
		}
		if len(page.Lines) == 0 || after >= last.Number {
			return end(last)
		}
	}
}

// Approvals lists the versions that wait for an approval.
func (c *Client) Approvals(ctx context.Context) (waiting []adminapi.Approval, err error) {
	err = c.call(ctx, request{op: "list approvals", method: http.MethodGet, path: adminapi.PathApprovals}, &waiting)
	return waiting, err
}

// Approve grants what a version asks for, as it was shown, and lets it serve.
func (c *Client) Approve(ctx context.Context, name string, a adminapi.Approve) (out adminapi.Changed, err error) {
	err = c.post(ctx, name, "approve", adminapi.PathApprove, a, &out)
	return out, err
}

// Reject decides that a version does not serve.
func (c *Client) Reject(ctx context.Context, name string, r adminapi.Reject) error {
	return c.post(ctx, name, "reject", adminapi.PathReject, r, nil)
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
