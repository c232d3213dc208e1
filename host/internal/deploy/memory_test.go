package deploy_test

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
)

// TestIdleInstancesMakeRoomForOthers deploys and serves more plugins than have
// room for an instance at the same time.
func TestIdleInstancesMakeRoomForOthers(t *testing.T) {
	p := start(t)
	ctx := context.Background()
	e := enginetest.InProcess(native.New(native.Config{Functions: capabilities.All(capabilities.Config{}).Native(), Memory: linear.NewBudget(2 * linear.PageSize)}))
	t.Cleanup(func() {
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	d := p.another(p.store, e.Prepare)
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		if _, err := d.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Version(name), name)}); err != nil {
			t.Fatal(err)
		}
	}
	idle := 0
	for _, name := range names {
		idle += p.status(t, d, name).Idle
	}
	if idle != 2 {
		t.Errorf("%d idle instances, want as many as have room: 2", idle)
	}
	for range 3 {
		for _, name := range names {
			if got, err := ask(t.Context(), d, "/"+name); got != name || err != nil {
				t.Errorf("%s answers %q, %v", name, got, err)
			}
		}
	}
}
