// Package app is a notes service: accounts, sessions, notes with tags, files and
// books, as JSON and as a page. It imports nothing of wasmoor: what it needs from
// its platform is in Platform.
package app

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// Platform is what the service runs on.
type Platform struct {
	Store     Store
	Passwords Passwords
	Client    *http.Client
	// Library returns the origin of the service that knows the titles of books,
	// such as https://openlibrary.org.
	Library func() (string, error)
	Now     func() time.Time
}

// Store keeps values by key. Each request sees it as one transaction: its writes
// stay only if it is answered with a status below 500.
type Store interface {
	Get(key string) (value []byte, found bool, err error)
	// Set keeps a value for a time, or for ever if ttl is 0.
	Set(key string, value []byte, ttl time.Duration) error
	Delete(key string) error
	// List returns up to limit keys with a prefix, from the highest down,
	// starting below the key before unless that is "".
	List(prefix, before string, limit int) (keys []string, more bool, err error)
}

// Passwords makes and checks hashes.
type Passwords interface {
	Hash(password string) (string, error)
	Verify(password, hash string) (bool, error)
}

//go:embed static
var static embed.FS

type service struct{ Platform }

// New returns the service.
func New(p Platform) http.Handler {
	s := &service{p}
	r := chi.NewRouter()
	// A browser sends cookies with a form of any other site; this refuses those.
	r.Use(http.NewCrossOriginProtection().Handler)
	r.Get("/", s.page)
	r.Post("/", s.pageForm)
	r.Handle("/static/*", http.FileServerFS(static))
	r.Post("/api/users", answer(s.signUp))
	r.Post("/api/session", answer(s.logIn))
	r.Group(func(r chi.Router) {
		r.Use(s.loggedIn)
		r.Delete("/api/session", answer(s.logOut))
		r.Get("/api/notes", answer(s.list))
		r.Post("/api/notes", answer(s.create))
		r.Route("/api/notes/{id}", func(r chi.Router) {
			r.Get("/", answer(s.read))
			r.Put("/", answer(s.change))
			r.Delete("/", answer(s.remove))
			r.Put("/file", answer(s.upload))
			r.Get("/file", answer(s.download))
		})
	})
	return r
}

// problem is an error that the client is told.
type problem struct {
	status int
	title  string
}

func (p *problem) Error() string { return p.title }

func refuse(status int, title string) error { return &problem{status, title} }

// answer makes a handler of one that returns an error. An error that is no
// problem of the client goes to the log.
func answer(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		var p *problem
		if !errors.As(err, &p) {
			slog.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
			p = &problem{http.StatusInternalServerError, "the server failed"}
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": p.status, "title": p.title})
	}
}

// maxBody is far above what a note takes.
const maxBody = 64 << 10

func decode(w http.ResponseWriter, r *http.Request, to any) error {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(to)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "the body is longer than 64 KiB")
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "the body is not the JSON that is expected: "+err.Error())
	}
	return nil
}

func write(w http.ResponseWriter, status int, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(b)
	return err
}

type userKey struct{}

// user is who the request is from; only what is under loggedIn asks.
func user(ctx context.Context) string { return ctx.Value(userKey{}).(string) }
