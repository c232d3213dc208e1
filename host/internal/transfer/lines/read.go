package lines

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store"
)

// Reader reads entries, and refuses what is not as a Writer writes it: the errors are
// Invalid and name the line and what is wrong with it, or those of what is below. Not
// safe for concurrent use.
type Reader struct {
	in    *bufio.Reader
	line  int // of what was read last, from 1
	raw   []byte
	last  []byte // key
	keys  int64
	piece bool
	ended bool
}

// NewReader reads the header from r and returns a reader of what follows.
func NewReader(r io.Reader) (*Reader, Header, error) {
	l := &Reader{in: bufio.NewReaderSize(r, 64<<10)}
	var h Header
	raw, err := l.next()
	if errors.Is(err, io.EOF) {
		return nil, h, fault.New(fault.Invalid, "", "there are no lines at all: the first one says the format, e.g. {\"wasmoor_kv\":1}")
	}
	if err != nil {
		return nil, h, err
	}
	if err := json.Unmarshal(raw, &h); err != nil || h.Format < 1 {
		return nil, h, l.wrong("it does not say the format, as the first line has to, e.g. {\"wasmoor_kv\":1}")
	}
	if h.Format > Format {
		return nil, h, l.wrong("it is of format %d, and this program knows %d; use a newer one", h.Format, Format)
	}
	return l, h, nil
}

// NewPiece returns a reader of some lines of entries, the first of which has a number.
func NewPiece(r io.Reader, first int) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 64<<10), line: first - 1, piece: true}
}

// Next returns the next entry, and io.EOF after the last. Its bytes are the caller's.
func (l *Reader) Next() (Entry, error) {
	if l.ended {
		return Entry{}, l.end()
	}
	raw, err := l.next()
	switch {
	case errors.Is(err, io.EOF) && l.piece:
		return Entry{}, err
	case errors.Is(err, io.EOF):
		return Entry{}, fault.New(fault.Invalid, "", fmt.Sprintf("the lines end after line %d, and the last one does not say how many keys there are, e.g. {\"keys\":%d}; was the file cut off?", l.line, l.keys))
	case err != nil:
		return Entry{}, err
	}
	o, err := l.object(raw)
	if err != nil {
		return Entry{}, err
	}
	if n, ok := o["keys"]; ok && len(o) == 1 && !l.piece {
		if n != json.Number(fmt.Sprint(l.keys)) {
			return Entry{}, l.wrong("it says that there are %v keys, and there were %d", n, l.keys)
		}
		l.ended = true
		return l.Next()
	}
	e, err := l.entry(o)
	if err == nil && l.last != nil && bytes.Compare(l.last, e.Key) >= 0 {
		err = l.wrong("key %.100q does not follow %.100q: keys come in ascending order of their bytes, each once", e.Key, l.last)
	}
	if err != nil {
		return Entry{}, err
	}
	l.last = e.Key
	l.keys++
	return e, nil
}

// Line returns the number of the line of the last entry, and Raw the line with its end
// until the next call.
func (l *Reader) Line() int { return l.line }

// Raw returns the line of the last entry, with its end, until the next call of Next.
func (l *Reader) Raw() []byte { return l.raw }

// end wants nothing after the last line.
func (l *Reader) end() error {
	if _, err := l.next(); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return l.wrong("it follows the last line, which says how many keys there are")
	}
	return io.EOF
}

// next reads a line, which it returns without its end.
func (l *Reader) next() ([]byte, error) {
	l.raw = l.raw[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		l.raw = append(l.raw, part...)
		switch {
		case len(l.raw) > MaxLine+1:
			l.line++
			return nil, l.wrong("it has more than %d bytes", MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.raw) > 0:
			l.raw = append(l.raw, '\n')
		case err != nil:
			return nil, err
		}
		l.line++
		return l.raw[:len(l.raw)-1], nil
	}
}

func (l *Reader) wrong(format string, args ...any) error {
	return fault.New(fault.Invalid, "", fmt.Sprintf("line %d: ", l.line)+fmt.Sprintf(format, args...))
}

// object reads a flat object, whose members are strings and numbers. The decoder of Go
// alone would take a member twice, names in another case, and text that is not UTF-8.
func (l *Reader) object(raw []byte) (map[string]any, error) {
	if !utf8.Valid(raw) {
		return nil, l.wrong("it is not UTF-8; what is not text goes into key_base64 and value_base64")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, l.wrong("it is not an object of JSON, e.g. {\"key\":\"a\",\"value\":\"b\"}")
	}
	o := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, l.wrong("it is not JSON: %v", err)
		}
		value, err := d.Token()
		if err != nil {
			return nil, l.wrong("it is not JSON: %v", err)
		}
		text, _ := name.(string)
		if _, twice := o[text]; twice {
			return nil, l.wrong("it has %.100q twice", text)
		}
		o[text] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, l.wrong("it is not JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, l.wrong("something follows its object")
	}
	return o, l.whole(raw, o)
}

// whole refuses text in which an escape stands for no character: the decoder replaces
// it.
func (l *Reader) whole(raw []byte, o map[string]any) error {
	for name, value := range o {
		text, _ := value.(string)
		replaced := bytes.ContainsRune([]byte(name+text), utf8.RuneError)
		if replaced && !bytes.ContainsRune(raw, utf8.RuneError) && !bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
			return l.wrong("an escape in it is half of a character; what is not text goes into key_base64 and value_base64")
		}
	}
	return nil
}

func (l *Reader) entry(o map[string]any) (e Entry, err error) {
	for name, value := range o {
		switch name {
		case "key", "key_base64", "value", "value_base64", "expires":
		default:
			return e, l.wrong("%.100q is no member of a key; those are key or key_base64, value or value_base64, and expires", name)
		}
		if _, ok := value.(string); !ok {
			return e, l.wrong("%s is not a string", name)
		}
	}
	if e.Key, err = l.either(o, "key", store.MaxKey); err != nil {
		return e, err
	}
	if len(e.Key) == 0 {
		return e, l.wrong("its key is empty")
	}
	if e.Value, err = l.either(o, "value", store.MaxValue); err != nil {
		return e, err
	}
	if at, ok := o["expires"].(string); ok {
		t, err := time.Parse(time.RFC3339Nano, at)
		if err != nil || t.UnixMilli() <= 0 {
			return e, l.wrong("expires is %.100q, and no time as in RFC 3339, e.g. 2026-11-30T15:00:00.123Z", at)
		}
		e.Expires = t.UnixMilli()
	}
	return e, nil
}

// either returns a member that is there as text or in base64.
func (l *Reader) either(o map[string]any, name string, most int) (b []byte, err error) {
	text, isText := o[name].(string)
	encoded, isEncoded := o[name+"_base64"].(string)
	if isText == isEncoded {
		return nil, l.wrong("it has to have one of %s and %s_base64", name, name)
	}
	b = []byte(text)
	if isEncoded {
		if b, err = base64.StdEncoding.Strict().DecodeString(encoded); err != nil {
			return nil, l.wrong("%s_base64 is not base64, with its padding: %v", name, err)
		}
	}
	if len(b) > most {
		return nil, l.wrong("its %s has %d bytes, at most %d are allowed", name, len(b), most)
	}
	return b, nil
}
