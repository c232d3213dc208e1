package project

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestOutputIsBounded keeps the start and the end of what a build prints, in whatever
// pieces it comes.
func TestOutputIsBounded(t *testing.T) {
	text := []byte("the start" + strings.Repeat("0123456789", 1<<20) + "the end")
	for _, piece := range []int{1 << 10, 60_001, maxOutput, 3*maxOutput + 1, len(text)} {
		var o output
		for rest := text; len(rest) > 0; {
			n := min(piece, len(rest))
			if got, err := o.Write(rest[:n]); got != n || err != nil {
				t.Fatal(got, err)
			}
			if rest = rest[n:]; cap(o.start)+cap(o.end) > 8*maxOutput {
				t.Fatalf("%d bytes are kept", cap(o.start)+cap(o.end))
			}
		}
		left := fmt.Sprintf("\n... %d bytes of output left out ...\n", len(text)-2*maxOutput)
		want := bytes.Join([][]byte{text[:maxOutput], text[len(text)-maxOutput:]}, []byte(left))
		if got := o.text(); !bytes.Equal(got, want) {
			t.Errorf("pieces of %d: got %d bytes, want %d", piece, len(got), len(want))
		}
	}
	for _, n := range []int{0, 5, maxOutput, 2 * maxOutput} {
		var o output
		_, _ = o.Write(text[:n])
		if got := o.text(); !bytes.Equal(got, text[:n]) {
			t.Errorf("of %d bytes %d are kept", n, len(got))
		}
	}
}
