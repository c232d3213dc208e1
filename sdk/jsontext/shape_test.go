package jsontext_test

import (
	"time"

	"github.com/wasmoor/wasmoor/sdk/jsontext"
)

// order has the shapes that bodies have, for both ways of reading and writing it.
type order struct {
	ID     int64    `json:"id"`
	Name   string   `json:"name"`
	Price  float64  `json:"price"`
	Paid   bool     `json:"paid"`
	Due    stamp    `json:"due"`
	Tags   []string `json:"tags"`
	Buyer  *person  `json:"buyer"`
	Lines  []line   `json:"lines"`
	Serial uint64   `json:"serial"`
	Note   *string  `json:"note,omitempty"`
}

// stamp is a time that encoding/json reads as a text: it does not decode that of a
// time.Time.
type stamp struct{ time time.Time }

func (s stamp) MarshalText() ([]byte, error)     { return s.time.MarshalText() }
func (s *stamp) UnmarshalText(text []byte) error { return s.time.UnmarshalText(text) }

type person struct {
	Name string `json:"name"`
	Age  int    `json:"age"`
}

type line struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

func (o *order) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "id":
			o.ID = r.Int64()
		case "name":
			o.Name = r.String()
		case "price":
			o.Price = r.Float64()
		case "paid":
			o.Paid = r.Bool()
		case "due":
			r.Text(&o.Due)
		case "tags":
			o.Tags = nil
			for range r.Array() {
				o.Tags = append(o.Tags, r.String())
			}
		case "buyer":
			if o.Buyer = nil; !r.Null() {
				o.Buyer = new(person)
				o.Buyer.ReadJSON(r)
			}
		case "lines":
			o.Lines = nil
			for range r.Array() {
				var l line
				l.ReadJSON(r)
				o.Lines = append(o.Lines, l)
			}
		case "serial":
			o.Serial = r.Uint64()
		case "note":
			if o.Note = nil; !r.Null() {
				note := r.String()
				o.Note = &note
			}
		}
	}
}

func (p *person) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "name":
			p.Name = r.String()
		case "age":
			p.Age = r.Int()
		}
	}
}

func (l *line) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "item":
			l.Item = r.String()
		case "count":
			l.Count = r.Int()
		}
	}
}

func (o *order) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("id").Int64(o.ID)
	w.Name("name").String(o.Name)
	w.Name("price").Float64(o.Price)
	w.Name("paid").Bool(o.Paid)
	w.Name("due").Text(o.Due)
	w.Name("tags").BeginArray()
	for _, tag := range o.Tags {
		w.String(tag)
	}
	w.EndArray()
	if w.Name("buyer"); o.Buyer != nil {
		o.Buyer.WriteJSON(w)
	} else {
		w.Null()
	}
	w.Name("lines").BeginArray()
	for i := range o.Lines {
		o.Lines[i].WriteJSON(w)
	}
	w.EndArray()
	w.Name("serial").Uint64(o.Serial)
	if o.Note != nil {
		w.Name("note").String(*o.Note)
	}
	w.EndObject()
}

func (p *person) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("name").String(p.Name)
	w.Name("age").Int(p.Age)
	w.EndObject()
}

func (l *line) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("item").String(l.Item)
	w.Name("count").Int(l.Count)
	w.EndObject()
}

const (
	// short has 130 bytes.
	short = `{"id":81231,"name":"a name of some length","price":19.5,"paid":true,"tags":["red","large"],"buyer":{"name":"Ada Lovelace","age":36}}`
	whole = `{"id":-9007199254740993,"name":"caf\u00e9 \ud83d\ude00 \"q\" <b>","price":-1.25e-7,"paid":false,"due":"2026-11-29T05:00:00.5Z",` +
		`"tags":[],"buyer":null,"lines":[{"item":"pen","count":2},{"item":"","count":0}],"serial":18446744073709551615,"note":"x"}`
)
