// Package app is a program for net/http with chi that knows nothing of plugins. A
// test serves it with net/http and as a plugin, and compares.
package app

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

//go:embed static
var static embed.FS

// Routes returns the program's handler, with more middleware around it.
func Routes(more ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(more...)
	r.Use(middleware.RequestID, middleware.Logger, middleware.Recoverer, middleware.Compress(5, "text/plain"),
		middleware.Timeout(time.Minute), middleware.StripSlashes, middleware.Heartbeat("/ping"))
	r.Get("/hello/{name}", hello)
	r.Route("/items", func(r chi.Router) {
		r.With(middleware.AllowContentType("application/json")).Post("/", create)
		r.Get("/{id}", func(w http.ResponseWriter, r *http.Request) { answer(w, 200, chi.URLParam(r, "id")) })
	})
	r.Post("/upload", upload)
	r.Handle("/static/*", http.FileServerFS(static))
	r.Get("/old", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/hello/again", http.StatusSeeOther) })
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("boo") })
	r.Handle("/slow", http.TimeoutHandler(http.HandlerFunc(slow), 10*time.Millisecond, "too slow\n"))
	r.Mount("/mux", http.StripPrefix("/mux", mux()))
	r.NotFound(func(w http.ResponseWriter, r *http.Request) { answer(w, 404, "nothing at "+r.URL.Path) })
	return r
}

func hello(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", HttpOnly: true})
	fmt.Fprintf(w, "Hello, %s! %v\n", chi.URLParam(r, "name"), r.Cookies())
}

func create(w http.ResponseWriter, r *http.Request) {
	var item map[string]any
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 100)).Decode(&item); err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Location", "/items/1")
	answer(w, http.StatusCreated, item)
}

func upload(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("file")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	answer(w, http.StatusOK, []any{header.Filename, len(content), r.FormValue("title"), err == nil})
}

func slow(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(time.Minute):
	}
}

func mux() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /books/{isbn}", func(w http.ResponseWriter, r *http.Request) { answer(w, 200, r.PathValue("isbn")) })
	return m
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
