// The guest reads and writes JSON with the SDK.
package main

import (
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/jsontext"
)

func init() { sdk.Handle(add) }

func main() {}

type note struct {
	Title string
	Tags  []string
	Stars float64
}

func (n *note) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "title":
			n.Title = r.String()
		case "tags":
			for range r.Array() {
				n.Tags = append(n.Tags, r.String())
			}
		case "stars":
			n.Stars = r.Float64()
		}
	}
}

func (n *note) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("title").String(n.Title)
	w.Name("tags").BeginArray()
	for _, tag := range n.Tags {
		w.String(tag)
	}
	w.EndArray()
	w.Name("stars").Float64(n.Stars)
	w.EndObject()
}

func add(w *sdk.Response, r *sdk.Request) error {
	var n note
	if err := jsontext.Read(r, 1<<10, &n); err != nil {
		return err
	}
	return jsontext.Write(w, 201, &n)
}
