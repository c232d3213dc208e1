package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/page"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

// details are what a client says of a contact.
type details struct {
	Name    string `json:"name"`
	Email   string `json:"email"`
	Company string `json:"company"`
	Note    string `json:"note"`
}

// contact is a row of contacts.
type contact struct {
	ID int64 `json:"id"`
	details
	Revenue int64 `json:"revenue"` // in cents
}

const columns = "id, name, email, company, note, revenue"

// scan reads the columns of a row.
func (c *contact) scan(row interface{ Scan(to ...any) error }) error {
	return row.Scan(&c.ID, &c.Name, &c.Email, &c.Company, &c.Note, &c.Revenue)
}

// read returns the details in the body of a request.
func read(r *sdk.Request) (d details, err error) {
	if err := json.Read(r, maxBody, &d); err != nil {
		return d, err
	}
	return d, d.check()
}

// check returns the first problem of the details. That an e-mail is unique is for the
// database to say.
func (d *details) check() error {
	if err := checkText("name", d.Name, 100); err != nil {
		return err
	}
	if err := checkText("email", d.Email, 254); err != nil {
		return err
	}
	user, host, _ := strings.Cut(d.Email, "@")
	if user == "" || host == "" || strings.ContainsAny(d.Email, " <>,;") || strings.Contains(host, "@") {
		return sdk.Error(422, "email must be an address, like ada@example.com")
	}
	if d.Company != "" {
		if err := checkText("company", d.Company, 100); err != nil {
			return err
		}
	}
	if strings.Contains(d.Note, "\x00") {
		return sdk.Error(422, "note has a zero byte; write text")
	}
	return checkLength("note", d.Note, 2000)
}

func addContact(w *sdk.Response, r *sdk.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return answer(w, 201, db.QueryRow("INSERT INTO contacts (name, email, company, note) VALUES (?, ?, ?, ?) RETURNING "+columns,
		d.Name, d.Email, d.Company, d.Note))
}

func getContact(w *sdk.Response, r *sdk.Request) error {
	return answer(w, 200, db.QueryRow("SELECT "+columns+" FROM contacts WHERE id = ?", number(r.PathValue("id"))))
}

func changeContact(w *sdk.Response, r *sdk.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return answer(w, 200, db.QueryRow("UPDATE contacts SET name = ?, email = ?, company = ?, note = ? WHERE id = ? RETURNING "+columns,
		d.Name, d.Email, d.Company, d.Note, number(r.PathValue("id"))))
}

// answer answers with a contact, or says why there is none.
func answer(w *sdk.Response, status int, row *sql.Row) error {
	var c contact
	switch err := c.scan(row); {
	case errors.Is(err, sql.ErrNoRows):
		return errNoContact
	case sql.IsUnique(err):
		return sdk.Error(409, "another contact has this email")
	case err != nil:
		return err
	}
	return json.Write(w, status, c)
}

// deleteContact deletes a contact without deals: the foreign key of a deal keeps its own.
func deleteContact(w *sdk.Response, r *sdk.Request) error {
	done, err := db.Exec("DELETE FROM contacts WHERE id = ?", number(r.PathValue("id")))
	switch {
	case sql.IsConstraint(err):
		return sdk.Error(409, "the contact has deals")
	case err != nil:
		return err
	case done.Changed == 0:
		return errNoContact
	}
	return w.NoContent()
}

// byName are the pages of all contacts. A cursor is where a page ends, the name and the id
// of its last contact, and not how many came before: contacts that come or go meanwhile
// neither repeat others nor hide them.
var byName = page.List{}

func listContacts(w *sdk.Response, r *sdk.Request) error {
	q, err := byName.Query(r.Query().Get("limit"), r.Query().Get("after"))
	if err != nil {
		return err
	}
	name, id, _ := strings.Cut(q.After, "\x00")
	found, err := find("SELECT "+columns+" FROM contacts WHERE (name, id) > (?, ?) ORDER BY name, id LIMIT ?",
		name, number(id), q.Limit+1) // one more, to know whether there is a next page
	if err != nil {
		return err
	}
	next := ""
	if len(found) > q.Limit {
		found = found[:q.Limit]
		last := found[q.Limit-1]
		next = byName.Next([]kv.Entry{{Key: last.Name + "\x00" + strconv.FormatInt(last.ID, 10)}}, true)
	}
	return json.Write(w, 200, contacts{found, next})
}

// contacts are an answer with some.
type contacts struct {
	Contacts []contact `json:"contacts"`
	Next     string    `json:"next,omitempty"` // the parameter after of the next page
}

// find returns the contacts that a query finds.
func find(query string, args ...any) ([]contact, error) {
	rows, err := db.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := []contact{}
	for rows.Next() {
		var c contact
		if err := c.scan(rows); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, rows.Err()
}
