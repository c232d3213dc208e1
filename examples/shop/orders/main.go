// Orders takes orders. One transaction takes the goods out of the stock, writes what the
// customer owes into the ledger, keeps the order, and sends the message by which it will
// be charged. Nobody sees half of that, whenever the server is killed.
package main

import (
	"crypto/rand"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/queue"
)

// price is what a unit of anything costs, in cents.
const price = 250

// Accounts of the ledger.
const (
	customers = "customers" // what they owe
	sales     = "sales"
	bank      = "bank" // what was charged
)

// States of an order. Each has a counter.
const (
	placed   = "placed"
	paid     = "paid"
	declined = "declined"
)

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("POST /{$}", place)
	r.HandleFunc("GET /{id}", show)
	r.HandleFunc("GET /totals", totals)
	r.HandleFunc("POST /queues/charge", charge)
	return r
}

// Order is what is kept of one.
type Order struct {
	ID    string `json:"id"`
	Item  string `json:"item"`
	Units int64  `json:"units"`
	Cents int64  `json:"cents"`
	State string `json:"state"`
}

// place takes an order. A client that repeats its Idempotency-Key gets the same answer.
func place(w *sdk.Response, r *sdk.Request) error {
	var ask struct {
		Item  string `json:"item"`
		Units int64  `json:"units"`
	}
	if err := json.Read(r, 1<<10, &ask); err != nil {
		return err
	}
	if ask.Item == "" || strings.ContainsAny(ask.Item, "/?#%") || ask.Units < 1 || ask.Units > 100 {
		return sdk.Error(400, "an order is an item and a number of units from 1 to 100")
	}
	o := Order{ID: rand.Text(), Item: ask.Item, Units: ask.Units, Cents: ask.Units * price, State: placed}
	if err := move(&o, "taken"); err != nil {
		return err
	}
	if err := enter(customers, sales, o.Cents); err != nil {
		return err
	}
	if err := o.keep(); err != nil {
		return err
	}
	if err := queue.Send("charge", []byte(o.ID)); err != nil {
		return err
	}
	return json.Write(w, 201, o)
}

func show(w *sdk.Response, r *sdk.Request) error {
	o, err := find(r.PathValue("id"))
	if err != nil {
		return err
	}
	return json.Write(w, 200, o)
}

// Totals are how many orders are in each state.
type Totals struct {
	Placed   int64 `json:"placed"`
	Paid     int64 `json:"paid"`
	Declined int64 `json:"declined"`
}

func totals(w *sdk.Response, _ *sdk.Request) error {
	var t Totals
	for state, n := range map[string]*int64{placed: &t.Placed, paid: &t.Paid, declined: &t.Declined} {
		var err error
		if *n, err = kv.Int("total/" + state); err != nil {
			return err
		}
	}
	return json.Write(w, 200, t)
}

// charge has the payment service charge an order, and notes what came of it. A kill
// between the two has it called again with the same key, so it charges once.
func charge(w *sdk.Response, r *sdk.Request) error {
	message, ok := queue.From(r)
	if !ok {
		return sdk.Error(404, "this is for messages")
	}
	id, err := r.Body(64)
	if err != nil {
		return err
	}
	o, err := find(string(id))
	if err != nil {
		return err
	}
	status, err := pay(&o, message.ID)
	if err != nil {
		return err
	}
	switch {
	case status == 402:
		return o.decline(w)
	case status/100 != 2:
		return sdk.Error(502, "the payment service answers "+strconv.Itoa(status))
	}
	if err := enter(bank, customers, o.Cents); err != nil {
		return err
	}
	if err := o.become(paid); err != nil {
		return err
	}
	return w.NoContent()
}

// pay asks the payment service, and returns what it answers.
func pay(o *Order, key string) (status int, err error) {
	url, _ := sdk.Config("PAYMENTS")
	resp, err := fetch.Do(&fetch.Request{
		Method: "POST", URL: url + "/charges",
		Header: fetch.Header{{Name: "idempotency-key", Value: key}, {Name: "content-type", Value: "text/plain"}},
		Body:   strings.NewReader(o.ID + " " + strconv.FormatInt(o.Cents, 10)),
	})
	if err != nil {
		return 0, err
	}
	return resp.Status, nil
}

// decline undoes what the order did, in one transaction again.
func (o *Order) decline(w *sdk.Response) error {
	if err := move(o, "returned"); err != nil {
		return err
	}
	if err := enter(sales, customers, o.Cents); err != nil {
		return err
	}
	if err := o.become(declined); err != nil {
		return err
	}
	return w.NoContent()
}

// become changes the state of an order that was placed.
func (o *Order) become(state string) error {
	if err := kv.Add("total/"+o.State, -1); err != nil {
		return err
	}
	o.State = state
	return o.keep()
}

// keep keeps an order, and counts it.
func (o *Order) keep() error {
	if err := kv.Add("total/"+o.State, 1); err != nil {
		return err
	}
	return kv.Set("order/"+o.ID, []byte(o.Item+" "+strconv.FormatInt(o.Units, 10)+" "+o.State))
}

func find(id string) (Order, error) {
	value, ok, err := kv.Get("order/" + id)
	if err != nil {
		return Order{}, err
	}
	if !ok {
		return Order{}, sdk.Error(404, "there is no such order")
	}
	f := strings.Split(string(value), " ")
	units, _ := strconv.ParseInt(f[1], 10, 64)
	return Order{ID: id, Item: f[0], Units: units, Cents: units * price, State: f[2]}, nil
}

// move has the plugin stock take the units of an order, or take them back.
func move(o *Order, what string) error {
	return call("stock", "/items/"+o.Item+"/"+what, "text/plain", strconv.FormatInt(o.Units, 10))
}

// enter has the plugin ledger write an entry.
func enter(from, to string, cents int64) error {
	return call("ledger", "/entries", "application/json",
		`{"from":"`+from+`","to":"`+to+`","cents":`+strconv.FormatInt(cents, 10)+`}`)
}

// call asks another plugin. What it writes is a part of this request's transaction; an
// answer that is no success ends this request too, with nothing written anywhere.
func call(service, path, contentType, body string) error {
	resp, err := fetch.Do(&fetch.Request{
		Method: "POST", URL: "http://" + service + ".wasmoor.internal" + path,
		Header: fetch.Header{{Name: "content-type", Value: contentType}}, Body: strings.NewReader(body),
	})
	if err != nil {
		return err
	}
	switch {
	case resp.Status == 404 || resp.Status == 409:
		return sdk.Error(resp.Status, "the stock has not so much of that")
	case resp.Status/100 != 2:
		return sdk.Error(502, service+" answers "+strconv.Itoa(resp.Status))
	}
	return nil
}
