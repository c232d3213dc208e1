package trip

import "github.com/wasmoor/wasmoor/sdk/jsontext"

// Value pays an order of any form, as Map does, with the SDK's JSON.
func Value(text []byte) ([]byte, error) {
	var order document
	if err := jsontext.Unmarshal(text, &order); err != nil {
		return nil, err
	}
	return jsontext.Marshal(order)
}

// document is an object of any form.
type document struct{ jsontext.Value }

// WriteJSON writes the order paid.
func (d document) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	for name, value := range d.Object() {
		switch w.Name(name); name {
		case "paid":
			w.Bool(true)
		case "v":
			w.Int(value.Int() + 1)
		default:
			w.Value(value)
		}
	}
	w.EndObject()
}

// Typed pays an order that is read into a struct, as Struct does, with the SDK's
// JSON.
func Typed(text []byte) ([]byte, error) {
	var o order
	if err := jsontext.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	o.Paid, o.Version = true, o.Version+1
	return jsontext.Marshal(&o)
}

// ReadJSON reads an order.
func (o *order) ReadJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "id":
			o.ID = r.Int()
		case "customer":
			o.Customer = r.String()
		case "total":
			o.Total = r.Float64()
		case "paid":
			o.Paid = r.Bool()
		case "lines":
			for range r.Array() {
				var l line
				l.readJSON(r)
				o.Lines = append(o.Lines, l)
			}
		case "v":
			o.Version = r.Int()
		}
	}
}

func (l *line) readJSON(r *jsontext.Reader) {
	for name := range r.Object() {
		switch name {
		case "sku":
			l.SKU = r.String()
		case "count":
			l.Count = r.Int()
		}
	}
}

// WriteJSON writes an order.
func (o *order) WriteJSON(w *jsontext.Writer) {
	w.BeginObject()
	w.Name("id").Int(o.ID)
	w.Name("customer").String(o.Customer)
	w.Name("total").Float64(o.Total)
	w.Name("paid").Bool(o.Paid)
	w.Name("lines").BeginArray()
	for _, l := range o.Lines {
		w.BeginObject()
		w.Name("sku").String(l.SKU)
		w.Name("count").Int(l.Count)
		w.EndObject()
	}
	w.EndArray()
	w.Name("v").Int(o.Version)
	w.EndObject()
}
