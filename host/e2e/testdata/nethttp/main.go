// Command nethttp is a guest made of an ordinary program for net/http, and of a
// handler that shows what is a plugin's own.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wasmoor/wasmoor/host/e2e/testdata/nethttp/app"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/nethttp"
	sdkslog "github.com/wasmoor/wasmoor/sdk/slog"
)

func main() {}

func init() {
	m := http.NewServeMux()
	m.Handle("/", app.Routes(pattern))
	m.HandleFunc("POST /own/get", get)
	m.HandleFunc("GET /own/deadline", deadline)
	m.HandleFunc("POST /own/form", form)
	m.HandleFunc("POST /own/count/{status}", count)
	m.HandleFunc("GET /own/log", logs)
	m.HandleFunc("GET /own/panic", func(http.ResponseWriter, *http.Request) { fall() })
	nethttp.Handle(m)
}

// pattern tells the host which route of chi has matched. It hears by itself of a
// pattern of http.ServeMux, unless middleware has copied the request.
func pattern(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		request, ok := nethttp.FromContext(r.Context()) // has Attempt, Attribute and Trigger, too
		if route := chi.RouteContext(r.Context()).RoutePattern(); ok && route != "" {
			request.SetPattern(r.Method + " " + route)
		}
	})
}

// get calls the URL in the body n times, each in a goroutine.
func get(w http.ResponseWriter, r *http.Request) {
	url, _ := io.ReadAll(r.Body)
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	answers := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i] = call(r, string(url)+strconv.Itoa(i)) })
	}
	all.Wait()
	fmt.Fprint(w, answers)
}

func call(r *http.Request, url string) string {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		var timeout net.Error
		return fmt.Sprint("timeout ", errors.As(err, &timeout) && timeout.Timeout())
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// deadline waits for the end of its context, and answers then.
func deadline(w http.ResponseWriter, r *http.Request) {
	at, ok := r.Context().Deadline()
	select {
	case <-r.Context().Done():
		fmt.Fprint(w, ok, " ", r.Context().Err(), " ", time.Since(at) >= 0)
	case <-time.After(time.Minute):
	}
}

// form has file parts of more than the memory that it gives.
func form(w http.ResponseWriter, r *http.Request) {
	most, _ := strconv.ParseInt(r.URL.Query().Get("memory"), 10, 64)
	if most == 0 {
		most = r.ContentLength
	}
	if err := r.ParseMultipartForm(most); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, r.MultipartForm.File["file"][0].Size)
}

// count writes, and answers with the status of the path.
func count(w http.ResponseWriter, r *http.Request) {
	n, err := kv.Int("n")
	if err == nil {
		err = kv.SetInt("n", n+1)
	}
	if err != nil {
		panic(err)
	}
	status, _ := strconv.Atoi(r.PathValue("status"))
	w.WriteHeader(status)
	fmt.Fprint(w, n)
}

func logs(http.ResponseWriter, *http.Request) {
	fmt.Println("to stdout")
	fmt.Fprintln(os.Stderr, "to stderr")
	log.SetFlags(0)
	log.Print("by log")
	slog.SetDefault(slog.New(sdkslog.NewHandler(nil)))
	slog.Warn("by slog", "a", 1)
	log.Print("by log and slog")
}

func fall() { panic("down") }
