// Package page turns a listing of the store into pages with cursors that clients
// give back. Plugins import it.
//
//	var notes = page.List{Prefix: "notes/", Reverse: true}
//
//	q, err := notes.Query(r.Query().Get("limit"), r.Query().Get("cursor"))
//	if err != nil {
//		return err // 400
//	}
//	entries, more, err := kv.List(q)
//	next := notes.Next(entries, more) // "" on the last page
//
// A cursor says after which key a page begins: entries that come or go meanwhile
// neither repeat others nor hide them. It is text for a URL. Its holder can read that
// key below the prefix from it, and make one of another key: neither leads outside
// the prefix. Where keys are secret, seal it with session.Sealed.
package page

import (
	"encoding/base64"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// List is a listing in pages.
type List struct {
	Prefix  string // of the keys
	Reverse bool   // from the highest key down
	Limit   int    // entries of a page, unless the client asks for another number; 0 = 20
	Max     int    // entries that a client gets at most; 0 = 100
}

const (
	version  = 1
	checkLen = 4
	maxKey   = 1 << 10
)

// Query returns what to list for the parameters limit and cursor of a request, ""
// for those that it does not have. A wrong one is an sdk.Error with status 400; a
// limit over Max is Max.
func (l List) Query(limit, cursor string) (kv.Query, error) {
	n, err := l.limit(limit)
	if err != nil {
		return kv.Query{}, err
	}
	after, ok := l.open(cursor)
	if !ok {
		return kv.Query{}, sdk.Error(400, "cursor is not one of this list; leave it out for the first page")
	}
	return kv.Query{Prefix: l.Prefix, After: after, Limit: n, Reverse: l.Reverse}, nil
}

// Next returns the cursor of the page after entries, which kv.List has returned with
// more; "" if there is none.
func (l List) Next(entries []kv.Entry, more bool) string {
	if !more || len(entries) == 0 {
		return ""
	}
	key := strings.TrimPrefix(entries[len(entries)-1].Key, l.Prefix)
	return base64.RawURLEncoding.EncodeToString(append(l.check(key), key...))
}

func (l List) limit(text string) (int, error) {
	most := orDefault(l.Max, 100)
	if text == "" {
		return min(orDefault(l.Limit, 20), most), nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return 0, sdk.Error(400, "limit must be a number from 1 to "+strconv.Itoa(most))
	}
	return min(int(n), most), nil
}

// open returns the key that a cursor stands for, "" for "".
func (l List) open(cursor string) (after string, ok bool) {
	if cursor == "" {
		return "", true
	}
	if len(cursor) > base64.RawURLEncoding.EncodedLen(checkLen+maxKey) || strings.ContainsAny(cursor, "\r\n") {
		return "", false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= checkLen {
		return "", false
	}
	key := string(b[checkLen:])
	fits := len(l.Prefix)+len(key) <= maxKey
	return l.Prefix + key, fits && string(l.check(key)) == string(b[:checkLen])
}

// check tells a cursor from one of another list, another version of this package, or
// a damaged one.
func (l List) check(key string) []byte {
	sum := crc32.ChecksumIEEE([]byte(strconv.Itoa(version) + strconv.FormatBool(l.Reverse) + strconv.Itoa(len(l.Prefix)) + l.Prefix + key))
	return []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
}

func orDefault(n, usual int) int {
	if n <= 0 {
		return usual
	}
	return n
}
