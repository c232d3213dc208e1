package live

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/stream"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// state is what an answer was at a revision. It is encoded once for all clients.
type state struct {
	number uint64 // of all states, in the order in which they were computed
	digest string // of the body
	event  *stream.Event
}

// newState copies the body. The id of the event is the revision and the digest: the same
// revision may have another answer in another version, and the same answer another revision.
func newState(number uint64, revision store.Revision, body []byte) *state {
	sum := sha256.Sum256(body)
	st := &state{number: number, digest: hex.EncodeToString(sum[:8])}
	st.event = stream.NewEvent(fmt.Sprintf("%d-%s", revision, st.digest), "", true, bytes.Clone(body))
	return st
}

// digestOf returns the digest in the id of an event, "" in none.
func digestOf(id string) string {
	_, digest, _ := strings.Cut(id, "-")
	return digest
}

func isText(body []byte) bool { return utf8.Valid(body) }

// Reply is an answer that is no event: the handler's own, of a status other than 200.
type Reply struct {
	Status  int
	Headers []abi.Pair
	Body    []byte
}

// failure is why an answer is no longer kept up to date. One of reply and err is set.
type failure struct {
	reply   *Reply // of the handler
	err     error
	problem string // in short, where the author has to mend it
	status  int
	detail  string // for clients
}

// failedWith is a failure with an error of the host.
func failedWith(err error) *failure {
	f := &failure{err: err, status: http.StatusServiceUnavailable, detail: "the answer cannot be kept up to date just now; ask again"}
	switch fault.CodeOf(err) {
	case fault.NotFound:
		f.status, f.detail = http.StatusNotFound, fault.MessageOf(err)
	case fault.Trap, fault.BadReply, fault.Internal:
		f.status, f.detail = http.StatusBadGateway, "the handler failed"
	case fault.Deadline:
		f.status, f.detail = http.StatusGatewayTimeout, "the handler took too long"
	}
	return f
}

// refusedFor is a failure that the author of the plugin has to mend.
func refusedFor(problem, detail string) *failure {
	return &failure{err: fault.New(fault.BadReply, "live", detail), problem: problem, status: http.StatusBadGateway, detail: detail}
}

// failedReply is an answer of the handler that ends a stream.
func failedReply(r *invoke.Reply) *failure {
	return &failure{
		reply: &Reply{Status: r.Status, Headers: clone(r.Headers), Body: bytes.Clone(r.Body)}, status: r.Status,
		detail: "the handler has answered with this status; ask again for its answer",
	}
}

// calledError is why an answer failed whose handler had called a service.
type calledError struct{ error }

func (e calledError) Unwrap() error { return e.error }

// Called reports whether the handler of Open's error had called a service in a way that
// may have changed something there.
func Called(err error) bool {
	_, called := errors.AsType[calledError](err)
	return called
}

// event is what a client is told before its stream ends. Of a handler's answer it has
// the status alone.
func (f *failure) event() *stream.Event {
	data, _ := json.Marshal(map[string]any{"status": f.status, "title": http.StatusText(f.status), "detail": f.detail}) // no value fails
	return stream.NewEvent("", "problem", true, data)
}
