// Jsontextguest answers the JSON of its request's body, read and written by the
// SDK without reflection, as jsonguest does with encoding/json.
package main

import (
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/jsontext"
)

func init() { sdk.Handle(answer) }

func main() {}

// call is what the body tells of an HTTP request.
type call struct {
	Method, Path string
	Header       []field
	Body         string
}

type field struct{ name, value string }

func (c *call) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "method":
			c.Method = r.String()
		case "path":
			c.Path = r.String()
		case "header":
			for name := range r.Object() {
				c.Header = append(c.Header, field{name, r.String()})
			}
		case "body":
			c.Body = r.String()
		}
	}
}

func (c *call) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("method").String(c.Method)
	w.Name("path").String(c.Path)
	w.Name("header").BeginObject()
	for _, f := range c.Header {
		w.Name(f.name).String(f.value)
	}
	w.EndObject()
	w.Name("body").String(c.Body)
	w.EndObject()
}

func answer(w *sdk.Response, r *sdk.Request) error {
	var c call
	if err := jsontext.Read(r, 2<<20, &c); err != nil {
		return err
	}
	return jsontext.Write(w, 200, &c)
}
