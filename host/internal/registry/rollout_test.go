package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// TestRollout: each step is a record with an event, and survives.
func TestRollout(t *testing.T) {
	f := open(t)
	f.upload("shop", "one")
	f.activate("shop", Change{Version: 1})
	f.upload("shop", "two")
	ro := plugin.Rollout{From: 1, To: 2, Plan: plugin.DefaultPlan(), Started: time.Unix(5, 0).UTC(), Stepped: time.Unix(6, 0).UTC(), By: "me"}
	_, err := f.Rollout(t.Context(), "shop", Change{Rollout: &ro, By: "me"}, "begins at 1%")
	wantCode(t, err, "")
	f.reopen()
	p, err := f.Plugin(t.Context(), "shop")
	wantCode(t, err, "")
	same(t, "the roll-out", &ro, p.Rollout)
	if !p.Rollout.Runs() || p.Active != 1 || p.Deployment != 1 {
		t.Errorf("%+v", p)
	}
	done := ro
	done.Outcome, done.Reason = plugin.RolledOut, "all is well"
	if p, _ = f.activate("shop", Change{Version: 2, Rollout: &done}); p.Rollout.Runs() || p.Active != 2 || p.Previous != 1 {
		t.Errorf("%+v", p)
	}
	events, err := f.Audit(t.Context(), 0, 0)
	wantCode(t, err, "")
	last := events[len(events)-2:]
	if last[0].Action != plugin.ActionRollout || last[0].Version != 2 || last[0].Detail != "begins at 1%" || fmt.Sprint(last[1].Changes) != "[version: 1 -> 2 rollout: runs -> rolled out, all is well]" {
		t.Errorf("%+v", last)
	}
	ro.To = 3
	_, err = f.Rollout(t.Context(), "shop", Change{Rollout: &ro}, "")
	wantCode(t, err, fault.NotFound)
	ro.To = 2
	_, err = f.Rollout(t.Context(), "shop", Change{Rollout: &ro}, "again")
	wantCode(t, err, "")
	wantCode(t, f.Delete(t.Context(), "shop", false, "me"), "")
	if p, err = f.Plugin(t.Context(), "shop"); err != nil || p.Rollout.Outcome != plugin.RollAbort {
		t.Errorf("a deleted plugin: %+v, %v", p.Rollout, err)
	}
}

// TestPin: what is pinned, or takes part in a roll-out, is never pruned; else age and
// count decide.
func TestPin(t *testing.T) {
	f := open(t)
	for i := 1; i <= 7; i++ {
		f.upload("shop", fmt.Sprint("module ", i))
	}
	f.activate("shop", Change{Version: 4})
	for range 2 {
		_, err := f.Pin(t.Context(), "shop", 2, true, "me")
		wantCode(t, err, "")
	}
	_, err := f.Pin(t.Context(), "shop", 9, true, "me")
	wantCode(t, err, fault.NotFound)
	ro := plugin.Rollout{From: 4, To: 5, Plan: plugin.DefaultPlan()}
	_, err = f.Rollout(t.Context(), "shop", Change{Rollout: &ro}, "")
	wantCode(t, err, "")

	pruned, err := f.Prune(t.Context(), "", Retention{VersionsAge: time.Hour}, true, "me")
	wantCode(t, err, "")
	same(t, "nothing is old", Pruned{}, pruned)
	pruned, err = f.Prune(t.Context(), "", Retention{Versions: 1}, true, "me")
	wantCode(t, err, "")
	same(t, "by count", Pruned{Versions: 3}, pruned)
	f.clock = func() time.Time { return noon.Add(2 * time.Hour) }
	pruned, err = f.Prune(t.Context(), "", Retention{VersionsAge: time.Hour}, false, "me")
	wantCode(t, err, "")
	same(t, "by age", Pruned{Versions: 3}, pruned)
	versions, err := f.Versions(t.Context(), "shop")
	wantCode(t, err, "")
	var numbers []int
	for _, v := range versions {
		numbers = append(numbers, v.Number)
	}
	same(t, "what is kept", []int{7, 5, 4, 2}, numbers)

	for range 2 {
		_, err = f.Pin(t.Context(), "shop", 2, false, "me")
		wantCode(t, err, "")
	}
	pruned, err = f.Prune(t.Context(), "", Retention{Versions: 1}, true, "me")
	wantCode(t, err, "")
	same(t, "unpinned", Pruned{Versions: 1}, pruned)
}
