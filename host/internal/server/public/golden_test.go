package public

import (
	"fmt"
	"slices"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/abitest"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// TestGoldenRequests holds what a guest gets of a request to the file that the
// fake host is held to.
func TestGoldenRequests(t *testing.T) {
	requests, err := abitest.LoadRequests("../../../../abi/testdata/requests.json")
	if err != nil {
		t.Fatal(err)
	}
	var got *abi.RequestHead
	addr := publicFor(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		head := inv.Request.Head
		head.Headers = slices.Clone(head.Headers)
		got = &head
		return dispatch.Result{}, nil
	})
	for _, r := range requests {
		t.Run(r.Name, func(t *testing.T) {
			got = nil
			var lines []string
			for _, h := range r.Headers {
				lines = append(lines, h[0]+": "+h[1])
			}
			if r.Body != "" {
				lines = append(lines, fmt.Sprint("Content-Length: ", len(r.Body)))
			}
			answer := servertest.RoundTrip(t, addr, servertest.Request(r.Method, r.Target, r.Body, lines...))
			if r.Status != 0 {
				if answer.StatusCode != r.Status || got != nil {
					t.Errorf("got %d, and the guest got %v, want %d", answer.StatusCode, got, r.Status)
				}
				return
			}
			if got == nil {
				t.Fatalf("the guest got nothing, and the client %d", answer.StatusCode)
			}
			if err := r.Check(got); err != nil {
				t.Error(err)
			}
		})
	}
}
