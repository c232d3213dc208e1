package native

import (
	"bytes"
	"testing"
)

// TestTheSDKWritesToOnePage of memory beside those that Go itself writes to: each
// has to be put back after the request. The seed of Go's generator, which the
// host writes, may lie across two.
func TestTheSDKWritesToOnePage(t *testing.T) {
	changed := func(guest string) (pages int) {
		p := prepareGoGuest(t, guest)
		in := instanceOf(t, p)
		image := bytes.Clone(in.Memory())
		handle(t, in, getRequest())
		const page = 4 << 10
		for at := 0; at < len(image); at += page {
			if !bytes.Equal(image[at:at+page], in.Memory()[at:at+page]) {
				pages++
			}
		}
		return pages
	}
	without, with := changed(bare), changed(hello)
	t.Logf("pages written: %d without the SDK, %d with it", without, with)
	if with > without+2 {
		t.Errorf("hello writes to %d pages, a guest without the SDK to %d", with, without)
	}
}
