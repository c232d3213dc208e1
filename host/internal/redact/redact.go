// Package redact hides the secrets of a plugin in texts that its code wrote or may
// have written: log lines, errors, the places of calls. deploy makes a Redactor for
// each deployment, and serve uses it; egress looks for the same forms of a secret.
package redact

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// What of a secret is looked for.
const (
	// Min is how many bytes a secret has at least to be hidden: shorter ones are parts
	// of words.
	Min = 8
	// Max is how many it has at most. A line of a log is no longer.
	Max = 8 << 10
)

// Redactor hides secrets. A nil Redactor hides nothing, and costs a comparison. Safe
// for concurrent use.
type Redactor struct {
	forms map[uint32][]form // by their first bytes, the longest first
	first [1 << 10]uint64   // a bit for the hash of these bytes: most places of a text have none
}

// form is one way to write a secret. It has at least Min bytes.
type form struct{ text, instead string }

// start returns the first bytes of a text, and the word and the bit of their hash.
func start(s string) (bytes uint32, word uint32, bit uint64) {
	bytes = uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
	hash := bytes * 2654435761 >> 16 // Knuth's, TAOCP 6.4
	return bytes, hash >> 6, 1 << (hash & 63)
}

// New returns what hides the values of vars, by their names, nil where none is to be
// hidden.
func New(secrets map[string]string) *Redactor {
	r := &Redactor{forms: map[uint32][]form{}}
	names := make([]string, 0, len(secrets))
	for name := range secrets {
		names = append(names, name)
	}
	slices.Sort(names) // of two with one value the first is named
	seen := map[string]bool{}
	for _, name := range names {
		for _, text := range Forms(secrets[name]) {
			if !seen[text] {
				seen[text] = true
				bytes, word, bit := start(text)
				r.first[word] |= bit
				r.forms[bytes] = append(r.forms[bytes], form{text, "[redacted " + name + "]"})
			}
		}
	}
	if len(seen) == 0 {
		return nil
	}
	for _, list := range r.forms {
		slices.SortStableFunc(list, func(a, b form) int { return len(b.text) - len(a.text) })
	}
	return r
}

// Forms lists how a secret may be written: as it is, in base64, alone or as a part
// of more, and escaped for URLs, JSON and Go. Each has at least Min bytes. One that has
// fewer, or more than Max, has none.
func Forms(value string) (list []string) {
	if trimmed := strings.TrimSpace(value); trimmed != value {
		list = Forms(trimmed) // a newline at the end of a file
	}
	if len(value) < Min || len(value) > Max {
		return list
	}
	list = append(list, value)
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		list = append(list, alphabet.EncodeToString([]byte(value)))
		for before := range 3 {
			list = append(list, within(alphabet, value, before))
		}
	}
	query, path := url.QueryEscape(value), url.PathEscape(value)
	for _, escaped := range []string{query, strings.ReplaceAll(query, "+", "%20"), path} {
		list = append(list, escaped, lowerHex(escaped))
	}
	quoted := strconv.Quote(value)
	list = append(list, quoted[1:len(quoted)-1])
	if text, err := json.Marshal(value); err == nil {
		list = append(list, string(text[1:len(text)-1]))
	}
	for _, way := range jsonWays {
		list = append(list, way.write(value))
	}
	return list
}

// within is the part of a text in base64 that a value alone decides, which stands in
// it after so many bytes, modulo 3.
func within(alphabet *base64.Encoding, value string, before int) string {
	text := alphabet.EncodeToString(append(make([]byte, before), value...))
	if (before+len(value))%3 != 0 {
		text = text[:len(text)-1] // the next byte has a part in it
	}
	return text[(before*8+5)/6:]
}

// lowerHex has the escapes of a text in small letters, as some programs write them.
func lowerHex(text string) string {
	b := []byte(text)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(text[i+1:i+3]))
		}
	}
	return string(b)
}

// Text returns s with "[redacted NAME]" in place of secrets. It allocates nothing
// where there is none.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	var out []byte
	done := 0
	for i := 0; i+Min <= len(s); {
		f := r.at(s[i:])
		if f == nil {
			i++
			continue
		}
		out = append(append(out, s[done:i]...), f.instead...)
		i += len(f.text)
		done = i
	}
	if done == 0 {
		return s
	}
	return string(append(out, s[done:]...))
}

func (r *Redactor) at(s string) *form {
	bytes, word, bit := start(s)
	if r.first[word]&bit == 0 {
		return nil
	}
	list := r.forms[bytes]
	for i := range list {
		if strings.HasPrefix(s, list[i].text) {
			return &list[i]
		}
	}
	return nil
}

// Error returns err, or one of the same code whose texts have no secrets. What errors
// are behind that one is lost: they have the secret too.
func (r *Redactor) Error(err error) error {
	if r == nil || err == nil || r.Text(err.Error()) == err.Error() {
		return err
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return errors.New(r.Text(err.Error()))
	}
	var cause error
	if e.Err != nil {
		cause = errors.New(r.Text(e.Err.Error()))
	}
	return fault.Wrap(e.Code, e.Op, r.Text(e.Message), cause)
}
