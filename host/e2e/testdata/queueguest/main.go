// The plugin queueguest sends messages and handles them as their bodies say.
package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/queue"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /send", send)
	r.HandleFunc("GET /order", order)
	r.HandleFunc("GET /handled", handled)
	r.HandleFunc("POST /queues/jobs", handle)
	sdk.Handle(r.Serve)
}

func main() {}

// send sends a message for each line of the body: a key or "-", and what it says.
func send(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		key, message, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key == "-" {
			key = ""
		}
		if _, err := queue.SendWith("jobs", []byte(message), queue.Options{Key: key}); err != nil {
			return err
		}
	}
	return nil
}

// handle notes that it has handled a message. One that says "poison" it refuses, and
// "flaky" and a number it fails so many times, each time after it has written.
func handle(w *sdk.Response, r *sdk.Request) error {
	d, ok := queue.From(r)
	if !ok {
		w.SetStatus(500)
		return nil
	}
	text, err := r.Body(1 << 10)
	if err != nil {
		return err
	}
	body := string(text)
	if err := kv.Add("handled/"+body, 1); err != nil {
		return err
	}
	what, rest, _ := strings.Cut(body, " ")
	switch n, _ := strconv.Atoi(rest); {
	case what == "poison":
		w.SetStatus(500)
		return nil
	case what == "refused":
		w.SetStatus(422)
		return nil
	case what == "flaky" && d.Attempt <= n%3:
		panic("it fails")
	}
	if d.Key == "" {
		return nil
	}
	before, _, err := kv.Get("order/" + d.Key)
	if err != nil {
		return err
	}
	return kv.Set("order/"+d.Key, append(before, body+"\n"...))
}

// handled lists how often each message was handled: a number, a space and its body.
func handled(w *sdk.Response, r *sdk.Request) error {
	for e, err := range kv.All(kv.Query{Prefix: "handled/"}) {
		if err != nil {
			return err
		}
		n, _ := kv.Counter(e.Value)
		if _, err := fmt.Fprintf(w, "%d %s\n", n, strings.TrimPrefix(e.Key, "handled/")); err != nil {
			return err
		}
	}
	return nil
}

// order lists what was handled of a key.
func order(w *sdk.Response, r *sdk.Request) error {
	data, _, err := kv.Get("order/" + r.Query().Get("key"))
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
