// Crm keeps contacts and deals in a SQLite database. It shows migrations, constraints
// that become answers, pages, full-text search, and changes of several rows that happen
// together.
package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

// db is [sql.main] in the manifest. What a request does with it is one transaction, which
// commits with the answer; a handler that returns an error has changed nothing.
var db = sql.Database("main")

// maxBody is more than the longest valid body takes, escapes included.
const maxBody = 64 << 10

func init() { sdk.Handle(routes().Serve) }

func main() {}

func routes() *sdk.Router {
	r := sdk.NewRouter()
	r.HandleFunc("GET /contacts", listContacts)
	r.HandleFunc("POST /contacts", addContact)
	r.HandleFunc("GET /contacts/{id}", getContact)
	r.HandleFunc("PUT /contacts/{id}", changeContact)
	r.HandleFunc("DELETE /contacts/{id}", deleteContact)
	r.HandleFunc("GET /search", search)
	r.HandleFunc("POST /contacts/{id}/deals", addDeal)
	r.HandleFunc("POST /deals/{id}/win", winDeal)
	r.HandleFunc("GET /pipeline", pipeline)
	return r
}

var (
	errNoContact = sdk.Error(404, "there is no such contact")
	errNoDeal    = sdk.Error(404, "there is no such deal")
)

// number returns an id in a path or a cursor. What is none is 0, which no row has.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// checkText returns the problem of a field that is to be one line of 1 to most characters.
func checkText(field, text string, most int) error {
	switch {
	case strings.TrimSpace(text) == "":
		return sdk.Error(422, field+" is missing")
	case strings.ContainsFunc(text, unicode.IsControl):
		return sdk.Error(422, field+" has control characters; write one line of text")
	}
	return checkLength(field, text, most)
}

func checkLength(field, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return sdk.Error(422, field+" has "+strconv.Itoa(n)+" characters; at most "+strconv.Itoa(most)+" are allowed")
	}
	return nil
}
