// Package sdktest runs a plugin's handler under plain go test, without
// WebAssembly: a fake host in memory answers its host functions.
//
//	func TestGreet(t *testing.T) {
//		host := sdktest.New(routes().Serve)
//		res := host.Get("/ada")
//		if res.Status != 200 || res.Text() != "Hello, ada!\n" {
//			t.Errorf("got %v", res)
//		}
//	}
//
// Requests are transactions as at the real host: snapshot reads, own writes
// visible, all or nothing at the end, conflicts found and the handler run again.
// Limits are the host's defaults. The deadline, the plugin's quota and the other
// limits of its manifest are not enforced.
//
// Only tests import it.
package sdktest

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Host is a fake host with one plugin. Set its fields between requests. Its
// methods are safe for concurrent use; handlers run one at a time, as in one
// instance.
type Host struct {
	// Store is the plugin's key space.
	Store *Store
	// Blobs are the plugin's blobs.
	Blobs *Blobs
	// Config holds the variables that sdk.Config finds.
	Config map[string]string
	// Now is the time of the requests that follow; expiry goes by it.
	Now time.Time
	// Mount is the prefix the plugin is mounted at, without a trailing "/".
	Mount string
	// Trigger is the trigger of the requests that follow, "http" unless set.
	Trigger string
	// Deadline is limits.deadline of the manifest, 5 s unless set. Handlers can see
	// when it is over; they are not ended then.
	Deadline time.Duration
	// Attributes are what the host says of the requests that follow. More than a
	// host sets panics: 64, or 16 KiB of names and values.
	Attributes map[string]string
	// Routes are the patterns of the manifest's routes. With any, the host matches
	// requests first, and answers what none matches. A wrong one panics.
	Routes []string
	// EncodedSlashes are those of Routes that have encoded_slashes in the manifest.
	// The host answers 400 to a path with %2F on any other.
	EncodedSlashes []string
	// Queues are the queues of the manifest with their requests, like "mail" with
	// "POST /queues/mail". Without any, sending is denied. The queue "webhooks", with any
	// request, lets handlers send webhooks, which Webhooks returns. One like "stock/mail",
	// with any request, is that of another plugin, which the manifest has in [services].
	Queues map[string]string
	// SQL are the databases of the manifest by name, of any driver of SQLite, with their
	// tables made. A request is a transaction in each that it uses. Conflicts in them are
	// not found, and requests of BeforeCommit find what the one under way uses locked. A
	// driver may make times of columns that are declared as dates: they come in RFC 3339.
	// A statement that rolls back a transaction by itself (OR ROLLBACK) panics here.
	// Without any, sql calls are denied.
	SQL map[string]*sql.DB
	// Crons are the schedules of the manifest with their requests, like "cleanup" with
	// "POST /tasks/cleanup".
	Crons map[string]string
	// Secrets are the secrets of the manifest that sign webhooks and that no handler
	// reads, by their names. Those of Config sign too.
	Secrets map[string]string
	// Public is "public" in outbound.allow of the manifest: webhooks may go to any URL.
	// Without it, they may go to those of an Upstream.
	Public bool
	// Sockets are the sockets of the manifest, a pattern with the request of its events,
	// like "GET /rooms/{id}" with "POST /rooms/{id}/events"; "" = it has none. Without
	// any, what is said on sockets is denied.
	Sockets map[string]string
	// NoKV takes the key-value capability away: kv calls are denied.
	NoKV bool
	// NoBlobs takes the blobs capability away: calls about blobs are denied.
	NoBlobs bool
	// Idempotent is outbound.idempotent of the manifest: any call may be made again
	// when a handler runs again.
	Idempotent bool
	// Random is the source of sdk.Random, crypto/rand unless set.
	Random io.Reader
	// Conflicts makes that many attempts of each request lose their commit
	// against another one. Four attempts are all a request has.
	Conflicts int
	// BeforeCommit, if set, is called when a handler has returned and its writes
	// are about to commit. What it writes, through Store or with requests of its
	// own, comes in between: this is how a test stages a conflict. It is not
	// called for the requests it makes itself.
	BeforeCommit func(attempt int)

	upstreams map[string]http.Handler
	services  map[string]http.Handler // by host
	sockets   []*Socket
	published []Content
	serve     func(*call) int32 // runs the handler against the call
	between   atomic.Bool       // BeforeCommit runs
}

