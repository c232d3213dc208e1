package wire

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/wasmoor/wasmoor/host/internal/field"
)

// HeaderRequestID names a request in logs here and upstream.
const HeaderRequestID = "x-request-id"

const maxRequestID = 128

// AppendRequestID appends the client's own id where it is a token of bearable
// length, and a new ULID otherwise.
func AppendRequestID(b, given []byte, now time.Time) []byte {
	if len(given) <= maxRequestID && field.IsToken(given) {
		return append(b, given...)
	}
	return appendULID(b, now)
}

// appendULID appends a ULID. Its randomness tells requests apart and guards
// nothing, so the runtime's generator serves.
func appendULID(b []byte, now time.Time) []byte {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(now)) // fails in the year 10889
	binary.BigEndian.PutUint16(id[6:], uint16(rand.Uint32()))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	var text [ulid.EncodedSize]byte
	_ = id.MarshalTextTo(text[:]) // the size fits
	return append(b, text[:]...)
}

func NewRequestID() string { return string(appendULID(nil, time.Now())) }
