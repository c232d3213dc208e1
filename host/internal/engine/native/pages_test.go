package native

import (
	"bytes"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// TestTheSDKWritesToOnePage of memory beside those that Go itself writes to: each
// has to be put back after the request. The seed of Go's generator, which the
// host writes, may lie across two.
func TestTheSDKWritesToOnePage(t *testing.T) {
	without, with := written(t, prepareGoGuest(t, bare), getRequest()), written(t, prepareGoGuest(t, hello), getRequest())
	t.Logf("pages written: %d without the SDK, %d with it", without, with)
	if with > without+2 {
		t.Errorf("hello writes to %d pages, a guest without the SDK to %d", with, without)
	}
}

// written returns how many pages of memory change in a request.
func written(tb testing.TB, p engine.Program, inv *invoke.Invocation) (pages int) {
	tb.Helper()
	in := instanceOf(tb, p)
	image := bytes.Clone(in.Memory())
	handle(tb, in, inv)
	const page = 4 << 10
	for at := 0; at < len(image); at += page {
		if !bytes.Equal(image[at:at+page], in.Memory()[at:at+page]) {
			pages++
		}
	}
	return pages
}
