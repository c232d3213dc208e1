package admin

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// endless is a Databases whose work has no end of its own.
type endless struct {
	databaseRecorder
	began, ended chan struct{}
}

func (e endless) work(ctx context.Context) error {
	e.began <- struct{}{}
	<-ctx.Done()
	e.ended <- struct{}{}
	return ctx.Err()
}

func (e endless) Query(ctx context.Context, _ adminapi.DatabaseRef, _ adminapi.Query, _ string) (adminapi.QueryResult, error) {
	return adminapi.QueryResult{}, e.work(ctx)
}

func (e endless) Import(ctx context.Context, _ adminapi.DatabaseRef, file io.Reader, _ string) error {
	if _, err := io.Copy(io.Discard, file); err != nil {
		return err
	}
	return e.work(ctx)
}

// TestWorkEndsWithItsClient: who has left waits for no statement, and no import.
func TestWorkEndsWithItsClient(t *testing.T) {
	d := &recorder{}
	e := endless{databaseRecorder{noterOf(d)}, make(chan struct{}), make(chan struct{})}
	addr := adminFor(t, d, func(c *Config) { c.Databases = e })
	for _, request := range [][3]string{
		{"POST", "/v1/plugins/shop/databases/main/query", `{"statement":"SELECT 1"}`},
		{"PUT", "/v1/plugins/shop/databases/main/file", "file"},
	} {
		conn := servertest.Dial(t, addr)
		servertest.Send(t, conn, servertest.Local(request[0], request[1], request[2], right, fmt.Sprint("Content-Length: ", len(request[2]))))
		<-e.began
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-e.ended:
		case <-time.After(time.Minute):
			t.Fatalf("%s %s goes on", request[0], request[1])
		}
	}
}
