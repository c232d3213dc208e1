package egress

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// asks is a call of a script: "METHOD PATH BODY", and how many bytes of its answer
// are read, all if below zero.
type asks struct {
	call string
	read int
}

// attempts runs attempts of a request, and returns what each has read, or the
// error that ended it.
func attempts(t *testing.T, c *Client, origin string, runs ...[]asks) (told []string) {
	t.Helper()
	answers := kept(t)
	for _, run := range runs {
		s := c.Session(Trace{}, answers)
		text, err := script(t, &s, origin, run)
		err = answers.Counts(err)
		s.Close()
		if err != nil {
			return append(told, err.Error())
		}
		told = append(told, text)
		if err := answers.Again(); err != nil {
			return append(told, err.Error())
		}
	}
	return told
}

func script(t *testing.T, s *Session, origin string, run []asks) (string, error) {
	t.Helper()
	var text []string
	for _, a := range run {
		part := strings.SplitN(a.call+"  ", " ", 3)
		handle, status, why := s.Open(&abi.HTTPRequest{Method: part[0], URL: origin + part[1]})
		if status != abi.OK {
			t.Fatal(status, why)
		}
		s.Write(handle, []byte(strings.TrimSpace(part[2])))
		if _, _, err := s.Send(t.Context(), []uint32{handle}); err != nil {
			return "", err
		}
		head, _ := s.Response(handle)
		body, err := readBody(t.Context(), s, handle, a.read)
		if err != nil {
			return "", err
		}
		s.CloseCall(handle)
		text = append(text, strings.TrimSpace(fmt.Sprintf("%d %s%s", head.Status, head.Reason, body)))
	}
	return strings.Join(text, "|"), nil
}

// readBody reads at most so many bytes.
func readBody(ctx context.Context, s *Session, handle uint32, most int) (string, error) {
	var body strings.Builder
	for body.Len() != most {
		buf := make([]byte, 1000)
		if most >= 0 {
			buf = buf[:min(len(buf), most-body.Len())]
		}
		n, status, err := s.Read(ctx, handle, buf)
		if err != nil {
			return "", err
		}
		if n == 0 {
			if status != abi.OK {
				body.WriteString(status.String())
			}
			return shortened(body.String()), nil
		}
		body.Write(buf[:n])
	}
	return shortened(body.String()), nil
}

func shortened(s string) string {
	if len(s) > 40 {
		return fmt.Sprint(len(s), " bytes")
	}
	return s
}

