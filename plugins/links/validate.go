package main

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
)

const (
	maxURL     = 2048
	maxSlug    = 64
	maxSeconds = 10 * 365 * 24 * 60 * 60 // of expires_in
)

// target returns a link's target in the form a Location header takes. It
// refuses what a browser could not follow, or should not.
func target(r *sdk.Request, raw string) (string, error) {
	if len(raw) > maxURL {
		return "", sdk.Error(422, `"url" is longer than `+strconv.Itoa(maxURL)+" bytes")
	}
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "", sdk.Error(422, `"url" is missing`)
	case err != nil || u.Hostname() == "":
		return "", sdk.Error(422, `"url" must be absolute, like https://example.com/page`)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", sdk.Error(422, `"url" must start with http:// or https://`)
	case u.User != nil:
		return "", sdk.Error(422, `"url" must not hold a user name or password`)
	case strings.EqualFold(u.Host, r.Host()) && below(u.Path, r.Mount()):
		return "", sdk.Error(422, `"url" must not lead back to this shortener`)
	}
	return ascii(u.String()), nil
}

// ascii escapes spaces and what is not ASCII: String leaves both in a query.
func ascii(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// below reports whether a path lies in a mount.
func below(path, mount string) bool {
	rest, ok := strings.CutPrefix(path, mount)
	return ok && (rest == "" || rest[0] == '/')
}

// checkSlug refuses a name that is not one safe path segment.
func checkSlug(slug string) error {
	if len(slug) > maxSlug {
		return sdk.Error(422, `"slug" is longer than `+strconv.Itoa(maxSlug)+" characters")
	}
	for i := range len(slug) {
		c := slug[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '-' && c != '_') {
			return sdk.Error(422, `"slug" must be letters, digits, "-" and "_", and start with a letter or digit`)
		}
	}
	if slug == "api" {
		return sdk.Error(422, `"slug" must not be "api"`)
	}
	return nil
}

// expiry returns the end of a life of that many seconds; 0 is none.
func expiry(seconds int64) (time.Time, error) {
	switch {
	case seconds == 0:
		return time.Time{}, nil
	case seconds < 0 || seconds > maxSeconds:
		return time.Time{}, sdk.Error(422, `"expires_in" must be 1 to `+strconv.Itoa(maxSeconds)+" seconds, or 0 for no end")
	}
	return now().Add(time.Duration(seconds) * time.Second), nil
}

// alphabet leaves out what is mistaken for something else: 0 o, 1 l.
const alphabet = "23456789abcdefghijkmnpqrstuvwxyz"

// slugLength makes 32^7, 34 thousand million slugs: nobody walks through them.
const slugLength = 7

func randomSlug() string {
	var b [slugLength]byte
	sdk.Random(b[:])
	for i := range b {
		b[i] = alphabet[b[i]%byte(len(alphabet))]
	}
	return string(b[:])
}
