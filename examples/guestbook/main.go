// Guestbook is a page that visitors write on. It shows the store: a list read
// page by page, entries with a time to live, and several writes that happen
// together or not at all.
package main

import (
	"github.com/wasmoor/wasmoor/sdk"
)

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /{$}", show)
	r.HandleFunc("POST /entries", sign)
	return r
}

// show answers with a page of entries, the newest first.
func show(w *sdk.Response, r *sdk.Request) error {
	return render(w, r, draft{})
}

// maxForm is more than the longest valid form, percent escapes included.
const maxForm = 8 << 10

// sign takes the form. What it refuses comes back in the form to be corrected.
func sign(w *sdk.Response, r *sdk.Request) error {
	form, err := r.Form(maxForm)
	if err != nil {
		return err
	}
	d := draft{name: form.Get("name"), text: form.Get("text"), keep: form.Get("keep")}
	if d.fault = d.check(); d.fault != "" {
		w.SetStatus(422)
		return render(w, r, d)
	}
	ok, err := admit(r.Remote())
	if err != nil {
		return err
	}
	if !ok {
		d.fault = "You have just signed. Come back in a moment."
		w.SetHeader("Retry-After", "10")
		w.SetStatus(429)
		return render(w, r, d)
	}
	if err := store(d); err != nil {
		return err
	}
	return w.Redirect(303, r.Mount()+"/")
}
