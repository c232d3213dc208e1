// The plugin webhookguest sends webhooks as it is told, and receives some.
package main

import (
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/webhook"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /send", send)
	r.HandleFunc("POST /receive", receive)
	r.HandleFunc("GET /received", received)
	sdk.Handle(r.Serve)
}

func main() {}

// send sends a webhook for each line of the body: a URL and what it says. A line "abort"
// drops them all.
func send(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		url, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if url == "abort" {
			w.SetStatus(500)
			return nil
		}
		if err := webhook.SendTo(url, []byte(text), "signing", r.Query().Get("account")); err != nil {
			w.SetStatus(422)
			_, err = w.WriteString(err.Error())
			return err
		}
	}
	return nil
}

// receive verifies a webhook with a secret that the guest may read, for the account acme,
// and takes each once.
func receive(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(webhook.MaxBody)
	if err != nil {
		return err
	}
	mine, _ := sdk.Config("mine")
	secret, err := webhook.SecretFor(mine, "acme")
	if err != nil {
		return err
	}
	if err := webhook.Verify(r, body, secret); err != nil {
		w.SetStatus(401)
		_, err = w.WriteString(err.Error())
		return err
	}
	return kv.Set("received/"+webhook.ID(r), body)
}

func received(w *sdk.Response, r *sdk.Request) error {
	for e, err := range kv.All(kv.Query{Prefix: "received/"}) {
		if err != nil {
			return err
		}
		if _, err := w.Write(append(e.Value, '\n')); err != nil {
			return err
		}
	}
	return nil
}
