package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
)

// Answer is one that is kept. It is not changed.
type Answer struct {
	Status  int
	Headers []abi.Pair
	Body    []byte
	Made    time.Time // when the request came that it was made for

	tag      string    // its ETag
	modified time.Time // by Last-Modified; zero = unknown
	vary     []string  // fields that it depends on, in lower case and in order
	variant  string    // what they were
	public   bool      // it is for clients who say who they are, too

	heads [2]atomic.Pointer[[]byte]
}

// Head returns what is made, once for each, of the fields for those who get the answer, or
// learn that they have it.
func (a *Answer) Head(has bool, make func() []byte) []byte {
	at := &a.heads[0]
	if has {
		at = &a.heads[1]
	}
	if kept := at.Load(); kept != nil {
		return *kept
	}
	head := make()
	at.Store(&head)
	return head
}

// newAnswer copies a reply.
func newAnswer(r *invoke.Reply, made time.Time) *Answer {
	a := &Answer{Status: r.Status, Body: bytes.Clone(r.Body), Made: made}
	for _, h := range r.Headers {
		h = abi.Pair{Name: strings.Clone(h.Name), Value: strings.Clone(h.Value)}
		switch {
		case strings.EqualFold(h.Name, "age"): // how old it is says the host
			continue
		case strings.EqualFold(h.Name, "etag"):
			a.tag = h.Value
		case strings.EqualFold(h.Name, "last-modified"):
			a.modified, _ = http.ParseTime(h.Value)
		}
		a.Headers = append(a.Headers, h)
	}
	if a.tag == "" && a.Status == http.StatusOK {
		a.tag = tagOf(a)
		a.Headers = append(a.Headers, abi.Pair{Name: "ETag", Value: a.tag})
	}
	return a
}

// tagOf returns an ETag of what a client gets.
func tagOf(a *Answer) string {
	sum := sha256.New()
	for _, h := range a.Headers {
		if strings.EqualFold(h.Name, "content-type") || strings.EqualFold(h.Name, "content-encoding") {
			sum.Write([]byte(h.Value + "\n"))
		}
	}
	sum.Write([]byte{'\n'})
	sum.Write(a.Body)
	return `"` + hex.EncodeToString(sum.Sum(nil)[:12]) + `"`
}

func (a *Answer) size() (n int64) {
	n = int64(len(a.Body) + len(a.variant))
	for _, h := range a.Headers {
		n += 3*int64(len(h.Name)+len(h.Value)+4) + 32 // and in two heads
	}
	return n
}

// suits reports whether the answer is for whoever has sent a request.
func (a *Answer) suits(r *Request) bool {
	return (a.public || !r.credentials) && (len(a.vary) == 0 || a.variant == variantOf(a.vary, r.Headers))
}

// NotModified reports whether a client that sent these fields has the answer already
// (RFC 9110 §13.2.2).
func (a *Answer) NotModified(headers []abi.Pair) bool {
	return a.Status == http.StatusOK && notModified(headers, a.tag, a.modified)
}

// NotModified is that of an answer that is not kept.
func NotModified(headers []abi.Pair, r *invoke.Reply) bool {
	var tag string
	var modified time.Time
	for _, h := range r.Headers {
		switch {
		case strings.EqualFold(h.Name, "etag"):
			tag = h.Value
		case strings.EqualFold(h.Name, "last-modified"):
			modified, _ = http.ParseTime(h.Value)
		}
	}
	return r.Status == http.StatusOK && notModified(headers, tag, modified)
}

func notModified(headers []abi.Pair, tag string, modified time.Time) bool {
	since, asked := "", false
	for _, h := range headers {
		switch h.Name {
		case "if-none-match":
			asked = true
			if tag != "" && matches(h.Value, tag) {
				return true
			}
		case "if-modified-since":
			since = h.Value
		}
	}
	if asked || since == "" || modified.IsZero() {
		return false
	}
	at, err := http.ParseTime(since)
	return err == nil && !modified.After(at)
}

// matches compares weakly, as If-None-Match does.
func matches(list, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.Trim(one, " \t"); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// terms are what an answer says about keeping it.
type terms struct {
	refused string // why it is not to be kept; "" = it may be
	public  bool
	fresh   time.Duration // how long it is, -1 = it does not say
	vary    []string
}

// termsOf reads Cache-Control and Vary. It takes what it does not understand for a no.
func termsOf(headers []abi.Pair) terms {
	t := terms{fresh: -1}
	shared := false // s-maxage is there, which counts more
	for _, h := range headers {
		switch {
		case strings.EqualFold(h.Name, "set-cookie"):
			t.refused = "set-cookie"
		case strings.EqualFold(h.Name, "vary"):
			for name := range strings.SplitSeq(h.Value, ",") {
				t.vary = append(t.vary, strings.ToLower(strings.Trim(name, " \t")))
			}
		case strings.EqualFold(h.Name, "cache-control"):
			for directive := range strings.SplitSeq(h.Value, ",") {
				name, value, _ := strings.Cut(strings.ToLower(strings.Trim(directive, " \t")), "=")
				switch name {
				case "public":
					t.public = true
				case "private", "no-store", "no-cache":
					t.refused = name
				case "s-maxage":
					t.fresh, shared = seconds(value), true
				case "max-age":
					if !shared {
						t.fresh = seconds(value)
					}
				}
			}
		}
	}
	slices.Sort(t.vary)
	t.vary = slices.DeleteFunc(slices.Compact(t.vary), func(s string) bool { return s == "" })
	switch {
	case t.refused != "":
	case slices.Contains(t.vary, "*") || len(t.vary) > maxVary:
		t.refused = "vary"
	case t.fresh == 0:
		t.refused = "max-age"
	}
	return t
}

// maxVary bounds the fields that an answer may depend on.
const maxVary = 8

func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.Trim(s, `"`), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// keeps reports whether answers of a status are kept: those that say what is there, or that
// nothing is. Others tell of a failure, or of who asks.
func keeps(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNoContent, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}
