package client

import (
	"context"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Queues lists the queues of a plugin.
func (c *Client) Queues(ctx context.Context, name string) (out []adminapi.Queue, err error) {
	err = c.read(ctx, name, request{op: "list queues", path: adminapi.PathQueues}, &out)
	return out, err
}

// QueueMessages shows messages of a queue, or its dead letters.
func (c *Client) QueueMessages(ctx context.Context, q adminapi.MessagesQuery) (out adminapi.MessagePage, err error) {
	err = c.about(ctx, q.Name, request{op: "list messages", method: http.MethodGet, path: adminapi.PathQueueMessages, in: q}, &out)
	return out, err
}

// QueueSend sends a message to a queue. It waits for the message to be settled as long as
// in.Wait says.
func (c *Client) QueueSend(ctx context.Context, in adminapi.Send, body []byte) (out adminapi.Sent, err error) {
	err = c.about(ctx, in.Name, request{
		op: "send message", method: http.MethodPost, path: adminapi.PathQueueMessages, in: in,
		body: append([]byte{}, body...), contentType: adminapi.TypeValue,
	}, &out)
	return out, err
}

// QueuePurge removes the messages of a queue, or its dead letters.
func (c *Client) QueuePurge(ctx context.Context, name, queue string, dead bool) (out adminapi.Messages, err error) {
	in := adminapi.MessagesRef{QueueRef: queueRef(name, queue), Dead: dead}
	err = c.about(ctx, name, request{op: "purge messages", method: http.MethodDelete, path: adminapi.PathQueueMessages, in: in}, &out)
	return out, err
}

// QueueRetry tries dead letters of a queue again: those with the ids, or all.
func (c *Client) QueueRetry(ctx context.Context, name, queue string, ids []string) (out adminapi.Messages, err error) {
	r := request{op: "retry messages", method: http.MethodPost, path: adminapi.PathQueueRetry, in: queueRef(name, queue)}
	err = c.put(ctx, name, r, adminapi.Retry{IDs: ids}, &out)
	return out, err
}

// QueuePause keeps a queue from being handled, or lets it go on.
func (c *Client) QueuePause(ctx context.Context, name, queue string, paused bool) error {
	r := request{op: "pause queue", method: http.MethodPut, path: adminapi.PathQueuePause, in: queueRef(name, queue)}
	if !paused {
		r.op, r.method = "resume queue", http.MethodDelete
	}
	return c.about(ctx, name, r, nil)
}

func queueRef(name, queue string) adminapi.QueueRef {
	return adminapi.QueueRef{PluginRef: adminapi.PluginRef{Name: name}, Queue: queue}
}
