// Gallery keeps pictures. It shows blobs: bytes of any size, which come and go with the
// request's transaction and pass the plugin by, and what a plugin makes of them.
package main

import (
	_ "embed"
	"errors"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/blobs"
	"github.com/wasmoor/wasmoor/sdk/jsontext"
)

//go:embed page.html
var page string

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /{$}", show)
	r.HandleFunc("GET /pictures", list)
	r.HandleFunc("POST /pictures", upload)
	r.HandleFunc("POST /pictures/done", uploaded)
	r.HandleFunc("GET /pictures/{id}", original)
	r.HandleFunc("GET /pictures/{id}/thumbnail", small)
	r.HandleFunc("DELETE /pictures/{id}", remove)
	return r
}

// show answers with the page. It may run its own script and ask the gallery alone.
func show(w *sdk.Response, _ *sdk.Request) error {
	w.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self'; connect-src 'self'; base-uri 'none'")
	return w.HTML(200, page)
}

// list answers with a part of the pictures. The host keeps the answer until a commit adds
// or removes a picture of it.
func list(w *sdk.Response, r *sdk.Request) error {
	after := r.Query().Get("after")
	if after != "" && !isID(after) {
		return sdk.Error(400, "after is the id of a picture")
	}
	found, err := newest(after)
	if err != nil {
		return err
	}
	return jsontext.Write(w, 200, found)
}

// upload takes a picture as the body of the request. A client of tus only asks here
// whether it may send one: the title stays with its upload until all of it is there.
func upload(w *sdk.Response, r *sdk.Request) error {
	title, err := titleOf(r.Query().Get("title"))
	if err != nil {
		return err
	}
	if r.Trigger() == "upload" {
		return w.Text(200, title)
	}
	return add(w, r, title)
}

// uploaded takes a picture that came in parts. The host has put them together.
func uploaded(w *sdk.Response, r *sdk.Request) error {
	return add(w, r, r.Attribute("upload.attachment"))
}

// original answers with a picture as it came, and with ?download has a browser save it.
func original(w *sdk.Response, r *sdk.Request) error {
	disposition := ""
	if r.Query().Get("download") != "" {
		p, err := find(r.PathValue("id"))
		if err != nil {
			return err
		}
		disposition = blobs.Attachment(p.title + "." + p.format)
	}
	return answer(w, r, originals, disposition)
}

// small answers with the thumbnail of a picture.
func small(w *sdk.Response, r *sdk.Request) error { return answer(w, r, thumbnails, "") }

// answer answers with a blob, whose bytes do not pass through the plugin. They are a
// stranger's: a browser shows them and does nothing else. It asks each time, and gets 304
// while the picture is there.
func answer(w *sdk.Response, r *sdk.Request, prefix, disposition string) error {
	id := r.PathValue("id")
	if !isID(id) {
		return errNone
	}
	w.SetHeader("Content-Security-Policy", "default-src 'none'; sandbox")
	w.SetHeader("X-Content-Type-Options", "nosniff")
	w.SetHeader("Cache-Control", "no-cache")
	err := blobs.Answer(prefix+id, disposition)
	if errors.Is(err, blobs.ErrNotFound) {
		return errNone
	}
	return err
}

func remove(w *sdk.Response, r *sdk.Request) error {
	p, err := find(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := p.delete(); err != nil {
		return err
	}
	return w.NoContent()
}
