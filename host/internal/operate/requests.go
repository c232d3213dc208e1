package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
	"github.com/wasmoor/wasmoor/host/internal/trace"
)

// Requests tells of the recent requests with an id, the oldest first; NotFound
// without one.
func (o *Operator) Requests(_ context.Context, id string) ([]adminapi.Request, error) {
	records := o.deployer.Requests(id)
	if len(records) == 0 {
		return nil, fault.New(fault.NotFound, "", fmt.Sprintf(
			"no plugin handled a recent request with the id %.128q; the server remembers the last %d of each plugin, and the last %d that failed or ran again",
			id, trace.Recent, trace.Notable))
	}
	list := make([]adminapi.Request, len(records))
	for i := range records {
		list[i] = requestOf(&records[i])
	}
	return list, nil
}

func requestOf(r *trace.Record) adminapi.Request {
	return adminapi.Request{
		ID: r.ID, Plugin: r.Plugin, Version: r.Version, Trigger: r.Trigger,
		Method: r.Method, Path: r.Path, Pattern: r.Pattern, Start: r.Start.UTC(),
		Attempts: r.Attempts, Outcome: string(r.Outcome), Replayed: r.Replayed,
		Status: r.Status, Code: r.Code, Error: r.Error, BytesIn: r.BytesIn, BytesOut: r.BytesOut,
		Times:    timesOf(r),
		Conflict: conflictOf(r),
	}
}

func timesOf(r *trace.Record) adminapi.Times {
	exact := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	return adminapi.Times{
		Total: exact(r.Total()), Wait: exact(r.Wait), Wake: exact(r.Wake), Run: exact(r.Run), Commit: exact(r.Commit),
	}
}

func conflictOf(r *trace.Record) *adminapi.Conflict {
	if !r.Conflict {
		return nil
	}
	space := store.Space(r.ConflictSpace)
	area := "kv"
	if space.Area() != store.AreaKV {
		area = "records"
	}
	return &adminapi.Conflict{Key: adminapi.KeyOf([]byte(r.ConflictKey)), Space: uint64(space.Owner()), Area: area}
}
