// Ledger keeps the shop's books, in double entry: what one account gives another gets,
// so all accounts together are zero at any time.
package main

import (
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /balances", balances)
	r.HandleFunc("POST /entries", enter)
	return r
}

// Entry moves cents from one account to another.
type Entry struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Cents int64  `json:"cents"`
}

// Balances are the accounts. Sum is what is wrong with them: zero.
type Balances struct {
	Accounts map[string]int64 `json:"accounts"`
	Sum      int64            `json:"sum"`
}

const prefix = "account/"

func balances(w *sdk.Response, _ *sdk.Request) error {
	b := Balances{Accounts: map[string]int64{}}
	for e, err := range kv.All(kv.Query{Prefix: prefix}) {
		if err != nil {
			return err
		}
		cents, _ := kv.Counter(e.Value)
		b.Accounts[strings.TrimPrefix(e.Key, prefix)] = cents
		b.Sum += cents
	}
	return json.Write(w, 200, b)
}

// enter adds to both accounts without reading them, so entries never wait for one
// another.
func enter(w *sdk.Response, r *sdk.Request) error {
	var e Entry
	if err := json.Read(r, 1<<10, &e); err != nil {
		return err
	}
	if e.From == "" || e.To == "" || e.From == e.To || len(e.From)+len(e.To) > 100 || e.Cents < 1 {
		return sdk.Error(400, "an entry has two accounts and an amount above zero")
	}
	if err := kv.Add(prefix+e.From, -e.Cents); err != nil {
		return err
	}
	if err := kv.Add(prefix+e.To, e.Cents); err != nil {
		return err
	}
	return w.NoContent()
}
