package registry

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// TestARejectedVersionServesNoMore: whatever serves it, also what reads it again, and one
// that served once.
func TestARejectedVersionServesNoMore(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	for _, module := range []string{"m1", "m2", "m3"} {
		f.upload("shop", module)
	}
	_, _, err := f.Activate(ctx, "shop", Change{Version: 1})
	wantCode(t, err, "")
	wantCode(t, f.Reject(ctx, "shop", 1, "", "ann"), fault.Conflict) // it serves
	wantCode(t, f.Reject(ctx, "shop", 9, "", "ann"), fault.NotFound)
	wantCode(t, f.Reject(ctx, "x", 1, "", "ann"), fault.NotFound)
	_, _, err = f.Activate(ctx, "shop", Change{Version: 3})
	wantCode(t, err, "")
	if v, err := f.Version(ctx, "shop", 1); err != nil || !v.Approved {
		t.Errorf("what served is %+v, %v", v, err)
	}
	for _, version := range []int{1, 2} {
		wantCode(t, f.Reject(ctx, "shop", version, "no", "ann"), "")
		f.reopen()
		wantCode(t, f.Reject(ctx, "shop", version, "again", "bob"), fault.Conflict)
		_, _, err = f.Activate(ctx, "shop", Change{Version: version})
		wantCode(t, err, fault.Conflict)
		_, err = f.Registry.Rollout(ctx, "shop", Change{Rollout: &plugin.Rollout{From: 3, To: version, Plan: plugin.DefaultPlan()}}, "")
		wantCode(t, err, fault.Conflict)
		_, err = f.Grant(ctx, "shop", version, plugin.Grant{}, "bob")
		wantCode(t, err, fault.Conflict)
		v, err := f.Version(ctx, "shop", version)
		if err != nil || v.Approved || v.Rejected == nil || v.Rejected.By != "ann" || v.Rejected.Reason != "no" || !v.Rejected.At.Equal(noon) {
			t.Errorf("version %d is %+v, %v", version, v, err)
		}
	}
	events, err := f.Audit(ctx, 0, 0)
	last := events[len(events)-1]
	if err != nil || last.Action != plugin.ActionReject || last.By != "ann" || last.Version != 2 || last.Detail != "no" {
		t.Errorf("the audit ends with %+v, %v", last, err)
	}
	if v, err := f.Version(ctx, "shop", 3); err != nil || v.Rejected != nil {
		t.Errorf("another is %+v, %v", v, err)
	}
}

// TestWhatIsRejectedIsAskedForByANewVersion: the same bytes once more are no repeat.
func TestWhatIsRejectedIsAskedForByANewVersion(t *testing.T) {
	f := open(t)
	f.upload("shop", "m1")
	wantCode(t, f.Reject(t.Context(), "shop", 1, "", "ann"), "")
	if _, v := f.upload("shop", "m1"); v.Number != 2 || v.Rejected != nil {
		t.Errorf("uploaded again it is %+v", v)
	}
	v, err := f.Version(t.Context(), "shop", 1)
	if err != nil || !strings.Contains(fault.MessageOf(v.Refusal("shop")), `version 1 of plugin "shop" was rejected by ann; to ask again, deploy it again`) {
		t.Errorf("%v, %v", v.Refusal("shop"), err)
	}
}
