package sdktest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
)

// call answers the host functions during one attempt.
type call struct {
	host    *Host
	head    abi.RequestHead
	body    []byte
	tx      *tx
	outcome uint32
	result  *Result
	answers *answers
	sent    []*outbound // the handle is the index and one; nil = closed
	sql     databases
	hashes  int // of passwords
	lines   int // of the log, dropped ones too

	writers    map[uint32]*writing // blobs that are begun
	begun      uint32              // the last handle of one
	blobAnswer *blobAnswer         // the body in place of the result's; nil = none

	headFault string // why the last head was refused; a good one heals it
	length    int64  // what content-length says, -1 = nothing
	bodyFault string
}

// fill answers a read: what does not fit is not written.
func fill[T string | []byte](buf []byte, data T) int64 {
	if len(data) <= len(buf) {
		copy(buf, data)
	}
	return int64(len(data))
}

func (c *call) RequestHead(buf []byte) int64 {
	return fill(buf, abi.AppendRequestHead(nil, &c.head))
}

func (c *call) RequestBody(offset int64, buf []byte) int64 {
	if offset < 0 {
		return int64(abi.Invalid)
	}
	if offset >= int64(len(c.body)) {
		return 0
	}
	return int64(copy(buf, c.body[offset:]))
}

func (c *call) ResponseHead(layout []byte) int64 {
	if len(layout) > limits.ResponseHead {
		c.headFault = "the response head is too large"
		return int64(abi.Limit)
	}
	var head abi.ResponseHead
	if !abi.DecodeResponseHead(string(layout), &head) {
		c.headFault = "the response head is cut short"
		return int64(abi.Invalid)
	}
	if c.length, c.headFault = takeHead(&head); c.headFault != "" {
		return int64(abi.Invalid)
	}
	c.result.Status = int(head.Status)
	c.result.Header = make(http.Header)
	for _, h := range head.Headers {
		c.result.Header.Add(h.Name, h.Value)
	}
	return 0
}

func (c *call) ResponseWrite(data []byte) int64 {
	if len(c.result.Body)+len(data) > limits.ResponseBody {
		c.bodyFault = "the response body is too large"
		return int64(abi.Limit)
	}
	c.result.Body = append(c.result.Body, data...)
	return 0
}

// fault says what spoils the response, "" if nothing does.
func (c *call) fault() string {
	switch {
	case c.headFault != "":
		return c.headFault
	case c.bodyFault != "":
		return c.bodyFault
	case c.blobAnswer != nil && len(c.result.Body) > 0:
		return "response has a body of its own and a blob for one"
	case c.length >= 0 && c.length != int64(c.size()) && !c.isLengthOnly():
		return fmt.Sprintf(`response header "content-length" says %d, and the body has %d bytes`, c.length, c.size())
	}
	return ""
}

// size returns how many bytes the body has.
func (c *call) size() int {
	if c.blobAnswer != nil {
		return len(c.blobAnswer.data)
	}
	return len(c.result.Body)
}

// isLengthOnly reports whether content-length may tell of a body that is not sent.
func (c *call) isLengthOnly() bool {
	switch c.result.Status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return true
	}
	return c.head.Method == http.MethodHead && c.size() == 0
}

func (c *call) RouteSet(pattern string) int64 {
	if len(pattern) > limits.RoutePattern {
		return int64(abi.Limit)
	}
	if !utf8.ValidString(pattern) || strings.ContainsFunc(pattern, unicode.IsControl) {
		return int64(abi.Invalid)
	}
	c.result.Pattern = pattern
	return 0
}

func (c *call) OutcomeSet(outcome uint32) int64 {
	if outcome > abi.OutcomeAbort {
		return int64(abi.Invalid)
	}
	c.outcome = outcome
	return 0
}

// deny returns the status of a store call that is refused before it starts.
func (c *call) deny(key string) abi.Status {
	switch {
	case c.host.NoKV:
		return abi.Denied
	case key == "":
		return abi.Invalid
	case len(key) > limits.Key:
		return abi.Limit
	}
	return abi.OK
}

