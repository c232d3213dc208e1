// The command pocketbase is PocketBase with the records that BenchmarkSQL asks for: a
// collection of 10,000 items, which anybody may read and write. It prints its address and
// the id of one item. Its argument is a folder for its data.
package main

import (
	"fmt"
	"log"
	"net"
	"os"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
)

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		log.Fatal(err)
	}
	dir := os.Args[1]
	os.Args = []string{"pocketbase", "serve", "--http=" + address, "--dir=" + dir} // it reads them in several places
	app := pocketbase.NewWithConfig(pocketbase.Config{HideStartBanner: true})
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		id, err := fill(app)
		if err != nil {
			return err
		}
		if err := e.Next(); err != nil {
			return err
		}
		fmt.Println("http://"+address, id)
		return nil
	})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}

// fill makes the collection and its items, and returns the id of the first.
func fill(app core.App) (id string, err error) {
	items := core.NewBaseCollection("items")
	items.ListRule, items.ViewRule = types.Pointer(""), types.Pointer("")
	items.CreateRule, items.UpdateRule = types.Pointer(""), types.Pointer("")
	items.Fields.Add(&core.NumberField{Name: "n"}, &core.TextField{Name: "name"})
	items.AddIndex("ns", false, "n", "")
	if err := app.Save(items); err != nil {
		return "", err
	}
	err = app.RunInTransaction(func(tx core.App) error {
		for i := range 10_000 {
			r := core.NewRecord(items)
			r.Set("n", i+1)
			r.Set("name", fmt.Sprint("item number ", i+1))
			if err := tx.Save(r); err != nil {
				return err
			}
			if id == "" {
				id = r.Id
			}
		}
		return nil
	})
	return id, err
}
