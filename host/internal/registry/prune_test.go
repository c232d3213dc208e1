package registry

import (
	"fmt"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// TestPrune keeps the newest, what serves and what served before, and forgets modules
// that nobody names any more.
func TestPrune(t *testing.T) {
	f := open(t)
	var digests []plugin.Digest
	for i := 1; i <= 8; i++ {
		_, v := f.upload("shop", fmt.Sprint("module ", i))
		digests = append(digests, v.Digest)
	}
	f.upload("other", "module 1")
	f.activate("shop", Change{Version: 8})
	f.activate("shop", Change{Version: 1})
	f.activate("shop", Change{Version: 2}) // before it served 1
	for i := range 6 {
		f.activate("shop", Change{Set: map[string]string{"n": fmt.Sprint(i)}})
	}
	keep := Retention{Versions: 3, Deployments: 2, Events: 5}
	want := Pruned{Versions: 3, Deployments: 7, Events: 13}

	dry, err := f.Prune(t.Context(), "", keep, true, "me")
	wantCode(t, err, "")
	same(t, "what would be removed", want, dry)
	done, err := f.Prune(t.Context(), "", keep, false, "me")
	wantCode(t, err, "")
	same(t, "what was removed", want, done)

	versions, err := f.Versions(t.Context(), "shop")
	wantCode(t, err, "")
	var numbers []int
	for _, v := range versions {
		numbers = append(numbers, v.Number)
	}
	same(t, "versions", []int{8, 7, 6, 2, 1}, numbers)
	deployments, err := f.Deployments(t.Context(), "shop", 0, 0)
	wantCode(t, err, "")
	same(t, "deployments", []int{9, 8}, []int{deployments[0].Number, deployments[1].Number})
	events, err := f.Audit(t.Context(), 0, 0)
	wantCode(t, err, "")
	if len(events) != 6 || events[5].Action != plugin.ActionPrune || events[5].Detail != "3 versions, 7 deployments, 13 events" {
		t.Errorf("events %+v", events)
	}
	for i, d := range digests {
		_, err := f.Module(d)
		gone := i+1 >= 3 && i+1 <= 5
		if (fault.CodeOf(err) == fault.NotFound) != gone {
			t.Errorf("module %d: %v", i+1, err)
		}
	}
	_, err = f.Version(t.Context(), "shop", 4)
	wantCode(t, err, fault.NotFound)
	f.reopen()
	again, err := f.Prune(t.Context(), "", keep, false, "me")
	wantCode(t, err, "")
	same(t, "a second time", Pruned{Events: 1}, again)

	// Of one plugin, and of none.
	one, err := f.Prune(t.Context(), "shop", Retention{Versions: 1, Events: 1}, false, "me")
	wantCode(t, err, "")
	same(t, "of one plugin", Pruned{Versions: 2}, one)
	_, err = f.Prune(t.Context(), "shp", keep, false, "me")
	wantCode(t, err, fault.NotFound)
	nothing, err := f.Prune(t.Context(), "", Retention{}, false, "me")
	wantCode(t, err, "")
	same(t, "keeping all", Pruned{}, nothing)
}

// TestRetain has changes remove what is old by then.
func TestRetain(t *testing.T) {
	f := open(t)
	f.Retain(Retention{Versions: 2, Deployments: 3, Events: 4})
	for i := 1; i <= 6; i++ {
		f.upload("shop", fmt.Sprint("module ", i))
		f.activate("shop", Change{Version: i})
	}
	versions, err := f.Versions(t.Context(), "shop")
	wantCode(t, err, "")
	deployments, err := f.Deployments(t.Context(), "shop", 0, 0)
	wantCode(t, err, "")
	events, err := f.Audit(t.Context(), 0, 0)
	wantCode(t, err, "")
	same(t, "what is kept", []int{2, 3, 4}, []int{len(versions), len(deployments), len(events)})
	same(t, "the newest", []int{6, 6}, []int{versions[0].Number, deployments[0].Number})
	f.reopen()
	if p, err := f.Plugin(t.Context(), "shop"); err != nil || p.Active != 6 || p.Previous != 5 {
		t.Errorf("%+v, %v", p, err)
	}
}
