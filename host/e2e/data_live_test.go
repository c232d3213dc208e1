package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func liveGuest(t testing.TB, lines ...string) []byte {
	routes := []string{"[kv]"}
	for _, pattern := range []string{"POST /count", "POST /reset", "POST /close", "POST /brief", "POST /add", "GET /plain"} {
		routes = append(routes, "[[route]]", fmt.Sprintf("pattern = %q", pattern))
	}
	for _, pattern := range []string{"GET /state", "GET /mine", "GET /brief", "GET /writes", "GET /hot"} {
		routes = append(routes, "[[route]]", fmt.Sprintf("pattern = %q", pattern), "live = true")
	}
	return pack(t, goGuest(t, "testdata/liveguest"), "live", append(routes, lines...)...)
}

// event is one of a stream.
type event struct{ id, name, data string }

// events is a stream that is read.
type events struct {
	resp *http.Response
	in   *bufio.Reader
	stop context.CancelFunc
}

var streams = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: -1}}

// listen asks for an answer as a stream of events.
func (s *server) listen(path, lastID string, fields ...string) (*events, error) {
	ctx, stop := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", s.public+path, http.NoBody)
	if err != nil {
		stop()
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := streams.Do(req)
	if err != nil {
		stop()
		return nil, err
	}
	return &events{resp, bufio.NewReader(resp.Body), stop}, nil
}

func (e *events) close() {
	e.stop()
	_ = e.resp.Body.Close()
}

// next reads an event.
func (e *events) next() (got event, err error) {
	var data []string
	for {
		line, err := e.in.ReadString('\n')
		if err != nil {
			return event{}, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && (data != nil || got.name != ""):
			got.data = strings.Join(data, "\n")
			return got, nil
		case name == "id":
			got.id = value
		case name == "event":
			got.name = value
		case name == "data":
			data = append(data, value)
		}
	}
}

// liveClient is one client of the counts, which comes back when its stream ends, and checks
// what it sees: each state is one that was committed, and later than the one before.
type liveClient struct {
	t      *testing.T
	last   atomic.Int64
	seen   atomic.Int64 // events
	opened atomic.Int64
	lastID string
}

func (f *liveClient) run(ctx context.Context, at func() *server) {
	for ctx.Err() == nil {
		e, err := at().listen("/live/state", f.lastID)
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if e.resp.StatusCode != http.StatusOK {
			if e.resp.StatusCode != http.StatusServiceUnavailable {
				f.t.Errorf("a live answer is %s", e.resp.Status)
			}
			e.close()
			time.Sleep(20 * time.Millisecond)
			continue
		}
		f.opened.Add(1)
		stop := context.AfterFunc(ctx, e.close)
		f.read(e)
		stop()
		e.close()
	}
}

func (f *liveClient) read(e *events) {
	for {
		got, err := e.next()
		if err != nil {
			return
		}
		if got.name == "bye" {
			continue
		}
		if got.name != "" || got.id == "" {
			f.t.Errorf("an event %+v", got)
			return
		}
		var a, b, c int64
		if n, _ := fmt.Sscanf(got.data, "%d %d %d", &a, &b, &c); n != 3 || a != b || b != c {
			f.t.Errorf("no state is %q", got.data)
		}
		if before := f.last.Load(); f.seen.Load() > 0 && a <= before {
			f.t.Errorf("after %d came %d", before, a)
		}
		f.last.Store(a)
		f.seen.Add(1)
		f.lastID = got.id
	}
}

// TestLive has clients follow a live answer while others change what it rests on at full
// speed, two versions take turns, and the server is killed: each client sees states that
// were committed, in their order, and the last of them in the end.
func TestLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var now atomic.Pointer[server]
	now.Store(serve(t, dir))
	now.Load().deploy("live", liveGuest(t))
	now.Load().deploy("live", liveGuest(t, "[limits]", "concurrency = 8"))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients, writers sync.WaitGroup
	followers := make([]*liveClient, often(50, 1000))
	for i := range followers {
		followers[i] = &liveClient{t: t}
		clients.Go(func() { followers[i].run(ctx, now.Load) })
	}
	slow, err := now.Load().listen("/live/state", "")
	if err != nil {
		t.Fatal(err)
	}
	defer slow.close()

	writing, stop := context.WithCancel(ctx)
	for range 4 {
		writers.Go(func() {
			for writing.Err() == nil {
				if a, err := now.Load().try(ctx, "POST", "/live/count", ""); err == nil && a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
					t.Errorf("a writer is answered %v", a)
				}
			}
		})
	}
	for round := range often(3, 20) {
		for swap := range 4 {
			time.Sleep(100 * time.Millisecond)
			if err := now.Load().tryActivate(t.Context(), "live", 1+swap%2); err != nil {
				t.Errorf("%v\n%s", err, now.Load().log)
			}
		}
		if round == 1 {
			now.Load().kill()
			now.Store(serve(t, dir))
		}
	}
	stop()
	writers.Wait()
	// What was written last may be unknown to who wrote it.
	var last int64
	if n, err := fmt.Sscan(now.Load().get("/live/plain").body, &last); n != 1 {
		t.Fatal(err)
	}
	for i, f := range followers {
		for end := time.Now().Add(time.Minute); f.last.Load() != last; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("client %d has %d in the end, want %d\n%s", i, f.last.Load(), last, now.Load().log)
			}
		}
	}
	var events, opened int64
	for _, f := range followers {
		events, opened = events+f.seen.Load(), opened+f.opened.Load()
	}
	t.Logf("%d states, of which %d clients saw %d, over %d streams", last, len(followers), events, opened)
	if want := int64(2 * len(followers)); opened > want {
		t.Errorf("clients had %d streams; a hot swap keeps them, so %d are enough", opened, want)
	}
	cancel()
	clients.Wait()
}

