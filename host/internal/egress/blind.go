package egress

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/redact"
)

// Blind is a secret that the host puts into the calls of a plugin to one origin, and
// that the plugin cannot read.
type Blind struct {
	Origin plugin.Origin
	Header string // the field that has it
	Format string // of the field's value, with {} for the secret
	Secret string // checked by CheckBlind
}

// The bytes that a blind secret has at least, so that it is no part of other texts,
// and at most.
const (
	minBlind = 8
	maxBlind = 4096
)

// CheckBlind says for people why a value can be no blind secret, "" if it can.
func CheckBlind(value string) string {
	switch {
	case len(value) < minBlind || len(value) > maxBlind:
		return fmt.Sprintf("it has %d bytes; a blind secret has from %d to %d, so that it is found in what comes back", len(value), minBlind, maxBlind)
	case !field.IsValue(value) || strings.TrimSpace(value) != value:
		return "it has a control character, or a space at its end, which no header can have"
	}
	return ""
}

// Blinds are the blind secrets of a deployment; nil = none. They implement
// invoke.State.
type Blinds struct {
	list     []Blind
	patterns [][]byte // what is taken out of answers
}

// NewBlinds returns the blind secrets of a list.
func NewBlinds(list []Blind) *Blinds {
	b := &Blinds{list: list}
	for _, one := range list {
		for _, s := range one.spellings() {
			for _, text := range append(redact.Forms(s), fmt.Sprintf("%x", s), fmt.Sprintf("%X", s)) {
				if !slices.ContainsFunc(b.patterns, func(p []byte) bool { return string(p) == text }) {
					b.patterns = append(b.patterns, []byte(text))
				}
			}
		}
	}
	return b
}

// value is what its field has.
func (b *Blind) value() string { return strings.ReplaceAll(b.Format, "{}", b.Secret) }

// spellings are the texts that give the secret away: it is one, and so is what a
// service reads in a field like Basic dXNlcjpzZWNyZXQ=.
func (b *Blind) spellings() []string {
	list := []string{b.Secret}
	scheme, credentials, _ := strings.Cut(b.value(), " ")
	pair, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return list
	}
	_, password, _ := strings.Cut(string(pair), ":")
	for _, s := range []string{string(pair), password} {
		if len(s) >= minBlind {
			list = append(list, s)
		}
	}
	return list
}

// Close implements invoke.State.
func (b *Blinds) Close() {}

// at returns the secrets of an origin.
func (b *Blinds) at(origin plugin.Origin) (list []Blind) {
	if b == nil {
		return nil
	}
	for _, one := range b.list {
		if one.Origin == origin {
			list = append(list, one)
		}
	}
	return list
}

// filled returns the fields of a call to where it stands: as they are, or with those
// that the secrets are in, in place of what the guest has put there. The answer is to
// come whole and in the open, so that an echo is found.
func (o *outgoing) filled() (http.Header, []abi.Pair) {
	own := o.blinds.at(o.target.origin)
	if len(own) == 0 {
		return o.header, o.given
	}
	header, given := o.header.Clone(), slices.Clone(o.given)
	drop := func(name string) {
		header.Del(name)
		given = slices.DeleteFunc(given, func(f abi.Pair) bool { return strings.EqualFold(f.Name, name) })
	}
	for _, name := range []string{"Accept-Encoding", "Range", "If-Range"} {
		drop(name)
	}
	for _, one := range own {
		drop(one.Header)
		header.Set(one.Header, one.value())
	}
	return header, given
}

// mask overwrites in data, which is as long as raw, each byte that is a part of a
// secret in raw. One spelling may begin like another, or within it.
func (b *Blinds) mask(data, raw []byte) {
	for _, p := range b.patterns {
		for at := 0; ; at++ {
			i := bytes.Index(raw[at:], p)
			if i < 0 {
				break
			}
			at += i
			copy(data[at:], bytes.Repeat([]byte{'*'}, len(p)))
		}
	}
}

func (b *Blinds) masked(text string) string {
	data := []byte(text)
	b.mask(data, []byte(text))
	return string(data)
}

// in reports whether a part of a URL holds a secret, however it is escaped.
func (b *Blinds) in(text string) bool {
	if b == nil {
		return false
	}
	plain, _ := url.PathUnescape(text) // "" when it is no escape: locate refuses it
	query, _ := url.QueryUnescape(text)
	return slices.ContainsFunc([]string{text, plain, query}, func(s string) bool { return b.masked(s) != s })
}

// open reports how many bytes at the end of data may be the start of a secret.
func (b *Blinds) open(data []byte) (most int) {
	for _, p := range b.patterns {
		for n := min(len(p)-1, len(data)); n > most; n-- {
			if bytes.HasSuffix(data, p[:n]) {
				most = n
			}
		}
	}
	return most
}

// blinded takes the secrets out of an answer.
func (o *outgoing) blinded(resp reply) (reply, *failure) {
	if o.blinds == nil {
		return resp, nil
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") && len(o.blinds.at(o.target.origin)) > 0 {
		_ = resp.Body.Close() // it is not looked at
		return reply{}, &failure{abi.Unreachable, o.target.String() + " answered in an encoding in which a blind secret cannot be found"}
	}
	header := make(http.Header, len(resp.Header))
	for name, values := range resp.Header {
		name = o.blinds.masked(name)
		for _, v := range values {
			header[name] = append(header[name], o.blinds.masked(v))
		}
	}
	resp.Header = header
	if resp.Body != http.NoBody {
		resp.Body = &masking{ReadCloser: resp.Body, blinds: o.blinds}
	}
	return resp, nil
}

// masking is a body without the secrets, which may come in any pieces.
type masking struct {
	io.ReadCloser
	blinds *Blinds
	raw    []byte // as it was read
	data   []byte // the same, and masked
	given  int    // of data
	err    error
}

const maskRead = 4 << 10

// Read implements io.Reader.
func (m *masking) Read(p []byte) (int, error) {
	for {
		ready := len(m.data)
		if m.err == nil {
			ready -= m.blinds.open(m.raw[m.given:])
		}
		if ready > m.given {
			n := copy(p, m.data[m.given:ready])
			m.given += n
			return n, nil
		}
		if m.err != nil {
			return 0, m.err
		}
		m.raw, m.data = append(m.raw[:0], m.raw[m.given:]...), append(m.data[:0], m.data[m.given:]...)
		m.given = 0
		kept := len(m.raw)
		m.raw = slices.Grow(m.raw, maskRead)
		var n int
		n, m.err = m.ReadCloser.Read(m.raw[kept : kept+maskRead])
		m.raw = m.raw[:kept+n]
		m.data = append(m.data, m.raw[kept:]...)
		m.blinds.mask(m.data, m.raw)
	}
}