// TestAnswersAreGivenAgain: what an attempt asks as the one before did reaches the
// service once, whatever became of it.
func TestAnswersAreGivenAgain(t *testing.T) {
	var mu sync.Mutex // a connection that is broken off orders nothing
	var seen []string
	large := strings.Repeat("x", 600<<10)
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+r.URL.Path+string(body))
		switch r.URL.Path {
		case "/large":
			fmt.Fprint(w, large)
		case "/hang":
			panic(http.ErrAbortHandler)
		case "/fails":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			fmt.Fprint(w, len(seen))
		}
	})
	all := func(calls ...string) (run []asks) {
		for _, c := range calls {
			run = append(run, asks{c, -1})
		}
		return run
	}
	const broke = "0" // and the reason
	for _, tc := range []struct {
		name string
		runs [][]asks
		told []string // the beginning of each
		seen string
	}{
		{
			"the same",
			[][]asks{all("GET /a", "POST /b x", "PUT /c y"), all("GET /a", "POST /b x", "PUT /c y"), all("GET /a", "POST /b x", "PUT /c y")},
			[]string{"200 1|200 2|200 3", "200 1|200 2|200 3", "200 1|200 2|200 3"},
			"GET/a POST/bx PUT/cy",
		},
		{
			"more in the end",
			[][]asks{all("POST /b"), all("POST /b", "POST /c"), all("POST /b", "POST /c")},
			[]string{"200 1", "200 1|200 2", "200 1|200 2"},
			"POST/b POST/c",
		},
		{"the same twice", [][]asks{all("POST /b", "POST /b"), all("POST /b", "POST /b")}, []string{"200 1|200 2", "200 1|200 2"}, "POST/b POST/b"},
		{"another GET", [][]asks{all("GET /a", "GET /b"), all("GET /c", "GET /b")}, []string{"200 1|200 2", "200 3|200 4"}, "GET/a GET/b GET/c GET/b"},
		{"another GET after the same POST", [][]asks{all("POST /a", "GET /b"), all("POST /a", "GET /c")}, []string{"200 1|200 2", "200 1|200 3"}, "POST/a GET/b GET/c"},
		{"a POST in place of a GET", [][]asks{all("GET /a"), all("POST /a")}, []string{"200 1", "200 2"}, "GET/a POST/a"},
		{"fewer GETs", [][]asks{all("GET /a", "GET /b"), all("GET /a"), all("GET /a", "GET /b")}, []string{"200 1|200 2", "200 1", "200 1|200 2"}, "GET/a GET/b"},
		{"a failed call", [][]asks{all("POST /hang"), all("POST /hang")}, []string{broke, broke}, "POST/hang"},
		{"a failed answer", [][]asks{all("POST /fails"), all("POST /fails")}, []string{"500", "500"}, "POST/fails"},
		{"unread", [][]asks{{{"POST /large", 0}}, {{"POST /large", 0}}}, []string{"200", "200"}, "POST/large"},
		{"read in part", [][]asks{{{"POST /large", 5}}, {{"POST /large", 5}}, {{"POST /large", 3}}}, []string{"200 xxxxx", "200 xxxxx", "200 xxx"}, "POST/large"},
		{
			"a GET read in part",
			[][]asks{{{"GET /large", 5}}, {{"GET /large", -1}}, {{"GET /large", -1}}},
			[]string{"200 xxxxx", "200 614400 bytes", "200 614400 bytes"},
			"GET/large GET/large",
		},
		{
			"GETs too large to keep",
			[][]asks{all("GET /large", "GET /large", "POST /b"), all("GET /large", "GET /large", "POST /b")},
			[]string{"200 614400 bytes|200 614400 bytes|200 3", "200 614400 bytes|200 614400 bytes|200 3"},
			"GET/large GET/large POST/b GET/large",
		},

		{"another body", [][]asks{all("POST /b x"), all("POST /b y")}, []string{"200 1", "call: the handler had sent POST ORIGIN/b, ran again after a conflict, and now asks for POST ORIGIN/b with another body"}, "POST/bx"},
		{"another query", [][]asks{all("POST /b?s3cret"), all("POST /b?other")}, []string{"200 1", "call: the handler had sent POST ORIGIN/b, ran again after a conflict, and now asks for POST ORIGIN/b with another query"}, "POST/b"},
		{"another method", [][]asks{all("POST /b"), all("PUT /b")}, []string{"200 1", "call: the handler had sent POST ORIGIN/b, ran again after a conflict, and now asks for PUT ORIGIN/b;"}, "POST/b"},
		{"another GET before a POST", [][]asks{all("GET /a", "POST /b"), all("GET /c", "POST /b")}, []string{"200 1|200 2", "call: the handler had sent POST ORIGIN/b, ran again after a conflict, and now asks for GET ORIGIN/c;"}, "GET/a POST/b"},
		{"another order", [][]asks{all("POST /a", "POST /b"), all("POST /b", "POST /a")}, []string{"200 1|200 2", "call: the handler had sent POST ORIGIN/a, ran again after a conflict, and now asks for POST ORIGIN/b;"}, "POST/a POST/b"},
		{"none", [][]asks{all("POST /b"), nil}, []string{"200 1", "call: the handler had sent POST ORIGIN/b, ran again after a conflict, and did not ask for it again"}, "POST/b"},
		{"more of an answer", [][]asks{{{"POST /large", 5}}, {{"POST /large", -1}}}, []string{"200 xxxxx", "call: the handler had sent POST ORIGIN/large, ran again after a conflict, and read more of its answer"}, "POST/large"},
		{
			"too large to keep",
			[][]asks{all("POST /large", "POST /large"), nil},
			[]string{"200 614400 bytes|200 614400 bytes", "call: the handler had sent POST ORIGIN/large, whose answer was not kept"},
			"POST/large POST/large",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mu.Lock()
			seen = nil
			mu.Unlock()
			got := attempts(t, client(t, nil, origin), origin, tc.runs...)
			mu.Lock()
			defer mu.Unlock()
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], origin, "ORIGIN")
			}
			if !slices.EqualFunc(got, tc.told, strings.HasPrefix) || strings.Join(seen, " ") != tc.seen || strings.Contains(fmt.Sprint(got), "s3cret") {
				t.Errorf("got %q, and the service saw %q", got, seen)
			}
		})
	}
}

// TestAnswersToCallsAtOnce are given again in the order of the calls.
func TestAnswersToCallsAtOnce(t *testing.T) {
	var seen atomic.Int64
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) { seen.Add(1); fmt.Fprint(w, r.URL.Path) })
	c, answers := client(t, nil, origin), kept(t)
	for attempt, paths := range [][]string{{"/a", "/b", "/c"}, {"/a", "/b", "/c", "/d"}, {"/a", "/b", "/c", "/d"}} {
		s := c.Session(Trace{}, answers)
		var handles []uint32
		for _, path := range paths {
			handle, _, _ := s.Open(&abi.HTTPRequest{Method: "POST", URL: origin + path})
			handles = append(handles, handle)
		}
		if n, status, err := s.Send(t.Context(), handles); n != len(paths) || status != abi.OK || err != nil {
			t.Fatal(n, status, err)
		}
		for i, handle := range handles {
			if got := finish(t, &s, handle); got.body != paths[i] {
				t.Errorf("attempt %d: %s was answered %q", attempt+1, paths[i], got.body)
			}
		}
		s.Close()
		if err := answers.Again(); err != nil {
			t.Fatal(err)
		}
	}
	if n := seen.Load(); n != 4 {
		t.Errorf("the service saw %d calls, want 4", n)
	}
}

