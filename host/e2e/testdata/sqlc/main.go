// The plugin sqlc uses what sqlc has made of queries.sql.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wasmoor/wasmoor/host/e2e/testdata/sqlc/db"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sql/driver"
)

var authors = driver.Open("main")

func init() { sdk.Handle(serve) }

func main() {}

func serve(w *sdk.Response, _ *sdk.Request) error {
	ctx, q := context.Background(), db.New(authors)
	joined := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, a := range []db.CreateAuthorParams{
		{Name: "eve", Joined: joined},
		{Name: "ann", Bio: text("writes"), Born: sql.NullTime{Time: joined.AddDate(-40, 0, 0), Valid: true}, Score: sql.NullFloat64{Float64: 1.5, Valid: true}, Joined: joined.Add(time.Hour)},
	} {
		made, err := q.CreateAuthor(ctx, a)
		if err != nil {
			return err
		}
		show(w, "created", made)
	}
	tx, err := authors.Begin()
	if err != nil {
		return err
	}
	if err := q.WithTx(tx).RenameAuthor(ctx, db.RenameAuthorParams{Name: "gone", ID: 1}); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil {
		return err
	}
	if err := q.RenameAuthor(ctx, db.RenameAuthorParams{Name: "bob", ID: 2}); err != nil {
		return err
	}
	_, err = q.GetAuthor(ctx, 99)
	fmt.Fprintln(w, "none:", errors.Is(err, sql.ErrNoRows))
	one, err := q.GetAuthor(ctx, 2)
	if err != nil {
		return err
	}
	show(w, "one", one)
	list, err := q.ListAuthors(ctx, joined)
	if err != nil {
		return err
	}
	for _, a := range list {
		show(w, "of all", a)
	}
	counted, err := q.CountAuthors(ctx, []string{"bob", "eve", "gone"})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "counted", counted.AllAuthors, counted.Best)
	done, err := q.DeleteAuthors(ctx)
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	fmt.Fprintln(w, "deleted", n)
	return err
}

func text(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

func show(w *sdk.Response, about string, a db.Author) {
	born := "unknown"
	if a.Born.Valid {
		born = a.Born.Time.Format(time.RFC3339)
	}
	fmt.Fprintln(w, about, a.ID, a.Name, a.Bio, born, a.Score, a.Joined.Format(time.RFC3339))
}
