// The plugin socketguest does on sockets what clients tell it to.
package main

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/socket"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("GET /rooms/{id}", open)
	r.HandleFunc("POST /rooms/{id}/events", event)
	r.HandleFunc("POST /publish", publish)
	r.HandleFunc("POST /tell", tell)
	r.HandleFunc("GET /count", count)
	r.HandleFunc("GET /closes", closes)
	sdk.Handle(r.Serve)
}

func main() {}

func has(r *sdk.Request, name string) bool {
	_, ok := r.Query().Lookup(name)
	return ok
}

// open follows the topics of the query, and answers with its status and body.
func open(w *sdk.Response, r *sdk.Request) error {
	e, ok := socket.From(r)
	if !ok || e.Kind != socket.Open {
		w.SetStatus(500)
		return nil
	}
	for name, topic := range r.Query().All() {
		if name != "topic" {
			continue
		}
		if err := socket.Follow(e.ID, topic); err != nil {
			return err
		}
	}
	if name := r.Query().Get("as"); name != "" {
		if err := socket.Attach(e.ID, name); err != nil {
			return err
		}
	}
	if has(r, "write") {
		if err := kv.Add("opened", 1); err != nil {
			return err
		}
	}
	if p := r.Query().Get("protocol"); p != "" {
		w.SetHeader("Sec-WebSocket-Protocol", p)
	}
	w.SetHeader("Set-Cookie", "seen=1")
	if status, err := strconv.Atoi(r.Query().Get("status")); err == nil {
		w.SetStatus(status)
	}
	if has(r, "since") { // what was numbered last; what comes next is what is published
		n, err := kv.Int("number")
		if err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond) // others publish meanwhile
		_, err = w.WriteString(strconv.FormatInt(n, 10))
		return err
	}
	if has(r, "hello") {
		_, err := w.WriteString("hello " + e.ID)
		return err
	}
	return nil
}

// event does what a message says, and notes a close.
func event(w *sdk.Response, r *sdk.Request) error {
	e, ok := socket.From(r)
	if !ok {
		w.SetStatus(500)
		return nil
	}
	if e.Kind == socket.Closed {
		return kv.Add(fmt.Sprintf("closes/%s %s %d %s %t", r.PathValue("id"), e.Attachment, e.Code, e.Reason, e.ByClient), 1)
	}
	body, err := r.Body(socket.MaxData)
	if err != nil {
		return err
	}
	if r.PathValue("id") == "echo" { // what is said there is no order; an empty body would answer nothing
		return socket.SendContent(e.ID, socket.Content{Data: body, Binary: e.Binary})
	}
	what, rest, _ := strings.Cut(string(body), " ")
	switch what {
	case "echo":
		_, err = w.WriteString(rest)
	case "binary":
		w.SetHeader("Content-Type", "application/octet-stream")
		_, err = w.Write([]byte{0xff, 0})
	case "who":
		version, _ := sdk.Config("version")
		_, err = w.WriteString(version + " " + e.Attachment + " " + r.PathValue("id") + " " + strconv.FormatBool(e.Binary))
	case "attach":
		err = socket.Attach(e.ID, rest)
	case "follow":
		err = socket.Follow(e.ID, rest)
	case "unfollow":
		err = socket.Unfollow(e.ID, rest)
	case "say":
		topic, text, _ := strings.Cut(rest, " ")
		err = socket.Publish(topic, []byte(text))
	case "append": // proves that events of one socket come one after the other
		data, _, readErr := kv.Get("log/" + e.ID)
		if readErr != nil {
			return readErr
		}
		n, _ := strconv.Atoi(string(data))
		if want, _ := strconv.Atoi(rest); want != n {
			_, err = w.WriteString(fmt.Sprintf("out of order: %d after %d", want, n))
			return err
		}
		err = kv.Set("log/"+e.ID, []byte(strconv.Itoa(n+1)))
		if err == nil {
			_, err = w.WriteString("appended " + rest)
		}
	case "close":
		code, reason, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(code)
		err = socket.Close(e.ID, n, reason)
	case "refuse":
		w.SetStatus(422)
	case "fail":
		w.SetStatus(500)
	case "trap":
		panic("it was told to")
	}
	return err
}

// publish publishes each line of the body on a topic, and keeps how many there were.
func publish(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		c := socket.Content{Data: []byte(strings.TrimSuffix(line, "\n")), Event: r.Query().Get("event")}
		if has(r, "binary") {
			if c.Data, err = base64.StdEncoding.DecodeString(string(c.Data)); err != nil {
				return err
			}
			c.Binary = true
		}
		if err := socket.PublishContent(r.Query().Get("topic"), c); err != nil {
			return err
		}
	}
	if has(r, "write") {
		if err := kv.Add("published", 1); err != nil {
			return err
		}
	}
	if has(r, "number") {
		n, err := kv.Int("number")
		if err != nil {
			return err
		}
		if err := kv.SetInt("number", n+1); err != nil {
			return err
		}
		return socket.Publish(r.Query().Get("topic"), strconv.AppendInt(nil, n+1, 10))
	}
	if status, err := strconv.Atoi(r.Query().Get("status")); err == nil {
		w.SetStatus(status)
	}
	return nil
}

// tell sends the body on a socket.
func tell(_ *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	return socket.Send(r.Query().Get("id"), body)
}

func count(w *sdk.Response, r *sdk.Request) error {
	n, err := socket.Count(r.Query().Get("topic"))
	if err != nil {
		return err
	}
	_, err = w.WriteString(strconv.Itoa(n))
	return err
}

// closes lists what handlers of closes were told.
func closes(w *sdk.Response, _ *sdk.Request) error {
	for e, err := range kv.All(kv.Query{Prefix: "closes/"}) {
		if err != nil {
			return err
		}
		n, _ := kv.Counter(e.Value)
		if _, err := fmt.Fprintf(w, "%s x%d\n", strings.TrimPrefix(e.Key, "closes/"), n); err != nil {
			return err
		}
	}
	return nil
}
