package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// Queues is what an operator may do with queues.
type Queues interface {
	List(ctx context.Context, name string) ([]adminapi.Queue, error)
	Peek(ctx context.Context, name, queue string, dead bool, after string, limit int) (adminapi.MessagePage, error)
	Send(ctx context.Context, in adminapi.Send, body []byte, by string) (adminapi.Sent, error)
	Retry(ctx context.Context, name, queue string, ids []string, by string) (int, error)
	Purge(ctx context.Context, name, queue string, dead bool, by string) (int, error)
	Pause(ctx context.Context, name, queue string, paused bool, by string) error
}

// bindQueues is every route of queues.
func (a *Admin) bindQueues(api huma.API) {
	route(api, viewer, get("list-queues", adminapi.PathQueues, "List the queues of a plugin"), a.queues)
	route(api, deployer, get("list-messages", adminapi.PathQueueMessages, "Show messages of a queue, or its dead letters, in the order of sending"), a.messages)
	route(api, operator, withBody(operation("send-message", http.MethodPost, adminapi.PathQueueMessages, "Send a message to a queue", http.StatusOK),
		adminapi.TypeValue, limits.QueueBody, "The message, at most 256 KiB; none = an empty one"), a.sendMessage)
	route(api, operator, operation("purge-messages", http.MethodDelete, adminapi.PathQueueMessages, "Remove the messages of a queue, or its dead letters", http.StatusOK), a.purgeMessages)
	route(api, operator, operation("retry-messages", http.MethodPost, adminapi.PathQueueRetry, "Try dead letters of a queue again", http.StatusOK), a.retryMessages)
	route(api, operator, operation("pause-queue", http.MethodPut, adminapi.PathQueuePause, "Keep a queue from being handled", http.StatusNoContent), a.pauseQueue)
	route(api, operator, operation("resume-queue", http.MethodDelete, adminapi.PathQueuePause, "Have a queue handled again", http.StatusNoContent), a.resumeQueue)
}

func (a *Admin) queues(ctx context.Context, in *adminapi.PluginRef) (*output[[]adminapi.Queue], error) {
	return show(a.cfg.Queues.List(ctx, in.Name))
}

func (a *Admin) messages(ctx context.Context, in *adminapi.MessagesQuery) (*output[adminapi.MessagePage], error) {
	return show(a.cfg.Queues.Peek(ctx, in.Name, in.Queue, in.Dead, in.After, in.Limit))
}

type sendInput struct {
	rawBody
	adminapi.Send
}

func (a *Admin) sendMessage(ctx context.Context, in *sendInput) (*output[adminapi.Sent], error) {
	body, err := in.read(nil, limits.QueueBody)
	if err != nil {
		return nil, err
	}
	defer in.done()
	return show(a.cfg.Queues.Send(ctx, in.Send, body, by(ctx)))
}

func (a *Admin) purgeMessages(ctx context.Context, in *adminapi.MessagesRef) (*output[adminapi.Messages], error) {
	n, err := a.cfg.Queues.Purge(ctx, in.Name, in.Queue, in.Dead, by(ctx))
	return show(adminapi.Messages{Messages: n}, err)
}

type retryInput struct {
	adminapi.QueueRef
	Body adminapi.Retry
}

func (a *Admin) retryMessages(ctx context.Context, in *retryInput) (*output[adminapi.Messages], error) {
	n, err := a.cfg.Queues.Retry(ctx, in.Name, in.Queue, in.Body.IDs, by(ctx))
	return show(adminapi.Messages{Messages: n}, err)
}

func (a *Admin) pauseQueue(ctx context.Context, in *adminapi.QueueRef) (*struct{}, error) {
	return nil, a.cfg.Queues.Pause(ctx, in.Name, in.Queue, true, by(ctx))
}

func (a *Admin) resumeQueue(ctx context.Context, in *adminapi.QueueRef) (*struct{}, error) {
	return nil, a.cfg.Queues.Pause(ctx, in.Name, in.Queue, false, by(ctx))
}
