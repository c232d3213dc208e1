package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Logs returns the lines of a plugin's log that q asks for.
func (c *Client) Logs(ctx context.Context, q adminapi.LogsQuery) (page adminapi.LogPage, err error) {
	err = c.about(ctx, q.Name, request{op: "read the log", method: http.MethodGet, path: adminapi.PathLogs, in: q}, &page)
	return page, err
}

// FollowLogs calls yield with the lines of a plugin's log that q asks for, first those
// that are kept and then those to come, until it returns an error, which FollowLogs
// returns. Unavailable says that the server ended the answer, or is gone: to go on,
// follow again after the cursor of the last line.
func (c *Client) FollowLogs(ctx context.Context, q adminapi.LogsQuery, yield func(adminapi.LogLine) error) error {
	const op = "follow the log"
	if err := plugin.CheckName(q.Name); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := c.send(ctx, request{op: op, method: http.MethodGet, path: adminapi.PathFollow, in: q, streams: true})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	silent := fault.New(fault.Unavailable, op, c.base.Host+" has been silent for too long")
	watch := time.AfterFunc(maxSilence, func() { cancel(silent) })
	defer watch.Stop()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, adminapi.MaxLogLine)
	for lines.Scan() {
		watch.Reset(maxSilence)
		if err := yieldLine(lines.Bytes(), yield); err != nil {
			return err
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fault.Wrap(fault.Unavailable, op, c.base.Host+" has ended the answer", lines.Err())
}

// maxSilence is how long a server that lives says nothing, not even that it does.
const maxSilence = 4 * adminapi.Heartbeat

func yieldLine(text []byte, yield func(adminapi.LogLine) error) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	var line adminapi.LogLine
	if err := json.Unmarshal(text, &line); err != nil {
		return fault.Wrap(fault.Internal, "follow the log", "the answer is not that of a wasmoor admin API; is --server the admin address?", err)
	}
	return yield(line)
}
