package sdktest

import (
	"cmp"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/abitest"
)

// TestScripts holds the fake host to the scripts that the real one is held to.
func TestScripts(t *testing.T) {
	scripts, err := abitest.Load("../../abi/testdata/calls")
	if err != nil {
		t.Fatal(err)
	}
	for i := range scripts {
		if scripts[i].Ranges() || scripts[i].Host.SQL != nil {
			continue // there is no guest memory here, and no SQLite
		}
		t.Run(scripts[i].Name, func(t *testing.T) { runScript(t, &scripts[i]) })
	}
}

func runScript(t *testing.T, s *abitest.Script) {
	host := New(nil)
	host.NoKV, host.NoBlobs = s.Host.NoKV, s.Host.Blobs == nil
	if s.Host.Blobs != nil {
		host.Blobs.Count, host.Blobs.Bytes = s.Host.Blobs.Count, s.Host.Blobs.Bytes
	}
	if len(s.Host.Queues) > 0 {
		host.Queues = map[string]string{}
	}
	for _, name := range s.Host.Queues {
		host.Queues[name] = "POST /queues/" + name
	}
	if s.Host.Sockets != nil {
		host.Sockets = map[string]string{}
		for _, id := range s.Host.Sockets {
			host.sockets = append(host.sockets, &Socket{ID: id, Open: true, host: host})
		}
	}
	maps.Copy(host.Config, s.Host.Vars())
	for _, u := range s.Host.Upstream {
		host.Upstream(abitest.Origin+u.Path, upstream(u))
	}
	for n := range s.Invocations {
		i := &s.Invocations[n]
		host.Now = host.Now.Add(time.Duration(i.AfterMS) * time.Millisecond)
		handler := &maker{calls: i.Calls, fails: i.Fails}
		host.serve = handler.serve
		host.BeforeCommit = func(attempt int) {
			if attempt > 1 || i.Meanwhile == nil {
				return
			}
			other := &maker{calls: i.Meanwhile}
			host.serve = other.serve
			defer func() { host.serve = handler.serve }()
			if res := host.Get("/"); res.Outcome != Committed || other.err != nil {
				t.Errorf("invocation %d: meanwhile: %v, %v", n, res, other.err)
			}
		}
		res := request(host, i.Request)
		if handler.err != nil {
			t.Errorf("invocation %d (%s): %v", n, i.About, handler.err)
		}
		if err := i.Want.Check(handler.got(res)); err != nil {
			t.Errorf("invocation %d (%s): %v", n, i.About, err)
		}
	}
}

func upstream(u abitest.Upstream) http.Handler {
	if u.Breaks {
		return Failing(abi.Unreachable)
	}
	if u.Hangs {
		return Failing(abi.Timeout)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range u.Headers {
			w.Header().Add(h[0], h[1])
		}
		w.WriteHeader(u.Status)
		_, _ = w.Write([]byte(u.Body))
	})
}

func request(host *Host, r abitest.Request) *Result {
	target := cmp.Or(r.Path, "/") + "?" + r.Query
	req := httptest.NewRequest(cmp.Or(r.Method, http.MethodPost), target, strings.NewReader(r.Body))
	req.Host, req.RemoteAddr = "localhost", "127.0.0.1:1"
	for _, h := range r.Headers {
		req.Header.Add(h[0], h[1])
	}
	host.Trigger, host.Attributes = r.Trigger, map[string]string{}
	for _, a := range r.Attributes {
		host.Attributes[a[0]] = a[1]
	}
	return host.Do(req)
}

// maker is a handler that makes calls and compares what they return.
type maker struct {
	calls []abitest.Call
	fails bool
	last  *call // the last attempt
	err   error // the first of the last attempt
}

func (m *maker) serve(c *call) int32 {
	m.last, m.err = c, nil
	var results []int64
	for i := range m.calls {
		result, buf := makeCall(c, &m.calls[i], results)
		for m.calls[i].Drain && result > 0 {
			result, buf = makeCall(c, &m.calls[i], results)
		}
		if err := m.calls[i].Check(result, buf); err != nil && m.err == nil {
			m.err = err
		}
		results = append(results, result)
	}
	if m.fails {
		return 1
	}
	return 0
}

// logs are the lines of the last attempt.
func (m *maker) logs() (lines []abitest.Line) {
	for _, l := range m.last.result.Logs {
		line := abitest.Line{Level: l.Level, Message: abitest.Text(l.Message)}
		for _, name := range slices.Sorted(maps.Keys(l.Attrs)) {
			line.Attrs = append(line.Attrs, [2]string{name, l.Attrs[name]})
		}
		lines = append(lines, line)
	}
	return lines
}

func (m *maker) got(res *Result) abitest.Got {
	got := abitest.Got{
		Outcome: string(res.Outcome), Refused: res.Fault != "", Attempts: res.Attempts, Status: res.Status,
		Body: res.Text(), Pattern: res.Pattern, Logs: m.logs(),
	}
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		for _, v := range res.Header[name] {
			got.Headers = append(got.Headers, [2]string{name, v})
		}
	}
	for _, c := range res.Calls {
		u, _ := url.Parse(c.URL)
		got.Sent = append(got.Sent, abitest.HTTPCall{Method: c.Method, Path: u.Path, Body: c.Body})
	}
	return got
}

// makeCall calls the method that the function's name stands for, and returns its
// result and the buffer that it may have written.
func makeCall(c *call, f *abitest.Call, results []int64) (result int64, buf []byte) {
	var args []reflect.Value
	for i := range f.Args {
		switch a := &f.Args[i]; a.Kind {
		case abi.In:
			args = append(args, reflect.ValueOf(a.Data.Bytes(abitest.Origin, results)))
		case abi.Text:
			args = append(args, reflect.ValueOf(string(a.Data.Bytes(abitest.Origin, results))))
		case abi.Out:
			buf = make([]byte, a.Number)
			args = append(args, reflect.ValueOf(buf))
		case abi.U32:
			n := a.Number
			if a.Handle != nil {
				n = results[*a.Handle]
			}
			args = append(args, reflect.ValueOf(uint32(n)))
		case abi.S64:
			args = append(args, reflect.ValueOf(a.Number))
		}
	}
	is := func(name string) bool { return strings.EqualFold(name, strings.ReplaceAll(f.Function.Name, "_", "")) }
	method := reflect.ValueOf(c).MethodByName(methodName(is))
	return method.Call(args)[0].Int(), buf
}

func methodName(is func(string) bool) string {
	for m := range reflect.TypeFor[*call]().Methods() {
		if is(m.Name) {
			return m.Name
		}
	}
	return ""
}

// TestGoldenRequests holds what a guest gets of a request to the file that the
// real host is held to.
func TestGoldenRequests(t *testing.T) {
	requests, err := abitest.LoadRequests("../../abi/testdata/requests.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		t.Run(r.Name, func(t *testing.T) {
			var got *abi.RequestHead
			host := New(nil)
			host.serve = func(c *call) int32 {
				got = &c.head
				return 0
			}
			req := httptest.NewRequest(r.Method, "http://test"+r.Target, strings.NewReader(r.Body))
			req.RemoteAddr = "127.0.0.1:1"
			for _, h := range r.Headers {
				req.Header.Add(h[0], h[1])
			}
			res := host.Do(req)
			if r.Status != 0 {
				if res.Status != r.Status || got != nil {
					t.Errorf("got %v, and the guest got %v, want %d", res, got, r.Status)
				}
				return
			}
			if got == nil {
				t.Fatalf("the guest got nothing, and the client %v", res)
			}
			if err := r.Check(got); err != nil {
				t.Error(err)
			}
		})
	}
}
