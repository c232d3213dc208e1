// Command native serves the notes under net/http alone, with a store in memory:
// the service of package app runs where its author wants it.
package main

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/examples/notes/app"
)

func main() {
	address := "127.0.0.1:8070"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	server := &http.Server{
		Addr: address, ReadHeaderTimeout: 5 * time.Second,
		Handler: handler(&http.Client{Timeout: 5 * time.Second}, "https://openlibrary.org"),
	}
	log.Print("serving until Ctrl-C")
	log.Fatal(server.ListenAndServe())
}

func handler(client *http.Client, library string) http.Handler {
	s := &store{values: map[string]value{}}
	return s.transactions(app.New(app.Platform{
		Store: s, Passwords: passwords{}, Client: client, Now: time.Now,
		Library: func() (string, error) { return library, nil },
	}))
}

type value struct {
	data []byte
	end  time.Time // zero = none
}

// store keeps values in memory. It runs one request at a time.
type store struct {
	mu     sync.Mutex
	values map[string]value
}

// transactions takes back what a request wrote if it is answered with 500 or above.
func (s *store) transactions(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		before, status := maps.Clone(s.values), &statusWriter{ResponseWriter: w}
		next.ServeHTTP(status, r)
		if status.code >= http.StatusInternalServerError {
			s.values = before
		}
	})
}

type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func (s *store) Get(key string) ([]byte, bool, error) {
	v, found := s.values[key]
	if found && !v.end.IsZero() && !time.Now().Before(v.end) {
		return nil, false, nil
	}
	return v.data, found, nil
}

func (s *store) Set(key string, data []byte, ttl time.Duration) error {
	v := value{data: data}
	if ttl > 0 {
		v.end = time.Now().Add(ttl)
	}
	s.values[key] = v
	return nil
}

func (s *store) Delete(key string) error {
	delete(s.values, key)
	return nil
}

func (s *store) List(prefix, before string, limit int) (keys []string, more bool, err error) {
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(s.values))) {
		if !strings.HasPrefix(key, prefix) || before != "" && key >= before {
			continue
		}
		if len(keys) == limit {
			return keys, true, nil
		}
		keys = append(keys, key)
	}
	return keys, false, nil
}

// passwords are hashed with what the standard library has.
type passwords struct{}

func (passwords) Hash(password string) (string, error) {
	salt := rand.Text()
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), 600_000, 32)
	return salt + "$" + hex.EncodeToString(key), err
}

func (passwords) Verify(password, hash string) (bool, error) {
	salt, want, found := strings.Cut(hash, "$")
	if !found {
		return false, fmt.Errorf("a stored hash has no salt")
	}
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), 600_000, 32)
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(key)), []byte(want)) == 1, err
}
