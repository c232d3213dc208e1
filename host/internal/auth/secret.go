package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"regexp"
	"strings"
)

// passForm is a token that an owner made, or a log-in: its id, its secret of 32
// random bytes, and a checksum of both, by which a damaged copy is told from a
// wrong token without a look-up. Secret scanners know it by its prefix.
var passForm = regexp.MustCompile(`^wsm_([a-z2-7]{8})_([A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$`)

const passPrefix = "wsm_"

// NewSecret returns a new token, and what is kept of it: its id and its sum. The
// text is shown once, to who asked for it.
func NewSecret() (text, id string, sum [sha256.Size]byte) {
	random := make([]byte, 5+secretSize)
	rand.Read(random) // never fails (crypto/rand)
	id = strings.ToLower(base32.StdEncoding.EncodeToString(random[:5]))
	text = passPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(random[5:])
	text += checksum(text)
	return text, id, sha256.Sum256([]byte(text))
}

func checksum(text string) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))))
}

// secretID returns the id of a token, if it is a whole one.
func secretID(text string) (string, bool) {
	m := passForm.FindStringSubmatch(text)
	if m == nil || checksum(text[:len(text)-len(m[3])]) != m[3] {
		return "", false
	}
	return m[1], true
}
