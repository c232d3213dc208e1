// The plugin cacheguest counts, and has answers that are kept.
package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /count/{key}", count)
	r.HandleFunc("POST /hot", func(*sdk.Response, *sdk.Request) error { return kv.Add("hot", 1) })
	r.HandleFunc("POST /brief", func(*sdk.Response, *sdk.Request) error {
		return kv.SetTTL("brief", []byte("here"), kv.TTL(time.Second))
	})
	r.HandleFunc("GET /count/{key}", show)
	r.HandleFunc("GET /sum", sum)
	r.HandleFunc("GET /hot/{any}", hot)
	r.HandleFunc("GET /brief", brief)
	r.HandleFunc("GET /mine", mine)
	r.HandleFunc("GET /language", language)
	r.HandleFunc("GET /clock", clock)
	r.HandleFunc("GET /rough", clock)
	r.HandleFunc("GET /renewed", clock)
	r.HandleFunc("GET /hello", func(w *sdk.Response, _ *sdk.Request) error {
		w.SetHeader("Content-Type", "text/plain")
		_, err := w.Write([]byte("Hello, World!"))
		return err
	})
	sdk.Handle(r.Serve)
}

func main() {}

// number reads a count.
func number(key string) (int, error) {
	data, ok, err := kv.Get(key)
	if err != nil || !ok {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

func count(w *sdk.Response, r *sdk.Request) error {
	key := "n/" + r.PathValue("key")
	n, err := number(key)
	if err != nil {
		return err
	}
	if err := kv.Set(key, []byte(strconv.Itoa(n+1))); err != nil {
		return err
	}
	_, err = fmt.Fprint(w, n+1)
	return err
}

// show answers 404 while there is no count.
func show(w *sdk.Response, r *sdk.Request) error {
	n, err := number("n/" + r.PathValue("key"))
	if err != nil {
		return err
	}
	if n == 0 {
		w.SetStatus(404)
	}
	_, err = fmt.Fprint(w, n)
	return err
}

// sum walks over all counts.
func sum(w *sdk.Response, _ *sdk.Request) error {
	total := 0
	for entry, err := range kv.All(kv.Query{Prefix: "n/"}) {
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(entry.Value))
		if err != nil {
			return err
		}
		total += n
	}
	_, err := fmt.Fprint(w, total)
	return err
}

func hot(w *sdk.Response, _ *sdk.Request) error {
	n, err := kv.Int("hot")
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(w, n)
	return err
}

func brief(w *sdk.Response, _ *sdk.Request) error {
	data, _, err := kv.Get("brief")
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func mine(w *sdk.Response, r *sdk.Request) error {
	_, err := fmt.Fprint(w, r.Header("Authorization"), r.Remote())
	return err
}

func language(w *sdk.Response, r *sdk.Request) error {
	w.SetHeader("Vary", "Accept-Language")
	w.SetHeader("Cache-Control", "public, max-age=60")
	_, err := fmt.Fprint(w, r.Header("Accept-Language"))
	return err
}

func clock(w *sdk.Response, _ *sdk.Request) error {
	_, err := fmt.Fprint(w, time.Now().UnixNano())
	return err
}
