// Package content answers requests for bytes that are known by a tag: in full, in part, or
// not at all where the client has them (RFC 9110, §13 and §14). It knows nothing of where
// the bytes come from. Package server/public answers with it.
package content

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
)

// Entity is what there is to answer with.
type Entity struct {
	Size     int64
	ETag     string    // with its quotes; "" = none
	Modified time.Time // zero = unknown
	Type     string    // media type of parts; "" = application/octet-stream
}

// Answer is how a request is answered.
type Answer struct {
	Status int // 200, 206, 304, 412 or 416
	// Header is what the answer says of its part, in addition to what it says of the
	// whole. With 206 in several parts it has a Content-Type in place of the whole's.
	Header []abi.Pair
	Length int64 // bytes of the body
	Parts  []Part
	Tail   string // after the parts
}

// Part is some of the bytes.
type Part struct {
	Head           string // before them
	Offset, Length int64
}

// Full returns the answer with all there is.
func (e *Entity) Full() Answer {
	return Answer{Status: http.StatusOK, Length: e.Size, Parts: []Part{{Length: e.Size}}}
}

// Answer judges a request for the bytes, GET or HEAD, by its header with names in lower
// case.
func (e *Entity) Answer(method string, header []abi.Pair) Answer {
	switch status := e.judge(header); {
	case status != http.StatusOK:
		return Answer{Status: status}
	case method != http.MethodGet || !e.mayRange(header):
		return e.Full()
	}
	ranges, ok := parseRanges(field.Single(header, "range"), e.Size)
	switch {
	case !ok:
		return e.Full()
	case len(ranges) == 0:
		return Answer{Status: http.StatusRequestedRangeNotSatisfiable, Header: []abi.Pair{{Name: "Content-Range", Value: fmt.Sprintf("bytes */%d", e.Size)}}}
	case len(ranges) == 1:
		return e.part(ranges[0])
	}
	return e.parts(ranges)
}

func (e *Entity) contentRange(p Part) string {
	return fmt.Sprintf("bytes %d-%d/%d", p.Offset, p.Offset+p.Length-1, e.Size)
}

func (e *Entity) part(p Part) Answer {
	return Answer{
		Status: http.StatusPartialContent, Length: p.Length, Parts: []Part{p},
		Header: []abi.Pair{{Name: "Content-Range", Value: e.contentRange(p)}},
	}
}

// parts answers in multipart/byteranges (RFC 9110 §14.6).
func (e *Entity) parts(ranges []Part) Answer {
	boundary := rand.Text()
	a := Answer{
		Status: http.StatusPartialContent, Parts: ranges, Tail: "\r\n--" + boundary + "--\r\n",
		Header: []abi.Pair{{Name: "Content-Type", Value: "multipart/byteranges; boundary=" + boundary}},
	}
	typ := e.Type
	if typ == "" {
		typ = "application/octet-stream"
	}
	a.Length = int64(len(a.Tail))
	for i := range a.Parts {
		p := &a.Parts[i]
		p.Head = "--" + boundary + "\r\nContent-Type: " + typ + "\r\nContent-Range: " + e.contentRange(*p) + "\r\n\r\n"
		if i > 0 {
			p.Head = "\r\n" + p.Head
		}
		a.Length += int64(len(p.Head)) + p.Length
	}
	return a
}

// Describe returns the fields that an answer has of the whole.
func (e *Entity) Describe() []abi.Pair {
	header := []abi.Pair{{Name: "Accept-Ranges", Value: "bytes"}}
	if e.ETag != "" {
		header = append(header, abi.Pair{Name: "ETag", Value: e.ETag})
	}
	if !e.Modified.IsZero() {
		header = append(header, abi.Pair{Name: "Last-Modified", Value: e.Modified.UTC().Format(http.TimeFormat)})
	}
	return header
}

// maxRanges bounds what a request may ask for at a time. More are answered in full: each
// costs a head and a read.
const maxRanges = 16

// nearby is a gap that costs less to send than the head of another part.
const nearby = 128

// parseRanges reads a Range of bytes. It returns the parts that there are, those that
// overlap or nearly touch as one; ok is false for what is no such range, which counts as
// none.
func parseRanges(value string, size int64) (ranges []Part, ok bool) {
	rest, ok := cutUnit(value)
	if !ok {
		return nil, false
	}
	for n := 0; rest != ""; n++ {
		var spec string
		spec, rest = cutList(rest)
		if spec == "" {
			n--
			continue
		}
		part, ok := parseRange(spec, size)
		if !ok || n == maxRanges {
			return nil, false
		}
		if part.Length > 0 {
			ranges = join(ranges, part)
		}
	}
	return ranges, true
}

// parseRange reads "0-9", "10-" or "-5". A part without a length is not there.
func parseRange(spec string, size int64) (p Part, ok bool) {
	first, last, ok := cutDash(spec)
	if !ok {
		return p, false
	}
	if first == "" {
		n, ok := number(last)
		n = min(n, size)
		return Part{Offset: size - n, Length: n}, ok
	}
	p.Offset, ok = number(first)
	end := size - 1
	if last != "" && ok {
		if end, ok = number(last); end < p.Offset {
			return p, false
		}
		end = min(end, size-1)
	}
	if p.Offset < size {
		p.Length = end - p.Offset + 1
	}
	return p, ok
}

// number reads digits. One too large for a file is as good as the largest.
func number(s string) (int64, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, s != "" && (err == nil || n > 0)
}

// join adds a part to others, as one with those that it overlaps or nearly touches.
func join(ranges []Part, p Part) []Part {
	at := len(ranges)
	kept := ranges[:0]
	for i, o := range ranges {
		if p.Offset > o.Offset+o.Length+nearby || o.Offset > p.Offset+p.Length+nearby {
			kept = append(kept, o)
			continue
		}
		at = min(at, i)
		end := max(p.Offset+p.Length, o.Offset+o.Length)
		p.Offset = min(p.Offset, o.Offset)
		p.Length = end - p.Offset
	}
	at = min(at, len(kept))
	kept = append(kept, p)
	copy(kept[at+1:], kept[at:len(kept)-1])
	kept[at] = p
	return kept
}
