package client

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Backup has a backup made and calls take with it. It is not whole if take's reader
// fails. A server that sends nothing for a while is given up: Unavailable.
func (c *Client) Backup(ctx context.Context, take func(io.Reader) error) error {
	return c.download(ctx, request{op: "back up", method: http.MethodGet, path: adminapi.PathBackup}, take)
}

// download gives take an answer that goes on for as long as it likes. Whoever sends it
// may rest for maxPause.
func (c *Client) download(ctx context.Context, r request, take func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.streams = true
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	silent := fault.New(fault.Unavailable, r.op, c.base.Host+" has sent nothing for too long")
	watch := time.AfterFunc(maxPause, func() { cancel(silent) })
	defer watch.Stop()
	return take(&watched{ctx: ctx, r: resp.Body, watch: watch, host: c.base.Host, op: r.op})
}

// maxPause is how long a server that sends a backup, or data, may send nothing.
const maxPause = time.Minute

// watched is an answer that has to go on.
type watched struct {
	ctx   context.Context //nolint:containedctx // of the request that is answered
	r     io.Reader
	watch *time.Timer
	host  string
	op    string
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.Reset(maxPause) // what follows a slow reader is not the server's fault
	n, err := w.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	if cause := context.Cause(w.ctx); cause != nil {
		return n, cause
	}
	return n, fault.Wrap(fault.Unavailable, w.op, "the answer of "+w.host+" broke off, and the server's log says why; what has arrived is not whole", err)
}

// Backups returns the backups in the server's own place, and how its schedule does.
func (c *Client) Backups(ctx context.Context) (list adminapi.Backups, err error) {
	err = c.call(ctx, request{op: "list backups", method: http.MethodGet, path: adminapi.PathBackups}, &list)
	return list, err
}

// BeginBackup has a backup made in the server's own place.
func (c *Client) BeginBackup(ctx context.Context) error {
	return c.call(ctx, request{op: "back up", method: http.MethodPost, path: adminapi.PathBackups}, nil)
}
