// Package webhook signs and verifies webhooks as Standard Webhooks say
// (standardwebhooks.com): HMAC-SHA256 over the id, the time and the body. The host, its
// fake in sdktest and package sdk/webhook import it, so that all sign the same.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The header fields of a webhook.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Queue is the name of the queue in which webhooks wait.
const Queue = "webhooks"

// Prefix begins the text of a secret.
const Prefix = "whsec_"

// scheme begins each signature.
const scheme = "v1,"

// Bounds of secrets: the bytes of a key, and how many there are.
const (
	minKey  = 24
	maxKey  = 64
	maxKeys = 4
)

// maxSignatures bounds how many signatures Verify looks at.
const maxSignatures = 16

// Tolerance is how far the time of a webhook may be from now.
const Tolerance = 5 * time.Minute

// Errors of Verify.
var (
	ErrHeader    = errors.New("a header field of a webhook is missing or malformed")
	ErrTime      = errors.New("the time of the webhook is not within 5 minutes of now")
	ErrSignature = errors.New("no signature of the webhook is right")
)

// Secret is the keys that sign a webhook: one, or while a secret is replaced the new
// one and those before it. Keep it out of logs.
type Secret [][]byte

// Parse reads a secret as people write it: whsec_ and base64 of 24 to 64 bytes. Up to 4
// may stand in it with a space between: all of them sign.
func Parse(text string) (Secret, error) {
	var s Secret
	for one := range strings.FieldsSeq(text) {
		rest, ok := strings.CutPrefix(one, Prefix)
		key, err := base64.StdEncoding.DecodeString(rest)
		if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
			return nil, errors.New("the secret of a webhook is " + Prefix + " and base64 of 24 to 64 random bytes, and this one is not")
		}
		s = append(s, key)
	}
	if len(s) == 0 || len(s) > maxKeys {
		return nil, errors.New("the secret of a webhook has 1 to 4 keys with a space between, and this one has " + strconv.Itoa(len(s)))
	}
	return s, nil
}

// String returns what Parse reads.
func (s Secret) String() string {
	texts := make([]string, len(s))
	for i, key := range s {
		texts[i] = Prefix + base64.StdEncoding.EncodeToString(key)
	}
	return strings.Join(texts, " ")
}

// For returns the secret of one of many receivers, made of s and the receiver's name:
// none of them can sign for another. "" = s itself.
func (s Secret) For(account string) Secret {
	if account == "" {
		return s
	}
	own := make(Secret, len(s))
	for i, key := range s {
		own[i] = sum(key, "wasmoor webhook account\x00", account)
	}
	return own
}

// Sign returns the signatures of a webhook that is sent at a time.
func (s Secret) Sign(id string, at time.Time, body []byte) string {
	texts := make([]string, len(s))
	for i, key := range s {
		texts[i] = scheme + base64.StdEncoding.EncodeToString(signature(key, id, strconv.FormatInt(at.Unix(), 10), body))
	}
	return strings.Join(texts, " ")
}

// Verify returns nil for a webhook that one of the keys has signed, and whose time is
// within Tolerance of now. Errors: ErrHeader, ErrTime, ErrSignature.
func (s Secret) Verify(id, timestamp, signatures string, body []byte, now time.Time) error {
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || signatures == "" {
		return ErrHeader
	}
	if away := now.Sub(time.Unix(at, 0)); away.Abs() > Tolerance {
		return ErrTime
	}
	n := 0
	for one := range strings.FieldsSeq(signatures) {
		if n++; n > maxSignatures {
			break
		}
		text, ok := strings.CutPrefix(one, scheme)
		given, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil {
			continue // of another scheme
		}
		for _, key := range s {
			if hmac.Equal(given, signature(key, id, timestamp, body)) {
				return nil
			}
		}
	}
	return ErrSignature
}

func signature(key []byte, id, timestamp string, body []byte) []byte {
	return sum(key, id, ".", timestamp, ".", string(body))
}

func sum(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = mac.Write([]byte(part)) // never fails
	}
	return mac.Sum(nil)
}
