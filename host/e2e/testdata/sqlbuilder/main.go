// The plugin sqlbuilder builds its statements with github.com/huandu/go-sqlbuilder. It is a
// module of its own, so that the builder is no dependency of wasmoor.
package main

import (
	"fmt"

	"github.com/huandu/go-sqlbuilder"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sql/driver"
)

var db = driver.Open("main")

func init() { sdk.Handle(serve) }

func main() {}

type author struct {
	ID   int64   `db:"id" fieldtag:"pk"`
	Name string  `db:"name"`
	Bio  *string `db:"bio"`
}

func serve(w *sdk.Response, _ *sdk.Request) error {
	table := sqlbuilder.NewStruct(new(author)).For(sqlbuilder.SQLite)
	bio := "writes"
	statement, args := table.InsertInto("authors", author{1, "ann", &bio}, author{2, "eve", nil}, author{3, "bob", nil}).Build()
	if _, err := db.Exec(statement, args...); err != nil {
		return err
	}
	update := sqlbuilder.SQLite.NewUpdateBuilder()
	statement, args = update.Update("authors").Set(update.Assign("name", "dan")).Where(update.In("id", 2, 9)).Build()
	done, err := db.Exec(statement, args...)
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	fmt.Fprintln(w, "updated", n, err)
	find := table.SelectFrom("authors")
	statement, args = find.Where(find.Or(find.IsNull("bio"), find.Like("name", "a%"))).OrderBy("name").Desc().Limit(2).Build()
	fmt.Fprintln(w, statement, args)
	rows, err := db.Query(statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a author
		if err := rows.Scan(table.Addr(&a)...); err != nil {
			return err
		}
		fmt.Fprintln(w, a.ID, a.Name, a.Bio == nil)
	}
	return rows.Err()
}
