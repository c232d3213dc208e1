package blob

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestAPlaceIsOneStores and another gets it only when it is given up.
func TestAPlaceIsOneStores(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*fixture{"folder": open(t, folderBucket(t)), "s3": open(t, service(t, &atomic.Bool{}))} {
		mine, other := Owner{Folder: "a", Server: "here", Since: time.Unix(0, 0).UTC()}, Owner{Folder: "b", Server: "there"}
		for _, c := range []struct {
			own  Owner
			want fault.Code
		}{{mine, ""}, {mine, ""}, {other, fault.Conflict}, {mine, ""}} {
			err := f.Claim(t.Context(), c.own)
			if fault.CodeOf(err) != c.want {
				t.Errorf("%s: %q claims it: %v", name, c.own.Folder, err)
			}
			if c.want != "" && !(strings.Contains(err.Error(), "here since 1970") && strings.Contains(err.Error(), `delete "owner"`)) {
				t.Errorf("%s: it does not say who has it and what to do: %v", name, err)
			}
		}
		if s := f.sweep(t); s.Blobs != 0 {
			t.Errorf("%s: the owner counts as a blob: %+v", name, s)
		}
		if err := f.Claim(t.Context(), other); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s: after a sweep: %v", name, err)
		}
		if err := f.Disclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := f.Claim(t.Context(), other); err != nil {
			t.Errorf("%s: once it is given up: %v", name, err)
		}
		if err := f.bucket.Put(t.Context(), ownerKey, strings.NewReader("{"), 1); err != nil {
			t.Fatal(err)
		}
		if err := f.Claim(t.Context(), other); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s: what cannot be read: %v", name, err)
		}
	}
	own := open(t, nil)
	for _, store := range []string{"a", "b"} {
		if err := own.Claim(t.Context(), Owner{Folder: store}); err != nil {
			t.Errorf("the folder of the data directory: %v", err)
		}
	}
}
