package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// World is the time and chance that statements of an attempt see.
type World interface {
	Now() time.Time
	Random(buf []byte)
}

// dated are the functions that read dates, with the number of arguments before the
// first date.
var dated = map[string]int{"date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1}

// perceive has the functions of SQL that read a clock or draw lots ask the World of the
// attempt, so that one that runs again can see the same. Those of dates are SQLite's
// own, called in a connection without a database with the time in place of "now".
func (c *Conn) perceive() error {
	const pure = sqlite3.DETERMINISTIC | sqlite3.INNOCUOUS
	err := errors.Join(
		c.db.CreateFunction("random", 0, sqlite3.INNOCUOUS, func(ctx sqlite3.Context, _ ...sqlite3.Value) {
			var b [8]byte
			c.world.Random(b[:])
			ctx.ResultInt64(int64(binary.LittleEndian.Uint64(b[:])))
		}),
		c.db.CreateFunction("randomblob", 1, sqlite3.INNOCUOUS, func(ctx sqlite3.Context, args ...sqlite3.Value) {
			n := max(args[0].Int64(), 1)
			if n > MaxValue {
				ctx.ResultError(sqlite3.TOOBIG)
				return
			}
			b := make([]byte, n)
			c.world.Random(b)
			ctx.ResultBlob(b)
		}),
		c.db.CreateFunction("timediff", 2, pure, c.date("timediff", 0, 2)))
	for name, at := range dated {
		err = errors.Join(err, c.db.CreateFunction(name, -1, pure, c.date(name, at, at+1)))
	}
	for name, of := range map[string]string{"current_date": "date", "current_time": "time", "current_timestamp": "datetime"} {
		err = errors.Join(err, c.db.CreateFunction(name, 0, sqlite3.INNOCUOUS, c.date(of, 0, 1)))
	}
	return err
}

// date returns a function of dates, of whose arguments those in [from, to) are dates;
// without the last of them it is of now.
func (c *Conn) date(name string, from, to int) sqlite3.ScalarFunction {
	return func(ctx sqlite3.Context, args ...sqlite3.Value) {
		given := make([]Value, len(args), max(len(args)+1, to))
		for i := range given {
			given[i] = argument(args[i])
		}
		if len(given) > from && isText(given[from], "subsec", "subsecond") { // of now
			given = slices.Insert(given, from, Value{Kind: Text, Bytes: []byte("now")})
		}
		for i := 0; i < max(len(given), to); i++ {
			if i >= len(given) {
				given = append(given, Value{Kind: Text, Bytes: []byte("now")})
			}
			if i >= from && i < to && isText(given[i], "now") {
				if place := c.mem.fixedPlace(ctx); place != "" {
					ctx.ResultError(fmt.Errorf("non-deterministic use of %s() in %s", name, place))
					return
				}
				given[i] = Value{Kind: Text, Bytes: c.now().UTC().AppendFormat(nil, "2006-01-02 15:04:05.000")}
			}
		}
		c.own(ctx, name, given)
	}
}

// now is the time of the step of a statement that runs.
func (c *Conn) now() time.Time {
	if c.moment.IsZero() {
		c.moment = c.world.Now()
	}
	return c.moment
}

// own has SQLite's own function give the result, and returns of which kind that is.
func (c *Conn) own(ctx sqlite3.Context, name string, given []Value) (kind Kind) {
	s, err := c.plain(name, len(given))
	if err != nil {
		ctx.ResultError(err)
		return Null
	}
	for i := range given {
		err = errors.Join(err, bind(s, i+1, &given[i]))
	}
	if err == nil && s.Step() {
		v := column(s, 0)
		result(ctx, v)
		kind = v.Kind
	}
	if err = errors.Join(err, s.Reset(), s.ClearBindings()); err != nil {
		ctx.ResultError(err)
	}
	return kind
}

// isText reports whether SQLite takes a value for one of some words: up to a byte 0, in any
// case, as a text or a blob.
func isText(v Value, words ...string) bool {
	if v.Kind != Text && v.Kind != Blob {
		return false
	}
	text, _, _ := bytes.Cut(v.Bytes, []byte{0})
	return slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(string(text), word) })
}

func argument(v sqlite3.Value) Value {
	switch v.Type() {
	case sqlite3.INTEGER:
		return Value{Kind: Int, Int: v.Int64()}
	case sqlite3.FLOAT:
		return Value{Kind: Float, Float: v.Float()}
	case sqlite3.TEXT:
		return Value{Kind: Text, Bytes: v.RawText()}
	case sqlite3.BLOB:
		return Value{Kind: Blob, Bytes: v.RawBlob()}
	}
	return Value{}
}

// result gives a function what one of dates returns: no blob.
func result(ctx sqlite3.Context, v Value) {
	switch v.Kind {
	case Int:
		ctx.ResultInt64(v.Int)
	case Float:
		ctx.ResultFloat(v.Float)
	case Text:
		ctx.ResultText(string(v.Bytes))
	}
}

// clockMemory is what SQLite has for its own functions, in bytes.
const clockMemory = 16 << 20

// plain returns a statement that calls SQLite's own function with n arguments.
func (c *Conn) plain(name string, n int) (*sqlite3.Stmt, error) {
	if c.clock == nil {
		ctx := sqlite3.WithMaxMemory(context.Background(), clockMemory)
		db, err := sqlite3.OpenContext(ctx, ":memory:")
		if err != nil {
			return nil, err
		}
		c.clock, c.dates = db, map[string]*sqlite3.Stmt{}
	}
	sql := "SELECT " + name + "(" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")"
	if s := c.dates[sql]; s != nil {
		return s, nil
	}
	s, _, err := c.clock.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err == nil {
		c.dates[sql] = s
	}
	return s, err
}
