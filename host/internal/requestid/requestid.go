// Package requestid makes names for requests that bring none. Package serve and
// the listeners import it.
package requestid

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"
)

// Append appends a ULID. Its randomness tells requests apart and guards nothing,
// so the runtime's generator serves.
func Append(b []byte, now time.Time) []byte {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(now)) // fails in the year 10889
	binary.BigEndian.PutUint16(id[6:], uint16(rand.Uint32()))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	var text [ulid.EncodedSize]byte
	_ = id.MarshalTextTo(text[:]) // the size fits
	return append(b, text[:]...)
}

// New returns a ULID.
func New(now time.Time) string { return string(Append(nil, now)) }
