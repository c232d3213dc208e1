package blob

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// TestAPlaceIsOneFolders and another gets it only when it is given up.
func TestAPlaceIsOneFolders(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]bucket.Bucket{"folder": folderBucket(t), "s3": service(t, &atomic.Bool{})} {
		f, other := open(t, b), open(t, b)
		for _, c := range []struct {
			by     *fixture
			server string
			want   fault.Code
		}{{f, "here", ""}, {f, "anywhere", ""}, {other, "there", fault.Conflict}, {f, "here", ""}} {
			err := c.by.Claim(t.Context(), c.server)
			if fault.CodeOf(err) != c.want {
				t.Errorf("%s: %q claims it: %v", name, c.server, err)
			}
			if c.want != "" && !(strings.Contains(err.Error(), "of here since 2") && strings.Contains(err.Error(), `delete "owner"`)) {
				t.Errorf("%s: it does not say who has it and what to do: %v", name, err)
			}
		}
		if s := f.sweep(t); s.Blobs != 0 {
			t.Errorf("%s: the owner counts as a blob: %+v", name, s)
		}
		if err := other.Claim(t.Context(), "there"); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s: after a sweep: %v", name, err)
		}
		if err := f.Disclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := other.Claim(t.Context(), "there"); err != nil {
			t.Errorf("%s: once it is given up: %v", name, err)
		}
		if err := f.bucket.Put(t.Context(), ownerKey, strings.NewReader("{"), 1); err != nil {
			t.Fatal(err)
		}
		if err := other.Claim(t.Context(), "there"); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s: what cannot be read: %v", name, err)
		}
	}
	own := open(t, nil)
	if err := own.Claim(t.Context(), "here"); err != nil {
		t.Errorf("the folder of the data directory: %v", err)
	}
	if have, err := own.owner(t.Context()); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("the folder of the data directory is %v's, %v", have, err)
	}
}
