package admin

import (
	"context"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
)

// socketRecorder is a Sockets that notes its last call.
type socketRecorder struct {
	note func(string, ...any) error
}

func (r socketRecorder) List(_ context.Context, name string, limit int) (adminapi.SocketPage, error) {
	one := adminapi.Socket{ID: "A1", Kind: "sse", Pattern: "GET /room", Client: "192.0.2.1", Opened: time.Unix(1, 0).UTC(), Topics: []string{"room"}, Waiting: 2}
	return adminapi.SocketPage{Sockets: []adminapi.Socket{one}, Open: 9}, r.note("sockets %s limit=%d", name, limit)
}

func (r socketRecorder) Close(_ context.Context, name string, in adminapi.CloseSockets, by string) (int, error) {
	return 5, r.note("close %s %q all=%v %q by %s", name, in.ID, in.All, in.Reason, by)
}