// New returns a host for a plugin whose handler is h.
func New(h sdk.Handler) *Host {
	host := &Host{
		Config: make(map[string]string),
		Now:    time.Date(2030, time.January, 1, 12, 0, 0, 0, time.UTC),
		Random: rand.Reader,
		serve:  func(*call) int32 { return sdk.Serve(h) },
	}
	now := func() time.Time { return host.Now }
	host.Store, host.Blobs = newStore(now), &Blobs{Count: limits.BlobCount, Bytes: limits.BlobBytes, names: newStore(now)}
	host.Store.names = host.Blobs.names
	return host
}

// Outcome says what became of a request's writes.
type Outcome string

// The outcomes.
const (
	None      Outcome = "none" // there were none
	Committed Outcome = "committed"
	Aborted   Outcome = "aborted"
)

// Result is a response, and what a client does not see of it.
type Result struct {
	Status   int
	Header   http.Header
	Body     []byte
	Outcome  Outcome
	Attempts int      // how often the handler ran
	Pattern  string   // as the router reported it
	Fault    string   // why the host answered in place of the handler, "" if it did not
	Logs     []Record // of all attempts
	Calls    []Call   // to other services, of all attempts
}

// Record is one record of the plugin's log.
type Record struct {
	Level   string // "debug", "info", "warn", "error"
	Message string
	Attrs   map[string]string
}

// String returns level and message, and the attributes as key=value sorted by
// name. A value of several lines stands below, indented.
func (r Record) String() string {
	var line, below strings.Builder
	line.WriteString(r.Level + ": " + r.Message)
	for _, name := range slices.Sorted(maps.Keys(r.Attrs)) {
		switch value := r.Attrs[name]; {
		case strings.Contains(value, "\n"):
			below.WriteString(strings.ReplaceAll("\n"+name+"=\n\t"+strings.ReplaceAll(value, "\n", "\n\t"), "\n", "\n\t\t"))
		case value == "" || strings.ContainsAny(value, " \t\r\"="):
			line.WriteString(" " + name + "=" + strconv.Quote(value))
		default:
			line.WriteString(" " + name + "=" + value)
		}
	}
	return line.String() + below.String()
}

// Text returns the body as a string.
func (r *Result) Text() string { return string(r.Body) }

// String describes the result for a test's message.
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d (%s, attempts %d) %q", r.Status, r.Outcome, r.Attempts, r.Body)
	if r.Fault != "" {
		b.WriteString(" fault: " + r.Fault)
	}
	for _, l := range r.Logs {
		b.WriteString("\n\t" + l.String())
	}
	return b.String()
}

// Get sends a GET request. The target is a path below the mount, and a query.
func (h *Host) Get(target string) *Result {
	return h.Do(httptest.NewRequest(http.MethodGet, target, nil))
}

// Send sends a request with a body of that content type, "" for none, and with
// header fields, each like "Authorization: Bearer secret". A field without a
// colon panics.
func (h *Host) Send(method, target, contentType, body string, fields ...string) *Result {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for _, field := range fields {
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			panic("sdktest: the header field " + strconv.Quote(field) + " is not like \"Name: value\"")
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return h.Do(r)
}

// Do sends a request; httptest.NewRequest makes them. Its path is one below the
// mount.
func (h *Host) Do(r *http.Request) *Result {
	if h.Trigger != abi.TriggerQueue && names(h.Queues, r) {
		return refused(http.StatusNotFound, "only a queue makes this request")
	}
	if h.Trigger != abi.TriggerSocket && (h.socketFor(r) != nil || h.isSocketEvent(r)) {
		return refused(http.StatusNotFound, "it is a socket's request: use Open, and what it returns")
	}
	if h.Trigger != abi.TriggerCron && names(h.Crons, r) {
		return refused(http.StatusNotFound, "only a schedule makes this request")
	}
	return h.do(r, func(int) bool { return false })
}

// do handles a request. An answer of a status that dropped names has no effects.
func (h *Host) do(r *http.Request, dropped func(status int) bool) *Result {
	return h.run(r, dropped, &answers{})
}

// run is do; kept takes what the attempts have seen.
func (h *Host) run(r *http.Request, dropped func(status int) bool, kept *answers) *Result {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return refused(http.StatusBadRequest, "read the request body: "+err.Error())
	}
	if len(body) > limits.RequestBody {
		return refused(http.StatusRequestEntityTooLarge, "the request body is over the limit")
	}
	if ambiguous(r.URL.EscapedPath()) {
		return refused(http.StatusBadRequest, "the path may be read in two ways")
	}
	head := h.headOf(r, len(body))
	answer := h.match(&head)
	if hasSlash(head.Path) && (answer != nil || !slices.Contains(h.EncodedSlashes, head.Pattern)) {
		return refused(http.StatusBadRequest, "the path has an encoded slash, and no route with encoded_slashes takes it")
	}
	if answer != nil {
		return answer
	}
	var logs []Record
	var calls []Call
	for attempt := 1; ; attempt++ {
		head.Attempt = uint32(attempt)
		result, again := h.attempt(head, body, kept, dropped)
		result.Attempts = attempt
		logs = append(logs, result.Logs...)
		result.Logs = logs
		calls = append(calls, result.Calls...)
		result.Calls = calls
		if !again || !kept.again() || attempt == limits.Attempts {
			return result
		}
	}
}

