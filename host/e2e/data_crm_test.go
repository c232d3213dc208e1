package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// crm is examples/crm on a server.
type crm struct{ *server }

// deployCRM deploys the example as its author does, with some of its migrations.
func (s crm) deployCRM(t *testing.T, migrations ...string) {
	t.Helper()
	const source = "../../examples/crm"
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "migrations"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"wasmoor.toml"}, migrations...) {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	module, packed := filepath.Join(dir, "plugin.wasm"), filepath.Join(dir, "packed.wasm")
	if err := os.WriteFile(module, goGuest(t, source), 0o600); err != nil {
		t.Fatal(err)
	}
	s.mustCLI("", "pack", module, "-o", packed)
	s.mustCLI("", "deploy", packed)
}

// ask sends a request with a body of JSON.
func (s crm) ask(t *testing.T, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequest(method, s.public+"/crm"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	a, err := roundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	return a
}

// wants sends a request, and wants a status and a part of the body.
func (s crm) wants(t *testing.T, method, path, body string, status int, part string) {
	t.Helper()
	if a := s.ask(t, method, path, body); a.status != status || !strings.Contains(a.body, part) {
		t.Errorf("%s %s %s: got %v, want %d with %s", method, path, body, a, status, part)
	}
}

// crmContacts is what the example answers with contacts.
type crmContacts struct {
	Contacts []struct {
		ID   int64
		Name string
	}
	Next string
}

// list returns the contacts at a path.
func (s crm) list(t *testing.T, path string) (list crmContacts) {
	t.Helper()
	a := s.ask(t, "GET", path, "")
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != 200 {
		t.Fatalf("%s: %v, %v", path, a, err)
	}
	return list
}

func (s crm) names(t *testing.T, path string) (names []string) {
	t.Helper()
	for _, c := range s.list(t, path).Contacts {
		names = append(names, c.Name)
	}
	return names
}

// TestCRM uses the whole of examples/crm: migrations in two versions, constraints, pages
// of contacts that come meanwhile, search, and deals that are won twice at once.
func TestCRM(t *testing.T) {
	t.Parallel()
	s := crm{serve(t, t.TempDir())}
	s.deployCRM(t, "migrations/001_contacts.sql", "migrations/002_deals.sql")
	s.wants(t, "POST", "/contacts", `{"name":"Ada Lovelace","email":"ada@example.com","company":"Analytical Engines","note":"writes\n\"programs\""}`, 201,
		`{"id":1,"name":"Ada Lovelace","email":"ada@example.com","company":"Analytical Engines","note":"writes\n\"programs\"","revenue":0}`)
	s.wants(t, "GET", "/search?q=ada", "", 500, "") // its migration is to come
	s.deployCRM(t, "migrations/001_contacts.sql", "migrations/002_deals.sql", "migrations/003_search.sql")
	t.Run("contacts", s.testContacts)
	t.Run("search", s.testSearch)
	t.Run("deals", s.testDeals)
	t.Run("pages", s.testPages)
}

func (s crm) testContacts(t *testing.T) {
	const grace = `{"name":"Grace Hopper","email":"grace@example.com"}`
	s.wants(t, "POST", "/contacts", grace, 201, `"id":2`)
	s.wants(t, "POST", "/contacts", `{"name":"Another","email":"ADA@example.com"}`, 409, "another contact has this email")
	s.wants(t, "POST", "/contacts", `{"name":"","email":"x@example.com"}`, 422, "name is missing")
	s.wants(t, "GET", "/contacts/2", "", 200, `"name":"Grace Hopper"`)
	s.wants(t, "PUT", "/contacts/2", `{"name":"Grace","email":"ada@example.com"}`, 409, "another contact has this email")
	s.wants(t, "PUT", "/contacts/2", `{"name":"Grace","email":"GRACE@example.com","note":"found a moth"}`, 200, `"note":"found a moth"`)
	s.wants(t, "GET", "/contacts/2", "", 200, `"email":"GRACE@example.com"`)
	for _, id := range []string{"3", "0", "-1", "x", "1%20OR%201=1", "99999999999999999999"} {
		s.wants(t, "GET", "/contacts/"+id, "", 404, "no such contact")
		s.wants(t, "PUT", "/contacts/"+id, grace, 404, "no such contact")
		s.wants(t, "DELETE", "/contacts/"+id, "", 404, "no such contact")
		s.wants(t, "POST", "/contacts/"+id+"/deals", `{"title":"Engine","amount":1}`, 404, "no such contact")
		s.wants(t, "POST", "/deals/"+id+"/win", "", 404, "no such deal")
	}
	s.wants(t, "DELETE", "/contacts/2", "", 204, "")
	s.wants(t, "GET", "/contacts/2", "", 404, "no such contact")
}

func (s crm) testSearch(t *testing.T) {
	s.wants(t, "POST", "/contacts", `{"name":"Grace Hopper","email":"grace@example.com","note":"found a moth"}`, 201, `"id":3`)
	s.wants(t, "PUT", "/contacts/3", `{"name":"Grace Hopper","email":"grace@example.com","note":"wrote a compiler OR two"}`, 200, "")
	ada, grace := []string{"Ada Lovelace"}, []string{"Grace Hopper"}
	for q, want := range map[string][]string{
		"ada": ada, "LOVE": ada, "engines programs": ada, "ada@example.com": ada, // from before the search
		"grace": grace, "compil": grace, "or two": grace, "moth": nil, "ada grace": nil,
		// What FTS5 or SQL would take for its own.
		`ada OR grace`: nil, `name:ada`: nil, `NOT ada`: nil, `ada*`: ada, `"ada"`: ada, `"`: nil, `ada"`: ada, `ada" OR "grace`: nil,
		`NEAR(ada love)`: nil, `^ada`: ada, `{name}:ada`: nil, `(`: nil, `-`: nil, `'; DROP TABLE contacts; --`: nil, "ada\x00 grace": nil,
		"\xffada\x00": ada, `ada + love`: ada, `\`: nil,
	} {
		if got := s.names(t, "/search?q="+url.QueryEscape(q)); !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", q, got, want)
		}
	}
	s.wants(t, "GET", "/search?q=%20%00", "", 400, "q must be some words")
	s.wants(t, "DELETE", "/contacts/3", "", 204, "")
	if got := s.names(t, "/search?q=grace"); got != nil {
		t.Errorf("a deleted contact is found: %q", got)
	}
}

func (s crm) testDeals(t *testing.T) {
	const deals = 10
	s.wants(t, "GET", "/pipeline", "", 200, "[]")
	s.wants(t, "POST", "/contacts/1/deals", `{"title":"Engine","amount":0}`, 422, "amount must be")
	for id := 1; id <= deals+1; id++ {
		s.wants(t, "POST", "/contacts/1/deals", fmt.Sprintf(`{"title":"Engine %d","amount":%d}`, id, 100*id), 201,
			fmt.Sprintf(`{"id":%d,"contact":1,"title":"Engine %d","amount":%d,"stage":"open"}`, id, id, 100*id))
	}
	s.wants(t, "GET", "/pipeline", "", 200, `[{"stage":"open","deals":11,"amount":6600}]`)
	for id := 1; id <= deals; id++ {
		var both [2]answer
		parallel(len(both), func(i int) { both[i] = s.ask(t, "POST", fmt.Sprintf("/deals/%d/win", id), "") })
		slices.SortFunc(both[:], func(a, b answer) int { return a.status - b.status })
		if both[0].status != 200 || both[1].status != 409 || !strings.Contains(both[1].body, "the deal is won already") {
			t.Errorf("deal %d is won twice at once: %v and %v, want one 200 and one 409", id, both[0], both[1])
		}
	}
	s.wants(t, "GET", "/pipeline", "", 200, `[{"stage":"open","deals":1,"amount":1100},{"stage":"won","deals":10,"amount":5500}]`)
	s.wants(t, "GET", "/contacts/1", "", 200, `"revenue":5500`)
	s.wants(t, "DELETE", "/contacts/1", "", 409, "the contact has deals")
}

// testPages reads all pages while contacts come before and after where each ends, and the
// one that its cursor names goes: each that was there from the first is seen once, in order.
func (s crm) testPages(t *testing.T) {
	added := 0
	add := func(name string) {
		added++
		s.wants(t, "POST", "/contacts", fmt.Sprintf(`{"name":%q,"email":"%d@example.com"}`, name, added), 201, "")
	}
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("Old %c", "AaBbCcDdEe"[i%10]) // twice or three times each, in two cases
		add(name)
		want = append(want, strings.ToLower(name))
	}
	slices.Sort(want)
	var got []string
	next, pages := "", 0
	for ; pages == 0 || next != ""; pages++ {
		page := s.list(t, "/contacts?limit=4&after="+next)
		for _, c := range page.Contacts {
			if len(c.Name) == len("Old A") && strings.HasPrefix(c.Name, "Old") {
				got = append(got, strings.ToLower(c.Name))
			}
		}
		if n := len(page.Contacts); n > 4 || page.Next != "" && n < 4 {
			t.Fatalf("page %d has %d contacts", pages, n)
		}
		if next = page.Next; pages < 10 {
			last := page.Contacts[len(page.Contacts)-1]
			add("New " + last.Name) // before
			add(last.Name + " Jr.") // after
			s.wants(t, "DELETE", fmt.Sprintf("/contacts/%d", last.ID), "", 204, "")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d pages have\n%q\nwant\n%q", pages, got, want)
	}
	for _, query := range []string{"limit=0", "limit=x", "after=x", "after=" + strings.Repeat("A", 2000)} {
		s.wants(t, "GET", "/contacts?"+query, "", 400, "")
	}
}
