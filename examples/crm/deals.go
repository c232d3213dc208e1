package main

import (
	"errors"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

// offer is what a client says of a deal.
type offer struct {
	Title  string `json:"title"`
	Amount int64  `json:"amount"` // in cents
}

// deal is a row of deals.
type deal struct {
	ID      int64 `json:"id"`
	Contact int64 `json:"contact"`
	offer
	Stage string `json:"stage"`
}

const maxAmount = 1_000_000_000_000 // millions of deals fit into a sum

func (o *offer) check() error {
	if o.Amount < 1 || o.Amount > maxAmount {
		return sdk.Error(422, "amount must be a number of cents from 1 to 1000000000000")
	}
	return checkText("title", o.Title, 200)
}

func addDeal(w *sdk.Response, r *sdk.Request) error {
	d := deal{Contact: number(r.PathValue("id")), Stage: "open"}
	if err := json.Read(r, maxBody, &d.offer); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	done, err := db.Exec("INSERT INTO deals (contact, title, amount) VALUES (?, ?, ?)", d.Contact, d.Title, d.Amount)
	if sql.IsConstraint(err) { // the foreign key: all else was checked
		return errNoContact
	}
	if err != nil {
		return err
	}
	d.ID = done.LastID
	return json.Write(w, 201, d)
}

// winDeal moves the amount of a deal from what is open to its contact's revenue. Of two
// requests that win one deal at once, one meets a conflict, runs again, and finds it won.
func winDeal(w *sdk.Response, r *sdk.Request) error {
	d := deal{ID: number(r.PathValue("id"))}
	err := db.QueryRow("SELECT contact, title, amount, stage FROM deals WHERE id = ?", d.ID).
		Scan(&d.Contact, &d.Title, &d.Amount, &d.Stage)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errNoDeal
	case err != nil:
		return err
	case d.Stage != "open":
		return sdk.Error(409, "the deal is "+d.Stage+" already")
	}
	d.Stage = "won"
	if _, err := db.Exec("UPDATE deals SET stage = ? WHERE id = ?", d.Stage, d.ID); err != nil {
		return err
	}
	if _, err := db.Exec("UPDATE contacts SET revenue = revenue + ? WHERE id = ?", d.Amount, d.Contact); err != nil {
		return err
	}
	return json.Write(w, 200, d)
}

// stage is how many deals have come so far, and what they sum up to.
type stage struct {
	Stage  string `json:"stage"`
	Deals  int64  `json:"deals"`
	Amount int64  `json:"amount"` // in cents
}

func pipeline(w *sdk.Response, _ *sdk.Request) error {
	rows, err := db.Query("SELECT stage, count(*), sum(amount) FROM deals GROUP BY stage ORDER BY stage")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	stages := []stage{}
	for rows.Next() {
		var s stage
		if err := rows.Scan(&s.Stage, &s.Deals, &s.Amount); err != nil {
			return err
		}
		stages = append(stages, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return json.Write(w, 200, stages)
}
