package admin

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// queueRecorder is a Queues that notes its last call.
type queueRecorder struct {
	note func(string, ...any) error
}

func (r queueRecorder) List(_ context.Context, name string) ([]adminapi.Queue, error) {
	return []adminapi.Queue{{Name: "mail", Declared: true, Waiting: 2, Dead: 1}}, r.note("queues %s", name)
}

func (r queueRecorder) Peek(_ context.Context, name, queue string, dead bool, after string, limit int) (adminapi.MessagePage, error) {
	return adminapi.MessagePage{Messages: []adminapi.Message{{ID: "01", Sent: time.Unix(1, 0).UTC(), Size: 2, Body: "hi"}}},
		r.note("peek %s %s dead=%v after=%q limit=%d", name, queue, dead, after, limit)
}

func (r queueRecorder) Send(_ context.Context, in adminapi.Send, body []byte, by string) (adminapi.Sent, error) {
	return adminapi.Sent{ID: "01", State: adminapi.SentWaiting},
		r.note("send %s %s %q key=%q id=%q delay=%q wait=%q by %s", in.Name, in.Queue, body, in.Key, in.ID, in.Delay, in.Wait, by)
}

func (r queueRecorder) Retry(_ context.Context, name, queue string, ids []string, by string) (int, error) {
	return 3, r.note("retry %s %s %q by %s", name, queue, ids, by)
}

func (r queueRecorder) Purge(_ context.Context, name, queue string, dead bool, by string) (int, error) {
	return 4, r.note("purge %s %s dead=%v by %s", name, queue, dead, by)
}

func (r queueRecorder) Pause(_ context.Context, name, queue string, paused bool, by string) error {
	return r.note("pause %s %s %v by %s", name, queue, paused, by)
}
