// Reminders sends a text to a URL at a time. It shows what a plugin does beyond the
// request: a schedule looks for what is due, a queue takes each reminder by itself, and a
// webhook leaves with the commit.
package main

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	sdkjson "github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/queue"
	"github.com/wasmoor/wasmoor/sdk/webhook"
)

const (
	prefix  = "due/" // and the time, so that keys are sorted by it
	maxBody = 4 << 10
	batch   = 100 // messages that a request may send
)

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("POST /reminders", create)
	r.HandleFunc("POST /tasks/due", due)
	r.HandleFunc("POST /queues/remind", remind)
	return r
}

type reminder struct {
	At   time.Time `json:"at"`
	URL  string    `json:"url"`
	Text string    `json:"text"`
}

// create keeps a reminder.
func create(w *sdk.Response, r *sdk.Request) error {
	var m reminder
	if err := sdkjson.Read(r, maxBody, &m); err != nil {
		return err
	}
	if m.URL == "" || m.Text == "" || m.At.Unix() < 0 {
		return sdk.Error(422, `write {"at": "2030-01-01T12:00:00Z", "url": "https://example.com/hook", "text": "tea"}`)
	}
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var id [8]byte
	sdk.Random(id[:])
	if err := kv.Set(keyOf(m.At)+"/"+hex.EncodeToString(id[:]), value); err != nil {
		return err
	}
	w.SetStatus(201)
	return nil
}

// keyOf returns what the keys of the reminders of a second begin with.
func keyOf(at time.Time) string {
	digits := strconv.FormatInt(at.Unix(), 10)
	return prefix + "00000000000000000000"[:20-len(digits)] + digits
}

// due moves what is due into the queue, in the commit that settles the time of the
// schedule: no reminder is lost or moved twice. What is more than a batch comes a minute
// later.
func due(_ *sdk.Response, _ *sdk.Request) error {
	now := keyOf(time.Unix(0, sdk.Now()))
	entries, _, err := kv.List(kv.Query{Prefix: prefix, Limit: batch})
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Key[:len(now)] > now {
			break
		}
		if err := queue.Send("remind", e.Value); err != nil {
			return err
		}
		if err := kv.Delete(e.Key); err != nil {
			return err
		}
	}
	return nil
}

// remind sends one reminder. A URL that may not be called makes a dead letter of it, and
// stops no other.
func remind(w *sdk.Response, r *sdk.Request) error {
	value, err := r.Body(queue.MaxBody)
	if err != nil {
		return err
	}
	var m reminder
	if err := json.Unmarshal(value, &m); err != nil {
		return err
	}
	if err := webhook.Send(m.URL, value, "signing"); err != nil {
		return sdk.Error(422, err.Error())
	}
	return w.NoContent()
}
