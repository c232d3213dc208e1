package sdktest

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/phc"
)

// The fake's hashes have the form and the size of real ones and say that they are
// none. A real one would take 20 ms and a library of its own.
const (
	realHash = "$argon2id$"
	fakeHash = "$fakehash$"
)

// admitHash counts a hash of the attempt, and reports whether it may have one more.
func (c *call) admitHash() bool {
	c.hashes++
	return c.hashes <= limits.PasswordHashes
}

func (c *call) PasswordHash(password string, buf []byte) int64 {
	switch {
	case password == "":
		return int64(abi.Invalid)
	case len(password) > limits.Password:
		return int64(abi.Limit)
	case len(buf) < phc.Size:
		return int64(phc.Size)
	case !c.admitHash():
		return int64(abi.Limit)
	}
	salt := make([]byte, phc.SaltSize)
	if n := c.RandomFill(salt); n < 0 {
		return n
	}
	h := phc.New(salt)
	h.Sum = fakeSum(password, salt)
	return fill(buf, strings.Replace(h.String(), realHash, fakeHash, 1))
}

func (c *call) PasswordVerify(password, hash string) int64 {
	if len(password) > limits.Password {
		return int64(abi.Limit)
	}
	var h phc.Hash
	if hash != "" {
		var status abi.Status
		if h, status = phc.Parse(strings.Replace(hash, fakeHash, realHash, 1)); status != abi.OK {
			return int64(status)
		}
	}
	switch {
	case !c.admitHash():
		return int64(abi.Limit)
	case hash == "":
		return abi.PasswordWrong
	case !strings.HasPrefix(hash, fakeHash):
		panic("sdktest: it cannot compute argon2id; have the test make its hashes with password.Hash")
	case subtle.ConstantTimeCompare(fakeSum(password, h.Salt), h.Sum) == 0:
		return abi.PasswordWrong
	case h.Stale():
		return abi.PasswordStale
	}
	return abi.PasswordRight
}

func fakeSum(password string, salt []byte) []byte {
	sum := sha256.Sum256(append(slices.Clip(salt), password...))
	return sum[:]
}
