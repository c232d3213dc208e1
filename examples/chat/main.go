// Chat is rooms in which people talk, over WebSockets or event streams. It shows that a
// plugin needs no process for open connections: the host keeps them, and what is said in
// a room is an effect of the commit that keeps it.
package main

import (
	_ "embed"
	gojson "encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/socket"
)

const (
	maxName = 40  // bytes
	maxText = 500 // bytes
	history = 20  // messages that somebody who comes in is shown
)

//go:embed page.html
var page string

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /{$}", show)
	r.HandleFunc("GET /rooms/{room}", enter)
	r.HandleFunc("POST /rooms/{room}/events", hear)
	return r
}

// Said is what people in a room get: a message, or who is there without one.
type Said struct {
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
	At   int64  `json:"at,omitempty"`   // Unix milliseconds
	Here int    `json:"here,omitempty"` // people in the room
}

func show(w *sdk.Response, _ *sdk.Request) error {
	w.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'")
	return w.HTML(200, page)
}

// room is the key of a room's messages, and the name of its topic.
func room(r *sdk.Request) string { return "room/" + r.PathValue("room") + "/" }

// enter lets somebody in, and sends what was said last. The visit is counted so that the
// request commits: what it has read is then still true as it begins to follow, and no
// message falls between the two.
func enter(w *sdk.Response, r *sdk.Request) error {
	e, ok := socket.From(r)
	if !ok {
		return sdk.Error(426, "a room is entered by a WebSocket, or by an event stream to listen")
	}
	name := strings.TrimSpace(r.Query().Get("name"))
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return sdk.Error(400, "the query has a name, of 40 bytes at most")
	}
	if err := socket.Attach(e.ID, name); err != nil {
		return err
	}
	last, _, err := kv.List(kv.Query{Prefix: room(r), Limit: history, Reverse: true})
	if err != nil {
		return err
	}
	for _, said := range slices.Backward(last) {
		if err := socket.Send(e.ID, said.Value); err != nil {
			return err
		}
	}
	if err := kv.Add("visits", 1); err != nil {
		return err
	}
	if err := socket.Follow(e.ID, room(r)); err != nil {
		return err
	}
	return announce(r, 1)
}

// hear is told of what people say, and of those who leave.
func hear(w *sdk.Response, r *sdk.Request) error {
	e, ok := socket.From(r)
	if !ok {
		return sdk.Error(404, "this is for sockets")
	}
	if e.Kind == socket.Closed {
		return announce(r, 0) // it does not follow any more
	}
	var m struct {
		Text string `json:"text"`
	}
	body, err := r.Body(socket.MaxData)
	if err != nil {
		return err
	}
	if e.Binary || gojson.Unmarshal(body, &m) != nil || strings.TrimSpace(m.Text) == "" || len(m.Text) > maxText {
		return json.Write(w, 200, map[string]string{"problem": "a message is JSON with a text of 500 bytes at most"})
	}
	text, err := gojson.Marshal(Said{Name: e.Attachment, Text: m.Text, At: time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	if err := kv.Append(room(r), text); err != nil {
		return err
	}
	if err := socket.Publish(room(r), text); err != nil {
		return err
	}
	return w.NoContent()
}

// announce tells the room how many are there, with those that this commit adds.
func announce(r *sdk.Request, more int) error {
	here, err := socket.Count(room(r))
	if err != nil {
		return err
	}
	text, err := gojson.Marshal(Said{Here: here + more})
	if err != nil {
		return err
	}
	return socket.Publish(room(r), text)
}
