package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// auditPage is how many events one request asks for: as many as a server gives.
const auditPage = 1000

// Audit lists who changed what, the oldest first.
func (c *Client) Audit(ctx context.Context) ([]plugin.Event, error) {
	var all []plugin.Event
	for after := uint64(0); ; after = all[len(all)-1].Number {
		var page []plugin.Event
		query := url.Values{"limit": {strconv.Itoa(auditPage)}}
		if after > 0 {
			query.Set("after", strconv.FormatUint(after, 10))
		}
		err := c.call(ctx, request{op: "read the audit", method: http.MethodGet, path: []string{"v1", "audit"}, query: query}, &page)
		all = append(all, page...)
		if err != nil || len(page) < auditPage {
			return all, err
		}
	}
}
