// The plugin liveguest counts, and shows its count as a live answer.
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
	r.HandleFunc("POST /count", count)
	r.HandleFunc("POST /reset", reset)
	r.HandleFunc("POST /close", func(*sdk.Response, *sdk.Request) error { return kv.Set("closed", []byte("yes")) })
	r.HandleFunc("POST /brief", func(*sdk.Response, *sdk.Request) error {
		return kv.SetTTL("brief", []byte("here"), kv.TTL(1500*time.Millisecond))
	})
	r.HandleFunc("GET /state", state)
	r.HandleFunc("GET /mine", mine)
	r.HandleFunc("GET /brief", brief)
	r.HandleFunc("GET /writes", func(*sdk.Response, *sdk.Request) error { return kv.Set("written", []byte("yes")) })
	r.HandleFunc("GET /plain", state)
	r.HandleFunc("POST /add", func(*sdk.Response, *sdk.Request) error { return kv.Add("hot", 1) })
	r.HandleFunc("GET /hot", hot)
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

// count adds one to both counts, which are the same in every state.
func count(w *sdk.Response, r *sdk.Request) error {
	n, err := number("a")
	if err != nil {
		return err
	}
	text := strconv.Itoa(n + 1)
	if err := kv.Set("a", []byte(text)); err != nil {
		return err
	}
	if err := kv.Set("list/"+strconv.Itoa(n%5), []byte(text)); err != nil {
		return err
	}
	if err := kv.Set("b", []byte(text)); err != nil {
		return err
	}
	_, err = fmt.Fprint(w, text)
	return err
}

func reset(w *sdk.Response, r *sdk.Request) error { return kv.Delete("closed") }

// state shows both counts and the greatest of a list, which are one number.
func state(w *sdk.Response, r *sdk.Request) error {
	_, closed, err := kv.Get("closed")
	if err != nil {
		return err
	}
	if closed {
		w.SetStatus(403)
		return nil
	}
	a, err := number("a")
	if err != nil {
		return err
	}
	b, err := number("b")
	if err != nil {
		return err
	}
	greatest := 0
	for e, err := range kv.All(kv.Query{Prefix: "list/"}) {
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(e.Value))
		if err != nil {
			return err
		}
		greatest = max(greatest, n)
	}
	_, err = fmt.Fprintf(w, "%d %d %d", a, b, greatest)
	return err
}

func hot(w *sdk.Response, r *sdk.Request) error {
	n, err := kv.Int("hot")
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(w, n)
	return err
}

// mine shows who asks.
func mine(w *sdk.Response, r *sdk.Request) error {
	n, err := number("a")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s %s %q %q %d", r.Header("authorization"), r.Remote(), r.Header("user-agent"), r.Header("accept"), n)
	return err
}

func brief(w *sdk.Response, r *sdk.Request) error {
	data, _, err := kv.Get("brief")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "[%s]", data)
	return err
}
