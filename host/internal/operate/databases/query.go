package databases

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/database"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/sqlite"
)

// maxShown is how much of a statement the audit has, in bytes.
const maxShown = 200

// defaultRows is how many rows an answer has at most, unless it is said.
const defaultRows = 1000

// Query runs statements in one transaction and returns what the last one finds. The audit
// is told before. Errors are those of database.Service.Query; Unavailable: too many run.
func (d *Databases) Query(ctx context.Context, ref adminapi.DatabaseRef, q adminapi.Query, by string) (out adminapi.QueryResult, err error) {
	at, err := d.find(ctx, ref.Name, ref.Database)
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, adminapi.MaxQueryTime)
	defer cancel()
	select {
	case d.queries <- struct{}{}:
		defer func() { <-d.queries }()
	case <-ctx.Done():
		return out, fault.New(fault.Unavailable, "", "too many statements of operators are running; nothing was done, try again")
	}
	action := plugin.ActionSQLQuery
	if q.Write {
		action = plugin.ActionSQLWrite
	}
	if err := d.note(ctx, action, ref, about(q), by); err != nil {
		return out, err
	}
	t, err := d.service.Query(ctx, at, database.Statement{Before: q.Before, SQL: q.Statement, Write: q.Write, Limit: cmp.Or(q.Limit, defaultRows)})
	if err != nil {
		return out, err
	}
	return result(t), nil
}

// about says in the audit what runs, on one line.
func about(q adminapi.Query) string {
	var text strings.Builder
	for _, one := range slices.Concat(q.Before, []string{q.Statement}) {
		if text.Len() > maxShown {
			break
		}
		if text.Len() > 0 {
			text.WriteString("; ")
		}
		text.WriteString(strings.Join(strings.Fields(strings.ToValidUTF8(one[:min(len(one), 2*maxShown)], "")), " "))
	}
	all := text.String()
	if len(all) <= maxShown {
		return all
	}
	return strings.ToValidUTF8(all[:maxShown], "") + " …"
}

func result(t database.Table) adminapi.QueryResult {
	out := adminapi.QueryResult{Columns: append([]string{}, t.Columns...), Rows: []adminapi.Row{}, More: t.More, Changed: t.Changed}
	for _, row := range t.Rows {
		values := make(adminapi.Row, len(row))
		for i, v := range row {
			values[i] = value(v)
		}
		out.Rows = append(out.Rows, values)
	}
	return out
}

func value(v sqlite.Value) any {
	switch v.Kind {
	case sqlite.Int:
		return json.Number(strconv.FormatInt(v.Int, 10))
	case sqlite.Float:
		return json.Number(float(v.Float))
	case sqlite.Text:
		if utf8.Valid(v.Bytes) {
			return string(v.Bytes)
		}
		return adminapi.Bytes{Text: v.Bytes}
	case sqlite.Blob:
		return adminapi.Bytes{Blob: v.Bytes}
	}
	return nil
}

// float writes a number so that it is none of the integers, and SQLite reads the same.
func float(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "1e999"
	case math.IsInf(f, -1):
		return "-1e999"
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