// attempt runs the handler once and commits. again says that it lost a conflict.
func (h *Host) attempt(head abi.RequestHead, body []byte, kept *answers, dropped func(int) bool) (result *Result, again bool) {
	c := &call{host: h, head: head, body: body, tx: h.Store.begin(), length: -1, answers: kept}
	kept.begin()
	kept.tx = c.tx
	c.result = &Result{Status: http.StatusOK, Header: make(http.Header)}
	var code int32
	defer func() { _, _ = c.sql.end(false) }()
	hostcall.Run(c, func() { code = h.serve(c) })
	kept.aborts = c.outcome == abi.OutcomeAbort
	c.tellDropped()
	h.beforeCommit(int(head.Attempt))
	switch {
	case kept.diverged != "":
		return c.answer(http.StatusServiceUnavailable, kept.diverged), false
	case code != 0:
		return c.answer(http.StatusBadGateway, join("the handler failed", c.fault())), false
	case c.fault() != "":
		return c.answer(http.StatusBadGateway, c.fault()), false
	case kept.ended() != "":
		return c.answer(http.StatusServiceUnavailable, kept.diverged), false
	case h.Conflicts >= int(head.Attempt):
		return c.answer(http.StatusServiceUnavailable, "conflict"), true
	}
	return c.settle(dropped(c.result.Status))
}

func join(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

func (h *Host) beforeCommit(attempt int) {
	if h.BeforeCommit == nil || !h.between.CompareAndSwap(false, true) {
		return
	}
	defer h.between.Store(false)
	h.BeforeCommit(attempt)
}

// settle commits or drops what the handler wrote.
func (c *call) settle(dropped bool) (result *Result, again bool) {
	r := c.result
	head := c.head.Method == http.MethodHead
	if c.blobAnswer != nil {
		c.blobAnswer.give(r)
	}
	if c.length >= 0 && c.isLengthOnly() && (head || r.Status == http.StatusNotModified) {
		r.Header.Set("Content-Length", strconv.FormatInt(c.length, 10))
	}
	if head {
		r.Body = nil
	}
	switch {
	case c.tx.isEmpty() && !c.sql.wrote():
		r.Outcome = None
		if !head && !dropped && c.commits() {
			c.host.say(c.tx.said)
		}
		return r, false
	case head || dropped || !c.commits():
		r.Outcome = Aborted
		return r, false
	}
	switch c.host.Store.commit(c.tx) {
	case conflict:
		return c.answer(http.StatusServiceUnavailable, "conflict"), true
	case notCounter:
		return c.answer(http.StatusBadGateway, "an add met a value that is not a counter, or overflows"), false
	case sameKey:
		return c.answer(http.StatusBadGateway, "two writes get the same key by a versionstamp"), false
	}
	if _, err := c.sql.end(true); err != nil {
		return c.answer(http.StatusInternalServerError, "commit: "+err.Error()), false
	}
	c.host.say(c.tx.said)
	r.Outcome = Committed
	return r, false
}

func (c *call) commits() bool {
	if c.outcome == abi.OutcomeDefault {
		return c.result.Status < 500
	}
	return c.outcome == abi.OutcomeCommit
}

// answer is the host's own answer in place of the handler's.
func (c *call) answer(status int, fault string) *Result {
	r := refused(status, fault)
	r.Pattern, r.Logs, r.Calls = c.result.Pattern, c.result.Logs, c.result.Calls
	if status == http.StatusServiceUnavailable {
		r.Header.Set("Retry-After", "1")
	}
	return r
}

func refused(status int, fault string) *Result {
	return &Result{
		Status: status, Outcome: Aborted, Fault: fault,
		Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body:   fmt.Appendf(nil, "{\"title\":%q,\"status\":%d}\n", http.StatusText(status), status),
	}
}