// wants reads an event and wants its data.
func (e *events) wants(t *testing.T, name, data string) event {
	t.Helper()
	got := make(chan event, 1)
	go func() {
		ev, err := e.next()
		if err != nil {
			ev.data = "error: " + err.Error()
		}
		got <- ev
	}()
	select {
	case ev := <-got:
		if ev.name != name || !strings.Contains(ev.data, data) || name == "" && ev.data != data {
			t.Fatalf("event %+v, want %q %q", ev, name, data)
		}
		return ev
	case <-time.After(time.Minute):
		t.Fatalf("no event; want %q %q", name, data)
	}
	return event{}
}

func (s *server) listens(path string, fields ...string) *events {
	s.t.Helper()
	e, err := s.listen(path, "", fields...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(e.close)
	if got := e.resp.Header.Get("Content-Type"); e.resp.StatusCode != http.StatusOK || got != "text/event-stream" {
		s.t.Fatalf("%s is answered %s, %s", path, e.resp.Status, got)
	}
	return e
}

// TestLiveAnswers shows what a client of a live route gets: who asks for no events, who
// comes back, who is turned away, and how a stream ends.
func TestLiveAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	s.deploy("live", liveGuest(t))
	post := func(path string) {
		t.Helper()
		if a := s.do("POST", "/live"+path, ""); a.status/100 != 2 {
			t.Fatalf("POST %s: %v", path, a)
		}
	}
	refused := func(path string, status int) {
		t.Helper()
		e, err := s.listen("/live"+path, "")
		if err != nil {
			t.Fatal(err)
		}
		defer e.close()
		if e.resp.StatusCode != status || strings.Contains(e.resp.Header.Get("Content-Type"), "event-stream") {
			t.Errorf("%s is answered %s, %v", path, e.resp.Status, e.resp.Header)
		}
	}
	if a := s.get("/live/state"); a.status != http.StatusOK || a.body != "0 0 0" {
		t.Errorf("who asks for no events gets %v", a)
	}
	e := s.listens("/live/state")
	first := e.wants(t, "", "0 0 0")
	post("/count")
	second := e.wants(t, "", "1 1 1")
	again, err := s.listen("/live/state", second.id)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	late, err := s.listen("/live/state", first.id)
	if err != nil {
		t.Fatal(err)
	}
	defer late.close()
	late.wants(t, "", "1 1 1")
	post("/count")
	again.wants(t, "", "2 2 2") // and not the state that it had
	e.wants(t, "", "2 2 2")

	anna, bert := s.listens("/live/mine", "Authorization", "anna", "User-Agent", "a"), s.listens("/live/mine", "Authorization", "bert")
	anna.wants(t, "", `anna 0.0.0.0 "" "" 2`)
	bert.wants(t, "", `bert 0.0.0.0 "" "" 2`)

	closing := s.listens("/live/state", "Connection", "close")
	closing.wants(t, "", "2 2 2")

	post("/brief")
	brief := s.listens("/live/brief")
	brief.wants(t, "", "[here]")
	brief.wants(t, "", "[]") // when its time is over

	refused("/writes", http.StatusBadGateway)
	refused("/plain/none", http.StatusNotFound)
	if a := s.get("/live/writes"); a.status != http.StatusOK {
		t.Errorf("who asks for no events may have a handler write: %v", a)
	}

	post("/close")
	e.wants(t, "problem", `"status":403`)
	e.wants(t, "bye", "")
	if _, err := e.next(); err == nil {
		t.Error("the stream goes on")
	}
	refused("/state", http.StatusForbidden)
	post("/reset")

	e = s.listens("/live/state")
	e.wants(t, "", "2 2 2")
	s.mustCLI("", "pause", "live")
	e.wants(t, "problem", `"status":503`)
	refused("/state", http.StatusServiceUnavailable)
	s.mustCLI("", "resume", "live")
	e = s.listens("/live/state")
	e.wants(t, "", "2 2 2")
	s.mustCLI("", "delete", "live", "--yes")
	e.wants(t, "problem", `"status":404`)
	refused("/state", http.StatusNotFound)
}
