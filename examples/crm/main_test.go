package main

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// TestRefusals: what is refused before the database is asked. There is none here, so what
// gets so far is a 500.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("é", 2001)
	for _, c := range []struct {
		request, body string
		status        int
		says          string
	}{
		{"POST /contacts", `{"name":"Ada","email":"ada@example.com"}`, 500, ""},
		{"POST /contacts", `{"name":"Ada","email":"ada@example.com","company":"Engines","note":"two\nlines"}`, 500, ""},
		{"PUT /contacts/1", `{"name":"` + long[:200] + `","email":"ada@example.com"}`, 500, ""},
		{"POST /contacts", `{`, 400, "not whole JSON"},
		{"POST /contacts", `{"name":"Ada","mail":"ada@example.com"}`, 400, "unknown field"},
		{"POST /contacts", `{"name":"Ada","email":"ada@example.com","revenue":1}`, 400, "unknown field"},
		{"POST /contacts", `{"name":" ","email":"ada@example.com"}`, 422, "name is missing"},
		{"PUT /contacts/1", `{"name":"Ada"}`, 422, "email is missing"},
		{"POST /contacts", `{"name":"` + long[:202] + `","email":"ada@example.com"}`, 422, "name has 101 characters; at most 100"},
		{"POST /contacts", `{"name":"Ada\u0000","email":"ada@example.com"}`, 422, "name has control characters"},
		{"POST /contacts", `{"name":"Ada","email":"ada"}`, 422, "email must be an address"},
		{"POST /contacts", `{"name":"Ada","email":"a@b@c"}`, 422, "email must be an address"},
		{"POST /contacts", `{"name":"Ada","email":"Ada <ada@example.com>"}`, 422, "email must be an address"},
		{"POST /contacts", `{"name":"Ada","email":"ada@example.com","company":"\n"}`, 422, "company"},
		{"POST /contacts", `{"name":"Ada","email":"ada@example.com","note":"` + long + `"}`, 422, "note has 2001 characters"},
		{"POST /contacts", `{"name":"Ada","email":"ada@example.com","note":"\u0000"}`, 422, "note has a zero byte"},
		{"POST /contacts/1/deals", `{"title":"Engine","amount":1}`, 500, ""},
		{"POST /contacts/1/deals", `{"title":"Engine","amount":0}`, 422, "amount must be"},
		{"POST /contacts/1/deals", `{"title":"Engine","amount":1000000000001}`, 422, "amount must be"},
		{"POST /contacts/1/deals", `{"title":"Engine","amount":1.5}`, 400, "amount"},
		{"POST /contacts/1/deals", `{"title":"","amount":1}`, 422, "title is missing"},
		{"GET /contacts?limit=0", "", 400, "limit must be"},
		{"GET /contacts?after=x", "", 400, "cursor"},
		{"GET /search", "", 400, "q must be"},
		{"GET /search?q=%20%00%ff", "", 400, "q must be"},
		{"GET /search?q=" + strings.Repeat("a", 201), "", 400, "q must be"},
		{"GET /search?q=" + strings.Repeat("a", 200), "", 500, ""},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		res := sdktest.New(routes().Serve).Send(method, path, "application/json", c.body)
		if res.Status != c.status || !strings.Contains(res.Text(), c.says) {
			t.Errorf("%s %s: got %v, want %d with %q", c.request, c.body, res, c.status, c.says)
		}
	}
}

func TestMatch(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		" \t\x00\xff":         "",
		"ada":                 `"ada"*`,
		" ada  love ":         `"ada"* "love"*`,
		`NOT name:ada* (OR)`:  `"NOT"* "name:ada*"* "(OR)"*`,
		`"`:                   `""""*`,
		`ada" OR "b`:          `"ada"""* "OR"* """b"*`,
		"a\x00b\xffc":         `"a"* "b"* "c"*`,
		"ada@example.com Ünï": `"ada@example.com"* "Ünï"*`,
	} {
		if got := match(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int64{"7": 7, "": 0, "x": 0, "1.5": 0, "99999999999999999999": 0} {
		if got := number(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}
