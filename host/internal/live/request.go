package live

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
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
		if h, ok := visible(h); ok {
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

// hidden are the fields that a live run does not see: they say how a client asks and not
// what for, and nearly every client has its own, so none would share a run.
var hidden = []string{
	"accept-encoding", "baggage", "cache-control", "dnt", "downlink", "dpr", "forwarded", "from", "last-event-id", "pragma",
	"priority", "range", "referer", "rtt", "save-data", "tracestate", "traceparent", "upgrade-insecure-requests",
	"user-agent", "via", "viewport-width", "width", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-request-id",
}

// CookieName is the cookie by which a roll-out knows a client; each has its own.
const CookieName = "wasmoor-client"

// visible returns a field as a live run sees it.
func visible(h abi.Pair) (abi.Pair, bool) {
	switch {
	case slices.Contains(hidden, h.Name), strings.HasPrefix(h.Name, "sec-"), strings.HasPrefix(h.Name, "if-"):
		return h, false
	case h.Name == "accept":
		h.Value = without(h.Value, ",", func(s string) bool {
			kind, _, _ := strings.Cut(s, ";")
			return strings.EqualFold(strings.Trim(kind, " \t"), "text/event-stream")
		})
	case h.Name == "cookie":
		h.Value = without(h.Value, ";", func(s string) bool { return strings.HasPrefix(strings.Trim(s, " "), CookieName+"=") })
	}
	return h, h.Value != "" || h.Name != "accept" && h.Name != "cookie"
}

// without returns a list without the elements that drop names.
func without(list, separator string, drop func(string) bool) string {
	elements := slices.DeleteFunc(strings.Split(list, separator), drop)
	return strings.Trim(strings.Join(elements, separator), " \t")
}

// Accepts reports whether a client names text/event-stream among what it accepts.
func Accepts(headers []abi.Pair) bool {
	for _, h := range headers {
		if h.Name != "accept" || !strings.Contains(h.Value, "event-stream") {
			continue
		}
		for one := range strings.SplitSeq(h.Value, ",") {
			kind, _, _ := strings.Cut(one, ";")
			if strings.EqualFold(strings.Trim(kind, " \t"), "text/event-stream") {
				return true
			}
		}
	}
	return false
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

// address is what a handler sees in place of a client's address, which an answer that
// many share cannot depend on.
const address = "0.0.0.0"

// headOf is the head of each run.
func headOf(r *Request, m *deploy.Match) abi.RequestHead {
	return abi.RequestHead{
		Method: "GET", Path: m.Path, Mount: m.Mount, Pattern: m.Pattern, Params: m.Params, Query: r.Query,
		Headers: r.Headers, Scheme: r.Scheme, Host: r.Host, Remote: address, Trigger: abi.TriggerHTTP,
	}
}
