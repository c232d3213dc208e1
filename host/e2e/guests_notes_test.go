package e2e

import (
	"fmt"
	"testing"

	"github.com/wasmoor/wasmoor/examples/notes/apptest"
)

// TestNotes uses the whole of examples/notes, a back-end on net/http and chi. The
// same steps pass under plain net/http, in examples/notes/native.
func TestNotes(t *testing.T) {
	t.Parallel()
	library := apptest.Library()
	t.Cleanup(library.Close)
	s := serve(t, t.TempDir(), "--outbound-allow-networks", "127.0.0.1/32")
	s.deploy("notes", pack(t, goGuest(t, "../../examples/notes"), "notes", "[kv]", allowing(library.URL),
		fmt.Sprintf("[config.library]\ndefault = %q", library.URL)))
	apptest.Run(t, s.public+"/notes", nil)
}
