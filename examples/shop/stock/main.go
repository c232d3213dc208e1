// Stock knows how much there is of everything that the shop sells. Its page shows that
// as it changes; other plugins take from it, and bring back.
package main

import (
	_ "embed"
	"strconv"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// items are what the shop sells, and how much of each there was when it opened.
var items = []struct {
	name    string
	opening int64
}{{"coffee", 400_000}, {"sugar", 400_000}, {"tea", 400_000}}

//go:embed page.html
var page string

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /{$}", show)
	r.HandleFunc("GET /items", list)
	r.HandleFunc("POST /items/{item}/taken", take)
	r.HandleFunc("POST /items/{item}/returned", bringBack)
	return r
}

// show answers with the page. It may run its own script and ask the shop alone.
func show(w *sdk.Response, _ *sdk.Request) error {
	w.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'")
	return w.HTML(200, page)
}

// Item is how it stands with one of them. Left and Sold are all there ever was.
type Item struct {
	Name string `json:"name"`
	Left int64  `json:"left"`
	Sold int64  `json:"sold"`
}

// list answers with all items. The route is live: a browser that asks for events gets
// the list again whenever a commit has changed one of the keys that it was made of.
func list(w *sdk.Response, _ *sdk.Request) error {
	all := make([]Item, 0, len(items))
	for _, i := range items {
		sold, err := kv.Int("sold/" + i.name)
		if err != nil {
			return err
		}
		all = append(all, Item{Name: i.name, Left: i.opening - sold, Sold: sold})
	}
	return json.Write(w, 200, all)
}

// take takes units of an item out of the stock: the body is how many.
func take(w *sdk.Response, r *sdk.Request) error {
	key, opening, units, err := asked(r)
	if err != nil {
		return err
	}
	sold, err := kv.Int(key)
	if err != nil {
		return err
	}
	if sold+units > opening {
		return sdk.Error(409, "there is not so much left")
	}
	if err := kv.Add(key, units); err != nil {
		return err
	}
	return w.NoContent()
}

// bringBack puts units back that were taken.
func bringBack(w *sdk.Response, r *sdk.Request) error {
	key, _, units, err := asked(r)
	if err != nil {
		return err
	}
	if err := kv.Add(key, -units); err != nil {
		return err
	}
	return w.NoContent()
}

// asked returns the key of an item, how much of it there was, and the units that the
// body asks for.
func asked(r *sdk.Request) (key string, opening, units int64, err error) {
	name := r.PathValue("item")
	for _, i := range items {
		if i.name == name {
			key, opening = "sold/"+name, i.opening
		}
	}
	if key == "" {
		return "", 0, 0, sdk.Error(404, "the shop does not sell that")
	}
	body, err := r.Body(16)
	if err != nil {
		return "", 0, 0, err
	}
	units, err = strconv.ParseInt(string(body), 10, 64)
	if err != nil || units < 1 || units > 100 {
		return "", 0, 0, sdk.Error(400, "the body is a number of units from 1 to 100")
	}
	return key, opening, units, nil
}
