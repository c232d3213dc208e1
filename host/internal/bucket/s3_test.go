package bucket

import (
	"bytes"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestMain(m *testing.M) {
	_ = os.Setenv("AWS_ACCESS_KEY_ID", "id")
	_ = os.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	log.SetOutput(io.Discard) // the fake's
	minio.DefaultRetryUnit = 5 * time.Millisecond
	os.Exit(m.Run())
}

// service is something like S3 behind a real socket, which can be made to fail.
type service struct {
	*httptest.Server
	mu       sync.Mutex
	faults   []failure // of the next requests that match
	requests int
}

// failure is what goes wrong with one request of a method.
type failure struct {
	method string
	how    func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

func newService(t *testing.T) *service {
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	s := &service{}
	next := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if how := s.fault(r.Method); how != nil {
			how(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) open(t *testing.T, o options) Bucket {
	t.Helper()
	b, err := open("s3://bucket/some/where?region=us-east-1&endpoint="+url.QueryEscape(s.URL), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *service) fault(method string) func(http.ResponseWriter, *http.Request, http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	for i, f := range s.faults {
		if f.method == method {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			return f.how
		}
	}
	return nil
}

// fail has the next n requests of a method fail.
func (s *service) fail(method string, n int, how func(http.ResponseWriter, *http.Request, http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = 0
	for range n {
		s.faults = append(s.faults, failure{method, how})
	}
}

// left returns how many failures did not come about, and forgets them.
func (s *service) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.faults)
	s.faults = nil
	return n
}

func refuse(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.WriteHeader(http.StatusInternalServerError)
}

// cut ends the connection in the middle of the answer.
func cut(w http.ResponseWriter, r *http.Request, next http.Handler) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// drop ends the connection in the middle of the request.
func drop(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
	panic(http.ErrAbortHandler)
}

// stall answers nothing for longer than the client waits.
func stall(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// stallInside sends half of the answer.
func stallInside(w http.ResponseWriter, r *http.Request, next http.Handler) {
	defer func() { _ = recover(); <-r.Context().Done() }()
	cut(w, r, next)
}

// TestS3IsTriedAgain: each failure is got over, unless it lasts.
func TestS3IsTriedAgain(t *testing.T) {
	t.Parallel()
	quick := small
	quick.stall = 2 * time.Second // a busy machine answers within it
	s := newService(t)
	b, hasty := s.open(t, small), s.open(t, quick)
	big := random(11 << 20)
	for _, tt := range []struct {
		name   string
		b      Bucket
		method string
		how    func(http.ResponseWriter, *http.Request, http.Handler)
		n      int
	}{
		{"500 to PUT", b, "PUT", refuse, 2},
		{"500 to POST", b, "POST", refuse, 2},
		{"500 to GET", b, "GET", refuse, 2},
		{"cut PUT", b, "PUT", drop, 2},
		{"cut GET", b, "GET", cut, 2},
		{"silent PUT", hasty, "PUT", stall, 1},
		{"silent GET", hasty, "GET", stall, 1},
		{"half a GET", hasty, "GET", stallInside, 1},
	} {
		for _, data := range [][]byte{big[:1000], big} {
			s.fail(tt.method, tt.n, tt.how)
			put(t, tt.b, "key", data)
			if got, err := get(t.Context(), tt.b, "key", 0, -1); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes of %d, %v", tt.name, len(got), len(data), err)
			}
			if got, err := get(t.Context(), tt.b, "key", 7, 500); err != nil || !bytes.Equal(got, data[7:507]) {
				t.Errorf("%s: a range of %d bytes, %v", tt.name, len(got), err)
			}
			if n := s.left(); n > 0 && (tt.method != "POST" || len(data) > 1000) {
				t.Errorf("%s: %d failures did not come about", tt.name, n)
			}
		}
	}
}

func TestWhatLastsIsAnError(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.open(t, options{stall: 5 * time.Second, tries: 2, part: 5 << 20})
	put(t, b, "key", []byte("before"))
	for _, data := range [][]byte{random(10), random(11 << 20)} {
		s.fail("PUT", 100, refuse)
		if err := b.Put(t.Context(), "key", bytes.NewReader(data), -1); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "s3://bucket/some/where/key") {
			t.Errorf("%d bytes: %v", len(data), err)
		}
		if s.left(); s.requests > 8 {
			t.Errorf("%d requests were made", s.requests)
		}
	}
	s.fail("GET", 100, cut)
	if got, err := get(t.Context(), b, "key", 0, -1); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("%q, %v", got, err)
	}
	s.left()
	if got, err := get(t.Context(), b, "key", 0, -1); err != nil || string(got) != "before" {
		t.Errorf("%.20q, %v", got, err)
	}
	other, err := open("s3://elsewhere?region=x&endpoint="+url.QueryEscape(s.URL), small)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Put(t.Context(), "key", strings.NewReader("x"), 1); fault.CodeOf(err) != fault.NotFound || !strings.Contains(err.Error(), "there is no bucket elsewhere") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}

// TestAnObjectIsReadWhole: one that is replaced while it is read is never mixed.
func TestAnObjectIsReadWhole(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.open(t, small)
	put(t, b, "key", random(1000))
	s.fail("GET", 1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		put(t, b, "key", []byte(strings.Repeat("x", 1000)))
		put(t, b, "key", random(1000))
		defer put(t, b, "key", []byte(strings.Repeat("x", 1000)))
		cut(w, r, next)
	})
	if got, err := get(t.Context(), b, "key", 0, -1); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("%d bytes of two objects, %v", len(got), err)
	}
}
