package public

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"

	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// The header fields of requests that may be repeated, after
// draft-ietf-httpapi-idempotency-key-header.
const (
	headerKey      = "idempotency-key"
	headerReplayed = "Idempotent-Replayed"
)

// maxKey is the longest Idempotency-Key, in bytes.
const maxKey = 255

var (
	refuseKey  = wire.Bad("the Idempotency-Key must have 1 to 255 visible ASCII characters")
	refuseKeys = wire.Bad("the request has more than one Idempotency-Key")
)

// findKey reads the key of a request whose route keeps answers. Elsewhere, and
// with methods that change nothing, a key is a header like any other.
func (c *exchange) findKey() *wire.Refusal {
	if c.match.Keep == 0 || !changes(c.method) {
		return nil
	}
	for _, h := range c.headers {
		switch {
		case h.Name != headerKey:
			continue
		case c.once.Key != "":
			return refuseKeys
		case !isKey(h.Value):
			return refuseKey
		}
		c.once = invoke.Once{Key: h.Value, Keep: c.match.Keep}
	}
	return nil
}

// changes reports whether a method may not be safe (RFC 9110 §9.2.1). A guest
// may serve methods that the host does not know: it does not guess of them that
// they are.
func changes(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

func isKey(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= maxKey
}

// digest says what makes a request the same as another: everything that decides
// what it asks for, and who asks, so that a key that became known gives nobody
// an answer that was another's.
func (c *exchange) digest() (sum [32]byte, err error) {
	h := sha256.New()
	for _, part := range []string{c.method, c.routeHost, c.path, c.query} {
		writePart(h, part)
	}
	for _, name := range []string{"authorization", "content-type", "content-encoding"} {
		for _, f := range c.headers {
			if f.Name == name {
				writePart(h, name)
				writePart(h, f.Value)
			}
		}
	}
	writePart(h, "") // no name is empty: the body begins here
	if _, err := c.request.Body.WriteTo(h); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}

// writePart hashes a string so that no other sequence of strings reads alike.
func writePart(h hash.Hash, s string) {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(s)))
	h.Write(size[:])
	h.Write([]byte(s))
}
