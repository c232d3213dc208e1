package live

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
)

// Request is what a client wants a live answer to: a GET without a body. It is not
// changed once it was opened.
type Request struct {
	Path, RouteHost, Host, Query, Scheme string
	// Headers are those of the client; Prepare leaves out what a live run does not see.
	Headers []abi.Pair
	// Client decides between versions that are rolled out. It outlives the request.
	Client deploy.Client
	// LastID is the id of the last event that the client has, "" = none.
	LastID string

	digest [sha256.Size]byte // of all that a handler sees but what its route says
}

// Prepare leaves of the headers what a live run sees, in memory of its own, and makes r
// ready for Open.
func (r *Request) Prepare() {
	seen := make([]abi.Pair, 0, len(r.Headers))
	for _, h := range r.Headers {
		if h.Name == "last-event-id" {
			r.LastID = h.Value
		}
		if h, ok := field.Live(h); ok {
			seen = append(seen, abi.Pair{Name: strings.Clone(h.Name), Value: strings.Clone(h.Value)})
		}
	}
	r.Headers = slices.Clip(seen)
	sum := sha256.New()
	write := func(s string) {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		sum.Write(n[:])
		sum.Write([]byte(s))
	}
	for _, s := range []string{r.RouteHost, r.Host, r.Path, r.Query, r.Scheme} {
		write(s)
	}
	for _, h := range r.Headers {
		write(h.Name)
		write(h.Value)
	}
	sum.Sum(r.digest[:0])
}

// key is what equal requests have in common: who answers, and all that the handler sees.
type key struct {
	deployment           *dispatch.Deployment
	mount, path, pattern string
	digest               [sha256.Size]byte
}

func keyOf(r *Request, m *deploy.Match) key {
	return key{m.Deployment, m.Mount, m.Path, m.Pattern, r.digest}
}

// headOf is the head of each run.
func headOf(r *Request, m *deploy.Match) abi.RequestHead {
	return abi.RequestHead{
		Method: "GET", Path: m.Path, Mount: m.Mount, Pattern: m.Pattern, Params: m.Params, Query: r.Query,
		Headers: r.Headers, Scheme: r.Scheme, Host: r.Host, Remote: field.LiveAddress, Trigger: abi.TriggerHTTP,
	}
}
