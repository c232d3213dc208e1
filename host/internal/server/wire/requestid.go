package wire

import (
	"time"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/requestid"
)

// HeaderRequestID names a request in logs here and upstream.
const HeaderRequestID = "x-request-id"

const maxRequestID = 128

// AppendRequestID appends the client's own id where it is a token of bearable
// length, and a new one otherwise.
func AppendRequestID(b, given []byte, now time.Time) []byte {
	if len(given) <= maxRequestID && field.IsToken(given) {
		return append(b, given...)
	}
	return requestid.Append(b, now)
}

// NewRequestID returns an id for a request that was refused before it had one.
func NewRequestID() string { return requestid.New(time.Now()) }