func (c *call) KVGet(key string, buf []byte) int64 {
	if status := c.deny(key); status < 0 {
		return int64(status)
	}
	data, status := c.tx.get(key)
	if status < 0 {
		return int64(status)
	}
	return fill(buf, data)
}

func (c *call) KVGetSnapshot(key string, buf []byte) int64 {
	if status := c.deny(key); status < 0 {
		return int64(status)
	}
	data, status := c.tx.see(key)
	if status < 0 {
		return int64(status)
	}
	return fill(buf, data)
}

func (c *call) KVSet(key string, value []byte, ttl int64) int64 {
	if status := c.deny(key); status < 0 {
		return int64(status)
	}
	switch {
	case ttl < 0:
		return int64(abi.Invalid)
	case len(value) > limits.Value:
		return int64(abi.Limit)
	}
	return int64(c.tx.set(key, value, milliseconds(ttl)))
}

func (c *call) KVSetVersionstamped(key string, value []byte, keyAt, valueAt, ttl int64) int64 {
	if status := c.deny(key); status < 0 {
		return int64(status)
	}
	switch {
	case ttl < 0 || !holdsStamp(keyAt, len(key)) || !holdsStamp(valueAt, len(value)):
		return int64(abi.Invalid)
	case len(value) > limits.Value:
		return int64(abi.Limit)
	}
	return int64(c.tx.setStamped(key, value, keyAt, valueAt, milliseconds(ttl)))
}

// milliseconds is n as a duration: more than one holds is 292 years, as for the host.
func milliseconds(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

func (c *call) KVDelete(key string) int64 {
	if status := c.deny(key); status < 0 {
		return int64(status)
	}
	return int64(c.tx.put(key, op{kind: opDelete, at: abi.NoVersionstamp}))
}

func (c *call) KVAdd(key string, delta int64) int64 {
	if status := c.deny(key); status < 0 {
		return int64(status)
	}
	return int64(c.tx.add(key, delta))
}

func (c *call) KVList(prefix, after string, limit, flags uint32, buf []byte) int64 {
	switch {
	case c.host.NoKV:
		return int64(abi.Denied)
	case len(prefix) > limits.Key || len(after) > limits.Key:
		return int64(abi.Limit)
	case flags&^(abi.ListReverse|abi.ListKeysOnly|abi.ListSnapshot) != 0:
		return int64(abi.Invalid)
	}
	return c.tx.list(prefix, after, int(limit), flags, buf)
}

func (c *call) ConfigGet(name string, buf []byte) int64 {
	value, ok := c.host.Config[name]
	if !ok {
		return int64(abi.NotFound)
	}
	return fill(buf, value)
}

var levels = [...]string{"debug", "info", "warn", "error"}

func (c *call) LogWrite(level uint32, message string, attrs []byte) int64 {
	if len(attrs) > limits.LogLine {
		return int64(abi.Limit)
	}
	pairs, ok := abi.DecodePairs(string(attrs), nil)
	if !ok || int(level) >= len(levels) {
		return int64(abi.Invalid)
	}
	if c.lines++; c.lines == limits.LogLines+1 {
		c.result.Logs = append(c.result.Logs, Record{Level: "warn", Message: "the guest logs more lines than an invocation may; the rest is dropped"})
	}
	if c.lines > limits.LogLines {
		return 0
	}
	record := Record{Level: levels[level], Message: cut(message), Attrs: make(map[string]string)}
	for _, p := range pairs {
		record.Attrs[valid(p.Name)] = valid(p.Value)
	}
	c.result.Logs = append(c.result.Logs, record)
	return 0
}

// tellDropped says how many lines were dropped.
func (c *call) tellDropped() {
	if dropped := c.lines - limits.LogLines; dropped > 0 {
		c.result.Logs = append(c.result.Logs, Record{
			Level: "warn", Message: "lines of the guest were dropped", Attrs: map[string]string{"lines": strconv.Itoa(dropped)},
		})
	}
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// cut returns the start of a message that a line has room for.
func cut(message string) string {
	s := valid(message[:min(len(message), limits.LogLine+utf8.UTFMax)])
	if len(s) <= limits.LogLine {
		return s
	}
	n := limits.LogLine
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (c *call) ClockNow() int64 { return c.tx.now.UnixNano() }
