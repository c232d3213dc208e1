// Package lines is the keys of a plugin as lines of JSON, for a file that people and
// other programs read and write:
//
//	{"wasmoor_kv":1,"plugin":"shop","revision":4711,"time":"2026-11-30T15:00:00Z"}
//	{"key":"entry/1","value":"hello"}
//	{"key_base64":"/wA=","value_base64":"AAE=","expires":"2026-12-01T15:00:00.123Z"}
//	{"keys":2}
//
// The first line is the Header, the last one says how many keys there were, so that a
// file that was cut off is found. Keys come in ascending order of their bytes, each
// once. What is not UTF-8 is in base64. Server and client both import it.
package lines

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Format is that of the lines. A program reads all up to its own.
const Format = 1

// MaxLine is how many bytes a line has at most, without its end: a value whose every
// byte is escaped, its key, and what is around them.
const MaxLine = 6*(store.MaxValue+store.MaxKey) + 1024

// Header is the first line. Only its format is needed: the rest says where the keys
// come from.
type Header struct {
	Format       int       `json:"wasmoor_kv"`
	Plugin       string    `json:"plugin,omitempty"`
	Prefix       string    `json:"prefix,omitempty"`
	PrefixBase64 string    `json:"prefix_base64,omitempty"`
	Revision     uint64    `json:"revision,omitempty"` // all keys are those of this revision
	Time         time.Time `json:"time,omitzero"`
}

// Entry is a key with its value. Expires is in Unix milliseconds, 0 = never.
type Entry struct {
	Key, Value []byte
	Expires    int64
}

// TTL returns how long the key lives from now on, exactly; 0 = for ever. It is not to
// have expired by now.
func (e Entry) TTL(now time.Time) time.Duration {
	if e.Expires == 0 {
		return 0
	}
	return time.UnixMilli(e.Expires).Sub(now)
}

type entryLine struct {
	Key         *string    `json:"key,omitempty"`
	KeyBase64   *string    `json:"key_base64,omitempty"`
	Value       *string    `json:"value,omitempty"`
	ValueBase64 *string    `json:"value_base64,omitempty"`
	Expires     *time.Time `json:"expires,omitempty"`
}

// endLine is the last line.
type endLine struct {
	Keys int64 `json:"keys"`
}

// Writer writes lines. Not safe for concurrent use.
type Writer struct {
	out  *json.Encoder
	keys int64
}

// NewWriter writes the header to w and returns a writer of what follows. Each line is
// one Write of w.
func NewWriter(w io.Writer, h Header, prefix []byte) (*Writer, error) {
	l := &Writer{out: json.NewEncoder(w)}
	l.out.SetEscapeHTML(false)
	h.Format = Format
	if utf8.Valid(prefix) {
		h.Prefix = string(prefix)
	} else {
		h.PrefixBase64 = base64.StdEncoding.EncodeToString(prefix)
	}
	return l, l.out.Encode(h)
}

// Write writes an entry.
func (l *Writer) Write(e Entry) error {
	var line entryLine
	line.Key, line.KeyBase64 = spelt(e.Key)
	line.Value, line.ValueBase64 = spelt(e.Value)
	if e.Expires != 0 {
		at := time.UnixMilli(e.Expires).UTC()
		line.Expires = &at
	}
	l.keys++
	return l.out.Encode(line)
}

// Close writes the last line.
func (l *Writer) Close() error { return l.out.Encode(endLine{l.keys}) }

// Keys returns how many entries there were.
func (l *Writer) Keys() int64 { return l.keys }

// spelt returns b as text, or in base64 where it is not UTF-8.
func spelt(b []byte) (text, encoded *string) {
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	s := base64.StdEncoding.EncodeToString(b)
	return nil, &s
}
