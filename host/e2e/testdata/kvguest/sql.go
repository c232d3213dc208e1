package main

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/sql"
)

const db = sql.Database("main")

// exec runs a statement, and answers how many rows it has changed.
func exec(statement string) string {
	r, err := db.Exec(statement)
	if err != nil {
		return oneLine(err.Error())
	}
	return fmt.Sprint("ok ", r.Changed)
}

// query answers all rows, like "1,one;2,two"; the first alone leaves the query open.
func query(statement string, firstAlone bool) string {
	rows, err := db.Query(statement)
	if err != nil {
		return oneLine(err.Error())
	}
	var all []string
	for rows.Next() {
		var row []string
		for i := range rows.Row() {
			row = append(row, fmt.Sprint(sql.Any(&rows.Row()[i])))
		}
		all = append(all, strings.Join(row, ","))
		if firstAlone {
			break
		}
	}
	if err := rows.Err(); err != nil {
		return oneLine(err.Error())
	}
	return oneLine(strings.Join(all, ";"))
}

// sqlList answers a list that is kept in SQL, as get does, and appends an element unless
// it is "".
func sqlList(key, element string) string {
	rows, err := db.Query("SELECT element FROM lists WHERE list = ? ORDER BY n", key)
	if err != nil {
		return oneLine(err.Error())
	}
	var list []string
	for rows.Next() {
		list = append(list, rows.Row()[0].Text)
	}
	if err = rows.Err(); err == nil && element != "" {
		_, err = db.Exec("INSERT INTO lists (list, n, element) VALUES (?, ?, ?)", key, len(list), element)
	}
	if err != nil {
		return oneLine(err.Error())
	}
	return fmt.Sprintf("%q", strings.Join(list, ","))
}

// post sends a POST to a service, and answers the status.
func post(url string) string {
	resp, err := fetch.Post(url, "text/plain", nil)
	if err != nil {
		return oneLine(err.Error())
	}
	return fmt.Sprint(resp.Status)
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
