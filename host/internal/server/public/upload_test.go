package public

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	capupload "github.com/wasmoor/wasmoor/host/internal/capability/upload"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/dispatch"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
	"github.com/wasmoor/wasmoor/host/internal/server/tus"
	"github.com/wasmoor/wasmoor/host/internal/trace"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
	"github.com/wasmoor/wasmoor/host/internal/upload"
)

// uploads is a service that takes uploads of up to 64 MiB at POST /files.
type uploads struct {
	mounted
	t      *testing.T
	addr   string
	dir    string
	desk   *upload.Desk
	now    atomic.Int64 // seconds
	status atomic.Int64 // with which the plugin answers what is complete; 0 = it fails, 1 = it has taken it before
	came   atomic.Value // string: the last of that
	told   atomic.Value // []abi.Pair: what the handlers were told
}

func (s *uploads) Route(method, host, path string, params []abi.Pair, c deploy.Client) Match {
	m := s.mounted.Route(method, host, path, params, c)
	if method == "POST" && path == "/files" {
		m.Upload = &capupload.Declared{Pattern: "POST /files", Max: 64 << 20, Expires: time.Hour}
	}
	return m
}

func serveUploads(t *testing.T, begin func(*invoke.Invocation) (dispatch.Result, error)) *uploads {
	t.Helper()
	s := &uploads{t: t, dir: filepath.Join(t.TempDir(), "uploads")}
	s.now.Store(time.Now().Unix())
	s.status.Store(201)
	s.mounted = mounted{&guest{handle: func(inv *invoke.Invocation) (dispatch.Result, error) {
		s.told.Store(append([]abi.Pair{{Name: "trigger", Value: inv.Request.Head.Trigger}}, inv.Request.Head.Attributes...))
		return begin(inv)
	}}}
	var err error
	s.desk, err = upload.Open(upload.Config{Dir: s.dir, Clock: func() time.Time { return time.Unix(s.now.Load(), 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.desk.Close)
	s.addr = servertest.Listen(t, newPublic(Config{Routes: s, Uploads: s.desk, Trigger: s.complete}))
	return s
}

// complete is the handler that gets what came.
func (s *uploads) complete(_ context.Context, q *trigger.Request) trigger.Outcome {
	s.told.Store(append([]abi.Pair{{Name: "trigger", Value: q.Trigger}}, q.Attributes...))
	var b bytes.Buffer
	if _, err := q.Upload.WriteTo(&b); err != nil {
		return trigger.Outcome{Err: err}
	}
	s.came.Store(b.String())
	status := int(s.status.Load())
	switch {
	case q.Once == nil || !q.Once.Success:
		s.t.Errorf("a refusal would be kept: %+v", q.Once)
	case status == 0:
		return trigger.Outcome{Err: fault.New(fault.Trap, "", "the guest failed")}
	case status == 1:
		return trigger.Outcome{Err: fault.New(fault.Done, "", "its answer was too large to be kept")}
	}
	return trigger.Outcome{Status: status, Reply: &invoke.Reply{Status: status, Headers: []abi.Pair{{Name: "x-own", Value: "1"}}, Body: []byte("taken")}}
}

// send sends a request as clients of tus do.
func (s *uploads) send(method, path, body string, lines ...string) servertest.Response {
	s.t.Helper()
	lines = append([]string{"Tus-Resumable: 1.0.0", fmt.Sprintf("Content-Length: %d", len(body))}, lines...)
	return servertest.RoundTrip(s.t, s.addr, servertest.Request(method, path, body, lines...))
}

// begin asks for an upload, and returns its path.
func (s *uploads) begin(length int, lines ...string) string {
	s.t.Helper()
	got := s.send("POST", "/files", "", append(lines, fmt.Sprintf("Upload-Length: %d", length))...)
	location := got.Header.Get("Location")
	if got.StatusCode != 201 || !strings.HasPrefix(location, "/files/") || len(location) != len("/files/")+26 || got.Header.Get("Upload-Expires") == "" {
		s.t.Fatalf("status %d, %v: %s", got.StatusCode, got.Header, got.Text)
	}
	return location
}

func (s *uploads) patch(path, body string, offset int) servertest.Response {
	s.t.Helper()
	return s.send("PATCH", path, body, "Content-Type: application/offset+octet-stream", fmt.Sprintf("Upload-Offset: %d", offset))
}

// waitForPart waits until n bytes of an upload are in its file. A request that asked for
// it meanwhile would end the one that sends them.
func (s *uploads) waitForPart(path string, n int64) {
	s.t.Helper()
	file := filepath.Join(s.dir, strings.TrimPrefix(path, "/files/"))
	waitFor(s.t, "the part", func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Size() >= n
	})
}

// check wants a status, and to be told of an offset, "" = of none.
func check(t *testing.T, what string, got servertest.Response, status int, offset string) {
	t.Helper()
	if got.StatusCode != status || got.Header.Get("Upload-Offset") != offset {
		t.Errorf("%s: status %d at %q, want %d at %q: %s", what, got.StatusCode, got.Header.Get("Upload-Offset"), status, offset, got.Text)
	}
	if got.Header.Get("Tus-Resumable") != "1.0.0" {
		t.Errorf("%s: %v", what, got.Header)
	}
}

func TestUpload(t *testing.T) {
	s := serveUploads(t, reply(202, "for ann", abi.Pair{Name: "x-seen", Value: "1"}))
	path := s.begin(10, "Upload-Metadata: filename d29ybGQ=")
	begun := s.told.Load().([]abi.Pair)
	id := strings.TrimPrefix(path, "/files/")
	for name, want := range map[string]string{"trigger": "upload", "upload.event": "create", "upload.length": "10", "upload.id": id} {
		if got := field.Single(begun, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	check(t, "a part", s.patch(path, "01234", 0), 204, "5")
	head := s.send("HEAD", path, "")
	check(t, "where it is", head, 200, "5")
	if head.Header.Get("Upload-Length") != "10" || head.Header.Get("Upload-Metadata") != "filename d29ybGQ=" || head.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("head: %v", head.Header)
	}
	s.status.Store(0)
	check(t, "the rest, with a handler that fails", s.patch(path, "56789", 5), 502, "10")
	s.status.Store(422)
	check(t, "again, with one that refuses", s.patch(path, "", 10), 422, "10")
	s.status.Store(200)
	last := s.patch(path, "", 10)
	check(t, "again", last, 200, "10")
	if came := s.came.Load(); came != "0123456789" || last.Text != "taken" || last.Header.Get("X-Own") != "1" {
		t.Errorf("%q came, and the answer is %q", came, last.Text)
	}
	done := s.told.Load().([]abi.Pair)
	for name, want := range map[string]string{"trigger": "upload", "upload.event": "done", "upload.length": "10", "upload.id": id, "upload.metadata": "filename d29ybGQ=", "upload.attachment": "for ann"} {
		if got := field.Single(done, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	s.came.Store("nothing")
	check(t, "after an answer that was lost", s.patch(path, "", 10), 204, "10")
	check(t, "where it is then", s.send("HEAD", path, ""), 200, "10")
	if s.came.Load() != "nothing" {
		t.Error("the handler ran once more")
	}
	check(t, "its end", s.send("DELETE", path, ""), 204, "")
	if got := s.send("HEAD", path, ""); got.Header.Get("Upload-Offset") != "" {
		t.Errorf("after its end: %v", got.Header)
	}
}

// TestUploadWithItsBytes: what comes with the request that begins is the first part, or
// all.
func TestUploadWithItsBytes(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	for _, c := range []struct {
		body   string
		length int
		status int64
		want   int
		offset string
	}{{"0123", 10, 200, 201, "4"}, {"0123456789", 10, 200, 201, "10"}, {"", 0, 200, 201, "0"}, {"01", 2, 422, 422, "2"}} {
		s.came.Store("")
		s.status.Store(c.status)
		got := s.send("POST", "/files", c.body, fmt.Sprintf("Upload-Length: %d", c.length), "Content-Type: application/offset+octet-stream")
		check(t, c.body, got, c.want, c.offset)
		if whole := len(c.body) == c.length; whole != (got.Text == "taken") || whole && s.came.Load() != c.body || got.Header.Get("Location") == "" {
			t.Errorf("%q of %d: %v, %q", c.body, c.length, got.Header, got.Text)
		}
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	s := serveUploads(t, func(inv *invoke.Invocation) (dispatch.Result, error) {
		inv.Reply.Status = 200
		switch field.Single(inv.Request.Head.Headers, "x-wants") {
		case "no":
			inv.Reply.Status = 403
		case "much":
			inv.Reply.Body = make([]byte, maxAttachment+1)
		}
		return dispatch.Result{Attempts: 1, Outcome: trace.Committed}, nil
	})
	path := s.begin(4)
	const part = "Content-Type: application/offset+octet-stream"
	for name, c := range map[string]struct {
		method, path, body string
		lines              []string
		status             int
	}{
		"by the plugin":         {"POST", "/files", "", []string{"Upload-Length: 4", "X-Wants: no"}, 403},
		"by it, with bytes":     {"POST", "/files", "0123", []string{"Upload-Length: 4", "X-Wants: no", part}, 403},
		"an attachment":         {"POST", "/files", "", []string{"Upload-Length: 4", "X-Wants: much"}, 502},
		"metadata":              {"POST", "/files", "", []string{"Upload-Length: 4", "Upload-Metadata: a " + strings.Repeat("b", maxMetadata)}, 413},
		"no length":             {"POST", "/files", "", nil, 400},
		"a later length":        {"POST", "/files", "", []string{"Upload-Defer-Length: 1"}, 400},
		"two lengths":           {"POST", "/files", "", []string{"Upload-Length: 4", "Upload-Length: 4"}, 400},
		"a negative length":     {"POST", "/files", "", []string{"Upload-Length: -4"}, 400},
		"a length with a sign":  {"POST", "/files", "", []string{"Upload-Length: +4"}, 400},
		"a huge length":         {"POST", "/files", "", []string{"Upload-Length: 99999999999999999999"}, 400},
		"over the most":         {"POST", "/files", "", []string{"Upload-Length: 67108865"}, 413},
		"bytes over the length": {"POST", "/files", "01234", []string{"Upload-Length: 4", part}, 413},
		"bytes of a form":       {"POST", "/files", "0123", []string{"Upload-Length: 4"}, 415},
		"another offset":        {"PATCH", path, "0", []string{"Upload-Offset: 1", part}, 409},
		"a negative offset":     {"PATCH", path, "0", []string{"Upload-Offset: -1", part}, 400},
		"no offset":             {"PATCH", path, "0", []string{part}, 400},
		"a part of a form":      {"PATCH", path, "0", []string{"Upload-Offset: 0"}, 415},
		"a part over the end":   {"PATCH", path, "01234", []string{"Upload-Offset: 0", part}, 413},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.send(c.method, c.path, c.body, c.lines...)
			if got.StatusCode != c.status || got.Header.Get("Location") != "" || got.Header.Get("Tus-Resumable") != "1.0.0" {
				t.Errorf("status %d, want %d: %v, %s", got.StatusCode, c.status, got.Header, got.Text)
			}
		})
	}
	raw := servertest.Request("PATCH", path, chunked("01234"), "Tus-Resumable: 1.0.0", "Transfer-Encoding: chunked", "Upload-Offset: 0", part)
	check(t, "chunks over the end", servertest.RoundTrip(t, s.addr, raw), 413, "0")
	for _, method := range []string{"POST", "PATCH"} {
		got := servertest.RoundTrip(t, s.addr, servertest.Request(method, map[string]string{"POST": "/files", "PATCH": path}[method], "", "Tus-Resumable: 0.9", "Content-Length: 0"))
		if got.StatusCode != 412 || got.Header.Get("Tus-Version") != "1.0.0" || got.Header.Get("Tus-Resumable") != "1.0.0" {
			t.Errorf("another version: %d, %v", got.StatusCode, got.Header)
		}
	}
	// What names no upload is a request like others: the plugin has it.
	elsewhere := servertest.Request("HEAD", path, "", "Tus-Resumable: 1.0.0")
	for name, raw := range map[string]string{
		"another host":   strings.Replace(elsewhere, "Host: test", "Host: other", 1),
		"another path":   strings.Replace(elsewhere, "/files/", "/other/", 1),
		"another id":     strings.Replace(elsewhere, path, path[:len(path)-1]+"0", 1),
		"another client": strings.Replace(elsewhere, "Tus-", "X-", 1),
	} {
		if got := servertest.RoundTrip(t, s.addr, raw); got.Header.Get("Upload-Offset") != "" {
			t.Errorf("%s: %d %v", name, got.StatusCode, got.Header)
		}
	}
	check(t, "the upload, after all", s.send("HEAD", path, ""), 200, "0")
	s.now.Add(3601)
	if got := s.send("HEAD", path, ""); got.Header.Get("Upload-Offset") != "" {
		t.Errorf("when it has expired: %v", got.Header)
	}
}

// TestUploadThatIsCut: what has come of a part stays when its connection ends.
func TestUploadThatIsCut(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	text := pattern(3 << 20)
	path := s.begin(len(text))
	c := servertest.Dial(t, s.addr)
	servertest.Send(t, c, servertest.Request("PATCH", path, text[:2<<20], "Tus-Resumable: 1.0.0", fmt.Sprintf("Content-Length: %d", len(text)), "Upload-Offset: 0", "Content-Type: application/offset+octet-stream"))
	_ = c.Close()
	s.waitForPart(path, 1)
	var at int
	if _, err := fmt.Sscan(s.send("HEAD", path, "").Header.Get("Upload-Offset"), &at); err != nil || at == 0 {
		t.Fatalf("nothing of the part: %d, %v", at, err)
	}
	check(t, "the rest", s.patch(path, text[at:], at), 201, fmt.Sprint(len(text)))
	if s.came.Load() != text {
		t.Error("what came is not what was sent")
	}
}

// TestUploadOverAnotherConnection: a client whose connection is dead, which the server does
// not know, goes on over another.
func TestUploadOverAnotherConnection(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	path := s.begin(10)
	dead := servertest.Dial(t, s.addr)
	servertest.Send(t, dead, servertest.Request("PATCH", path, "0123", "Tus-Resumable: 1.0.0", "Content-Length: 10", "Upload-Offset: 0", "Content-Type: application/offset+octet-stream"))
	s.waitForPart(path, 4)
	check(t, "what has come", s.send("HEAD", path, ""), 200, "4")
	check(t, "the rest", s.patch(path, "456789", 4), 201, "10")
	if got := servertest.Receive(t, bufio.NewReader(dead), "PATCH"); got.StatusCode != 409 || !strings.Contains(got.Text, "another request") {
		t.Errorf("the dead connection: status %d: %s", got.StatusCode, got.Text)
	}
	if _, err := io.Copy(io.Discard, dead); err != nil {
		t.Error(err)
	}
}

// TestUploadByAnotherMethod: some clients can send POST alone, and say what they mean in
// a field.
func TestUploadByAnotherMethod(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	path := s.begin(10)
	post := func(method, body string, lines ...string) servertest.Response {
		t.Helper()
		return s.send("POST", path, body, append(lines, "X-HTTP-Method-Override: "+method)...)
	}
	part := "Content-Type: Application/Offset+Octet-Stream ; a=b"
	check(t, "a part", post("PATCH", "0123", part, "Upload-Offset: 0"), 204, "4")
	check(t, "where it is", post("HEAD", ""), 200, "4")
	for _, other := range []string{"GET", "patch", "POST", ""} {
		if got := post(other, "4567", part, "Upload-Offset: 4"); got.Header.Get("Upload-Offset") != "" {
			t.Errorf("as %q: %d, %v", other, got.StatusCode, got.Header)
		}
	}
	check(t, "its end", post("DELETE", ""), 204, "")
	if got := s.send("HEAD", path, ""); got.Header.Get("Upload-Offset") != "" {
		t.Errorf("after its end: %v", got.Header)
	}
}

// TestUploadThatIsEndedWhileBytesCome is told why no more are taken.
func TestUploadThatIsEndedWhileBytesCome(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	path := s.begin(10)
	c := servertest.Dial(t, s.addr)
	servertest.Send(t, c, servertest.Request("PATCH", path, "0123", "Tus-Resumable: 1.0.0", "Content-Length: 10", "Upload-Offset: 0", "Content-Type: application/offset+octet-stream"))
	s.waitForPart(path, 4)
	check(t, "its end", s.send("DELETE", path, ""), 204, "")
	if got := servertest.Receive(t, bufio.NewReader(c), "PATCH"); got.StatusCode != 409 || !strings.Contains(got.Text, "another request") {
		t.Errorf("status %d: %s", got.StatusCode, got.Text)
	}
}

// TestUploadTakenBefore: the server was killed before it noted that the plugin has taken an
// upload, and the answer is not kept.
func TestUploadTakenBefore(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	path := s.begin(4)
	s.status.Store(1)
	check(t, "the first time that this process sees it", s.patch(path, "0123", 0), 204, "4")
	s.came.Store("nothing")
	check(t, "again", s.patch(path, "", 4), 204, "4")
	if s.came.Load() != "nothing" {
		t.Error("the handler ran once more")
	}
}

// TestUploadThatEndsMeanwhile: requests that wait for an upload are told that it is gone.
func TestUploadThatEndsMeanwhile(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	path := s.begin(10)
	check(t, "a part", s.patch(path, "0123", 0), 204, "4")
	u := s.desk.Find(strings.TrimPrefix(path, "/files/"))
	asked := make(chan struct{})
	if !u.Take(t.Context(), func() { close(asked) }) {
		t.Fatal("it is not free")
	}
	answer := make(chan servertest.Response)
	go func() { answer <- s.patch(path, "", 4) }()
	<-asked
	s.desk.Remove(u)
	u.Leave()
	check(t, "a part after its end", <-answer, 404, "")
}

func TestWhatUploadsThereMayBe(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	got := servertest.RoundTrip(t, s.addr, servertest.Request("OPTIONS", "/files", ""))
	for name, want := range map[string]string{"Tus-Version": "1.0.0", "Tus-Resumable": "1.0.0", "Tus-Max-Size": "67108864", "Tus-Extension": tus.Extensions} {
		if got.StatusCode != 204 || got.Header.Get(name) != want {
			t.Errorf("%d, %s: %q", got.StatusCode, name, got.Header.Get(name))
		}
	}
	if got := servertest.RoundTrip(t, s.addr, servertest.Request("OPTIONS", "/other", "")); got.Header.Get("Tus-Version") != "" {
		t.Errorf("elsewhere: %v", got.Header)
	}
}

// TestThePartOfAnUploadIsItsPluginsInTheLog though no handler learns of it.
func TestThePartOfAnUploadIsItsPluginsInTheLog(t *testing.T) {
	s := serveUploads(t, reply(200, ""))
	path := s.begin(10)
	u := s.desk.Find(strings.TrimPrefix(path, "/files/"))
	c := &exchange{upload: uploading{found: u}}
	if got, want := fmt.Sprint(c.answered()), fmt.Sprintf("[plugin=%s pattern=POST /files]", u.Plugin); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n := s.desk.Open(); n != 1 {
		t.Errorf("%d uploads are open, want 1", n)
	}
}
