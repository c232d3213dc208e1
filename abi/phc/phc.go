// Package phc reads and writes hashes of passwords in PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$SALT$SUM
//
// It computes none. The host and its fake in sdktest import it, so that both
// accept the same.
package phc

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
)

// Hash is a hash with argon2id, version 19 (RFC 9106), and all that it takes to
// compute it again.
type Hash struct {
	Memory uint32 // KiB
	Passes uint32 // over the memory
	Lanes  uint8  // that can be computed at a time
	Salt   []byte
	Sum    []byte
}

// Parameters of new hashes: those that OWASP recommends with one lane.
const (
	memory   = 19 << 10
	passes   = 2
	lanes    = 1
	SaltSize = 16
	SumSize  = 32
	// Size is that of a new hash as a string.
	Size = len("$argon2id$v=19$m=19456,t=2,p=1$") + (SaltSize*8+5)/6 + len("$") + (SumSize*8+5)/6
)

// Bounds of hashes that are accepted; those of what they cost are in limits.
const (
	minSalt, maxSalt = 8, 64
	minSum, maxSum   = 16, 64
)

// New returns a hash without its Sum, which is as long as it has to become.
func New(salt []byte) Hash {
	return Hash{Memory: memory, Passes: passes, Lanes: lanes, Salt: salt, Sum: make([]byte, SumSize)}
}

// Stale reports whether a new hash would have other parameters.
func (h *Hash) Stale() bool {
	return h.Memory != memory || h.Passes != passes || h.Lanes != lanes || len(h.Salt) != SaltSize || len(h.Sum) != SumSize
}

const head = "$argon2id$v=19$"

// String returns the hash in PHC string format.
func (h *Hash) String() string {
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	return head + "m=" + number(h.Memory) + ",t=" + number(h.Passes) + ",p=" + number(uint32(h.Lanes)) +
		"$" + base64.RawStdEncoding.EncodeToString(h.Salt) + "$" + base64.RawStdEncoding.EncodeToString(h.Sum)
}

// Parse reads a hash. What is no argon2id hash of version 19 is abi.Invalid; one
// that costs more to compute than limits allow is abi.Limit.
func Parse(s string) (h Hash, status abi.Status) {
	if len(s) > limits.PasswordHash {
		return h, abi.Limit
	}
	rest, ok := strings.CutPrefix(s, head)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return h, abi.Invalid
	}
	memory, passes, lanes, ok := parameters(parts[0])
	var okSalt, okSum bool
	h.Salt, okSalt = decode(parts[1], minSalt, maxSalt)
	h.Sum, okSum = decode(parts[2], minSum, maxSum)
	switch {
	case !ok || !okSalt || !okSum || passes < 1 || lanes < 1 || memory < 8*lanes:
		return h, abi.Invalid
	case memory > limits.PasswordMemory>>10 || memory*passes > limits.PasswordTraffic>>10 || lanes > limits.PasswordLanes:
		return h, abi.Limit
	}
	h.Memory, h.Passes, h.Lanes = uint32(memory), uint32(passes), uint8(lanes)
	return h, abi.OK
}

// parameters reads "m=MEMORY,t=PASSES,p=LANES", each of at most 32 bits.
func parameters(s string) (memory, passes, lanes uint64, ok bool) {
	m, rest, okM := strings.Cut(s, ",")
	t, p, okT := strings.Cut(rest, ",")
	memory, okMemory := number(m, "m=")
	passes, okPasses := number(t, "t=")
	lanes, okLanes := number(p, "p=")
	return memory, passes, lanes, okM && okT && okMemory && okPasses && okLanes
}

// number reads a number as PHC strings write it: decimal, without a sign or zeros
// before it.
func number(s, name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, ok && err == nil && strconv.FormatUint(n, 10) == digits
}

// decode reads Base64 without padding, in the one form that stands for its bytes.
func decode(s string, least, most int) ([]byte, bool) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	return b, err == nil && len(b) >= least && len(b) <= most && !bytes.ContainsAny([]byte(s), "\r\n")
}