// TestABodyIsReadOn by the next attempt where the one before has left it.
func TestABodyIsReadOn(t *testing.T) {
	more := make(chan struct{})
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "first ")
		_ = http.NewResponseController(w).Flush()
		<-more
		fmt.Fprint(w, "second")
	})
	c, answers := client(t, nil, origin), kept(t)
	read := func(most int) (string, context.CancelFunc) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		s := c.Session(Trace{}, answers)
		defer s.Close()
		handle, _, _ := s.Open(&abi.HTTPRequest{Method: "POST", URL: origin})
		if _, _, err := s.Send(ctx, []uint32{handle}); err != nil {
			t.Fatal(err)
		}
		body, err := readBody(ctx, &s, handle, most)
		if err != nil {
			t.Fatal(err)
		}
		return body, cancel
	}
	first, end := read(6)
	end() // the attempt's own context ends with it
	close(more)
	if err := answers.Again(); err != nil {
		t.Fatal(err)
	}
	second, end := read(-1)
	end()
	if first != "first " || second != "first second" {
		t.Errorf("the attempts read %q and %q", first, second)
	}
}

// TestNothingIsKeptWithoutNeed: of a request that cannot run again.
func TestNothingIsKeptWithoutNeed(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 10_000)) })
	answers := NewAnswers(false, limit.Share{}, free)
	defer answers.Close()
	s := client(t, nil, origin).Session(Trace{}, answers)
	if got, err := script(t, &s, origin, []asks{{"POST /", -1}}); got != "200 10000 bytes" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if answers.size != 0 || answers.list[0].body != nil || !answers.Made() || answers.Again() == nil {
		t.Errorf("kept %d bytes, %+v", answers.size, answers.list[0])
	}
}

// TestWhatIsKeptIsBounded over many answers, heads included.
func TestWhatIsKeptIsBounded(t *testing.T) {
	large := strings.Repeat("x", 40<<10)
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Large", large)
		fmt.Fprint(w, large)
	})
	answers := kept(t)
	s := client(t, func(cfg *Config) { cfg.Limits.Calls = 100 }, origin).Session(Trace{}, answers)
	for i := range 40 {
		if _, err := script(t, &s, origin, []asks{{fmt.Sprintf("GET /%d", i), -1}}); err != nil {
			t.Fatal(err)
		}
	}
	if answers.size > MaxAnswers || answers.size < MaxAnswers/2 {
		t.Errorf("%d bytes are kept", answers.size)
	}
	if err := answers.Again(); err != nil {
		t.Error(err)
	}
	answers.Close()
	if answers.size != 0 {
		t.Errorf("%d bytes are kept after the end", answers.size)
	}
}

// TestWhatIsKeptCounts in the memory that all have together: without room an answer
// is not kept, and the attempt goes on.
func TestWhatIsKeptCounts(t *testing.T) {
	origin := upstream(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 10_000)) })
	budget := limit.NewBudget(15_000)
	answers := NewAnswers(true, budget.Share(), free)
	s := client(t, nil, origin).Session(Trace{}, answers)
	for range 2 {
		if got, err := script(t, &s, origin, []asks{{"POST /", -1}}); got != "200 10000 bytes" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if answers.list[0].lost || !answers.list[1].lost || budget.Left() > 5_000 {
		t.Errorf("%d bytes are left; kept %v and %v", budget.Left(), !answers.list[0].lost, !answers.list[1].lost)
	}
	if answers.Close(); budget.Left() != budget.Size() {
		t.Errorf("%d of %d bytes are left in the end", budget.Left(), budget.Size())
	}
}

// TestAnswersArePluginsOwn: the plugins of a request that call each other share its
// answers, and none gets what another has asked: that may have gone out with a secret of
// the other's.
func TestAnswersArePluginsOwn(t *testing.T) {
	var asked atomic.Int64
	origin := upstream(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, asked.Add(1)) })
	callee, caller := client(t, nil, origin), client(t, nil, origin)
	answers := kept(t)
	for i, run := range []struct {
		by   *Client
		want string
	}{{callee, "200 1"}, {callee, "200 1"}, {caller, "200 2"}, {caller, "200 2"}} {
		s := run.by.Session(Trace{}, answers)
		got, err := script(t, &s, origin, []asks{{"GET /mine", -1}})
		s.Close()
		if err != nil || got != run.want {
			t.Errorf("attempt %d: %q, %v, want %q", i+1, got, err, run.want)
		}
		if err := answers.Again(); err != nil {
			t.Fatal(err)
		}
	}
	for _, by := range []*Client{callee, caller} {
		s := by.Session(Trace{}, answers)
		_, err := script(t, &s, origin, []asks{{"POST /mine", -1}})
		s.Close()
		if by == caller && (fault.CodeOf(err) != fault.Diverged || !strings.Contains(fault.MessageOf(err), "by another plugin")) {
			t.Errorf("another plugin makes a call that was made: %v", err)
		}
		if err := answers.Again(); by == callee && err != nil {
			t.Fatal(err)
		}
	}
}
