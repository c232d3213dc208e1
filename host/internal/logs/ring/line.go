package ring

import (
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// Line is one line of a plugin's log.
type Line struct {
	Cursor    Cursor // where it is; given when it is kept
	Time      time.Time
	Level     slog.Level
	Version   int    // of the plugin; 0 = the line tells of none
	RequestID string // "" = of none
	Message   string
	Attrs     []Attr

	// Dropped is how many lines are missing here, the first of them at From (zero =
	// it is not known) and the last at Time. Such a line has no text.
	Dropped int64
	From    time.Time
}

// numbers is how many numbers of lines l takes, the last of which is its cursor's.
func (l *Line) numbers() uint64 { return uint64(max(l.Dropped, 1)) }

// Attr is an attribute of a line.
type Attr struct {
	Name, Value string
	Guest       bool // named by the guest, and not by the host
}

// Cursor is a place in a ring: of a line, or before all lines for the zero Cursor.
// Cursors of one ring grow, over restarts too.
type Cursor struct {
	run uint64 // of the process that kept the line; later ones are greater
	n   uint64 // 1, 2, 3 ... of the ring's lines in that run
}

// before reports whether c is an earlier place than d.
func (c Cursor) before(d Cursor) bool { return c.run < d.run || c.run == d.run && c.n < d.n }

// String returns what ParseCursor reads, "" for the zero Cursor.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return strconv.FormatUint(c.run, 10) + "-" + strconv.FormatUint(c.n, 10)
}

// ParseCursor reads what Cursor.String wrote.
func ParseCursor(text string) (c Cursor, ok bool) {
	if text == "" {
		return c, true
	}
	run, n, found := strings.Cut(text, "-")
	var err1, err2 error
	c.run, err1 = strconv.ParseUint(run, 10, 64)
	c.n, err2 = strconv.ParseUint(n, 10, 64)
	return c, found && err1 == nil && err2 == nil
}

// A line in memory and on disk is the length of its body, a checksum of the body,
// both in four bytes, and the body: numbers as varints, texts after their lengths.
const (
	headSize   = 8
	maxBody    = 64 << 10 // of a line that is read
	maxMessage = 16 << 10 // of those that are kept, in bytes: longer ones are cut
	maxValue   = 16 << 10 // of a name or a value
	maxAttrs   = 16 << 10 // of all names and values: attributes that do not fit are left out
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine appends l as it is kept.
func appendLine(b []byte, l *Line) []byte {
	start := len(b)
	b = append(b, make([]byte, headSize)...)
	b = binary.AppendUvarint(b, l.Cursor.run)
	b = binary.AppendUvarint(b, l.Cursor.n)
	b = binary.AppendVarint(b, unixNano(l.Time))
	b = binary.AppendVarint(b, int64(l.Level))
	b = binary.AppendUvarint(b, uint64(l.Version))
	b = binary.AppendUvarint(b, uint64(l.Dropped))
	b = binary.AppendVarint(b, unixNano(l.From))
	b = appendText(b, l.RequestID, maxValue)
	b = appendText(b, l.Message, maxMessage)
	left := maxAttrs
	for _, a := range l.Attrs {
		if left -= min(len(a.Name), maxValue) + min(len(a.Value), maxValue); left < 0 {
			break
		}
		b = append(b, flag(a.Guest))
		b = appendText(b, a.Name, maxValue)
		b = appendText(b, a.Value, maxValue)
	}
	body := b[start+headSize:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

func appendText(b []byte, s string, most int) []byte {
	s = s[:min(len(s), most)]
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// unixNano is t in nanoseconds since 1970, 0 for the zero time.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOf(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

// cut splits b after its first line. ok is false where b does not begin with a whole
// one: it is torn or damaged.
func cut(b []byte) (body, rest []byte, ok bool) {
	if len(b) < headSize {
		return nil, nil, false
	}
	size := int64(binary.LittleEndian.Uint32(b))
	sum := binary.LittleEndian.Uint32(b[4:])
	b = b[headSize:]
	if size > maxBody || size > int64(len(b)) {
		return nil, nil, false
	}
	body, rest = b[:size], b[size:]
	return body, rest, crc32.Checksum(body, castagnoli) == sum
}

// decode reads the body of a line, whatever it holds. Its texts are valid UTF-8.
func decode(body []byte) (l Line, ok bool) {
	r := reader{left: body}
	l.Cursor = Cursor{run: r.uvarint(), n: r.uvarint()}
	l.Time = timeOf(r.varint())
	l.Level = slog.Level(r.varint())
	l.Version = int(min(r.uvarint(), math.MaxInt32))
	l.Dropped = int64(min(r.uvarint(), math.MaxInt32))
	l.From = timeOf(r.varint())
	l.RequestID = r.text()
	l.Message = r.text()
	for len(r.left) > 0 && !r.bad {
		guest := r.left[0] != 0
		r.left = r.left[1:]
		l.Attrs = append(l.Attrs, Attr{Name: r.text(), Value: r.text(), Guest: guest})
	}
	return l, !r.bad
}

// reader reads the parts of a body. Once one is bad all that follow are zero.
type reader struct {
	left []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.left)
	return take(r, v, n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.left)
	return take(r, v, n)
}

func take[T any](r *reader, v T, n int) T {
	var zero T
	if n <= 0 || r.bad {
		r.bad = true
		return zero
	}
	r.left = r.left[n:]
	return v
}

func (r *reader) text() string {
	size := r.uvarint()
	if r.bad || size > uint64(len(r.left)) {
		r.bad = true
		return ""
	}
	s := strings.ToValidUTF8(string(r.left[:size]), "\uFFFD")
	r.left = r.left[size:]
	return s
}
