package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
)

const maxQuery = 200 // bytes

// search answers with the contacts that have all the words, the best first.
func search(w *sdk.Response, r *sdk.Request) error {
	text := r.Query().Get("q")
	query := match(text)
	if query == "" || len(text) > maxQuery {
		return sdk.Error(400, "q must be some words, of 200 bytes at most")
	}
	found, err := find("SELECT "+columns+` FROM contacts JOIN (
		SELECT rowid AS id, rank FROM contacts_search WHERE contacts_search MATCH ? ORDER BY rank LIMIT 20
	) USING (id) ORDER BY rank, id`, query)
	if err != nil {
		return err
	}
	return json.Write(w, 200, contacts{Contacts: found})
}

// match returns FTS5's query for what begins with each word of a text, "" if it has none.
// FTS5 has a language of its own (AND, NOT, NEAR, name:, *), and what breaks its rules is
// an error. In quotes a word is a word.
func match(text string) string {
	words := strings.FieldsFunc(text, func(c rune) bool {
		return unicode.IsSpace(c) || unicode.IsControl(c) || c == utf8.RuneError // of bytes that are no UTF-8
	})
	for i, word := range words {
		words[i] = `"` + strings.ReplaceAll(word, `"`, `""`) + `"*`
	}
	return strings.Join(words, " ")
}
