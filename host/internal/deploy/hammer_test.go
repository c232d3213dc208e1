package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wasmoor/wasmoor/host/internal/capabilities"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
	"github.com/wasmoor/wasmoor/host/internal/engine/linear"
	"github.com/wasmoor/wasmoor/host/internal/engine/native"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/registry"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// TestHammer has plugins that share too little memory deployed, activated,
// deleted, and put to sleep whenever nobody asks, under load.
func TestHammer(t *testing.T) {
	p := start(t)
	ctx := context.Background()
	e := enginetest.InProcess(native.New(native.Config{Functions: capabilities.All(capabilities.Config{}).Native(), Memory: linear.NewBudget(4 * linear.PageSize)}))
	reg, err := registry.Open(ctx, p.store, p.modules(), time.Now, capabilities.All(capabilities.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	d := deploy.New(deploy.Config{
		Store: p.store, Registry: reg, Prepare: e.Prepare, Clock: time.Now, Log: slog.New(slog.DiscardHandler), SleepAfter: time.Millisecond,
		Capabilities: capabilities.All(capabilities.Config{}),
	})
	names := []string{"a", "b", "c"}
	for _, name := range names {
		deployTwo(t, d, name)
	}
	load, stop := context.WithCancel(ctx)
	var clients, operators sync.WaitGroup
	for _, name := range names {
		for range 2 {
			clients.Go(func() { askOn(t, load, d, name) })
		}
		operators.Go(func() { act(t, d, name) })
	}
	operators.Wait()
	for _, name := range names {
		if got, err := ask(ctx, d, "/"+name); got != name+"1" {
			t.Errorf("in the end %s answers %q, %v", name, got, err)
		}
	}
	stop()
	clients.Wait()
	if err := errors.Join(d.Close(ctx), e.Close(ctx)); err != nil {
		t.Error(err)
	}
}

// deployTwo deploys versions 1 and 2 of a plugin, which answer its name and
// their number.
func deployTwo(t *testing.T, d *deploy.Deployer, name string) {
	for _, version := range []string{"1", "2"} {
		if _, err := d.Deploy(t.Context(), deploy.Upload{Module: pack(t, enginetest.Version(name+version), name)}); err != nil {
			t.Error(err)
		}
	}
}

// act makes version 1 the one that serves in the end.
func act(t *testing.T, d *deploy.Deployer, name string) {
	for i := range 31 {
		if i == 10 || i == 20 {
			if err := d.Delete(t.Context(), name, i == 20, "me"); err != nil {
				t.Error(err)
			}
			deployTwo(t, d, name)
		}
		if _, err := d.Activate(t.Context(), name, 1+i%2, "", false, false, "me"); err != nil {
			t.Error(err)
		}
	}
}

// askOn sends requests until ctx ends.
func askOn(t *testing.T, ctx context.Context, d *deploy.Deployer, name string) {
	for ctx.Err() == nil {
		got, err := ask(context.Background(), d, "/"+name)
		switch fault.CodeOf(err) {
		case fault.NotFound: // it was deleted
		case "":
			if got != name+"1" && got != name+"2" {
				t.Errorf("%s answers %q", name, got)
			}
		default: // it was purged before it could be woken
			if !strings.Contains(err.Error(), "no module has digest") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
