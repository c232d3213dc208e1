package sqlite

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/ncruces/go-sqlite3"
)

// maxPattern bounds a pattern of LIKE or GLOB, in bytes.
const maxPattern = 256

// maxPatch bounds the product of the sizes of a document and of its patch: json_patch looks
// for each key of the one in the other.
const maxPatch = 1 << 28

// hasten replaces functions of SQLite's that may take seconds for one value, which no
// deadline ends: SQLite asks for it between the steps of a statement alone. Those here take
// a time in proportion to what they are given, or ask.
func (c *Conn) hasten() error {
	const pure = sqlite3.DETERMINISTIC | sqlite3.INNOCUOUS
	err := errors.Join(
		c.db.CreateFunction("instr", 2, pure, c.timely(instr)),
		c.db.CreateFunction("replace", 3, pure, func(ctx sqlite3.Context, args ...sqlite3.Value) {
			if args[0].Type() != sqlite3.NULL && args[1].Type() != sqlite3.NULL && len(untilZero(args[1].RawText())) == 0 {
				ctx.ResultText(args[0].Text()) // even if the last is null
				return
			}
			c.timely(replace)(ctx, args...)
		}),
		c.db.CreateFunction("like", 2, pure, noBlob(c.likes)),
		c.db.CreateFunction("like", 3, pure, noBlob(c.likes)),
		c.db.CreateFunction("glob", 2, pure, noBlob(c.timely(c.globs))),
		c.db.CreateFunction("json_patch", 2, pure|sqlite3.RESULT_SUBTYPE, c.patch))
	for name, side := range map[string][2]bool{"trim": {true, true}, "ltrim": {true, false}, "rtrim": {false, true}} {
		err = errors.Join(err, c.db.CreateFunction(name, 2, pure, c.timely(func(ctx sqlite3.Context, args ...sqlite3.Value) {
			text := args[0].RawText()
			if of := untilZero(args[1].RawText()); len(of) > 0 {
				text = trimmed(text, chars(of), side[0], side[1])
			}
			ctx.ResultText(string(text))
		})))
	}
	return err
}

// timely is f for values of which none is null; else the result is null. It is not called
// after the end of the attempt's context.
func (c *Conn) timely(f sqlite3.ScalarFunction) sqlite3.ScalarFunction {
	return func(ctx sqlite3.Context, args ...sqlite3.Value) {
		switch {
		case slices.ContainsFunc(args, func(v sqlite3.Value) bool { return v.Type() == sqlite3.NULL }):
		case c.more():
			f(ctx, args...)
		default:
			ctx.ResultError(sqlite3.INTERRUPT)
		}
	}
}

// more reports whether the attempt may go on.
func (c *Conn) more() bool { return c.ctx == nil || c.ctx.Err() == nil }

func instr(ctx sqlite3.Context, args ...sqlite3.Value) {
	blobs := args[0].Type() == sqlite3.BLOB && args[1].Type() == sqlite3.BLOB
	text, of := args[0].RawText(), args[1].RawText()
	i := 0
	switch {
	case len(of) == 0:
	case !blobs && of[0]&0xc0 == 0x80: // no character begins so
		if !bytes.HasPrefix(text, of) {
			i = -1
		}
	default:
		i = newNeedle(of).in(text)
	}
	if i > 0 && !blobs {
		i = utf8.RuneCount(text[:i])
	}
	ctx.ResultInt(i + 1)
}

func replace(ctx sqlite3.Context, args ...sqlite3.Value) {
	text, of, by := args[0].RawText(), args[1].RawText(), args[2].RawText()
	b, ok := replaced(text, newNeedle(of), by, MaxValue)
	if !ok {
		ctx.ResultError(sqlite3.TOOBIG)
		return
	}
	ctx.ResultText(string(b))
}

// noBlob is f, whose result is false where a pattern or what it is for is a blob.
func noBlob(f sqlite3.ScalarFunction) sqlite3.ScalarFunction {
	return func(ctx sqlite3.Context, args ...sqlite3.Value) {
		if args[0].Type() == sqlite3.BLOB || args[1].Type() == sqlite3.BLOB {
			ctx.ResultBool(false)
			return
		}
		f(ctx, args...)
	}
}

var (
	errPattern = errors.New("LIKE or GLOB pattern too complex")
	errEscape  = errors.New("ESCAPE expression must be a single character")
)

func (c *Conn) likes(ctx sqlite3.Context, args ...sqlite3.Value) {
	escape := rune(0)
	if len(args) == 3 {
		var rest []byte
		if args[2].Type() == sqlite3.NULL {
			return
		}
		if escape, rest = next(untilZero(args[2].RawText())); escape == 0 || len(rest) > 0 {
			ctx.ResultError(errEscape)
			return
		}
	}
	c.timely(func(ctx sqlite3.Context, args ...sqlite3.Value) {
		c.matches(ctx, args, func(text []byte) pattern { return like(text, escape) })
	})(ctx, args[:2]...)
}

func (c *Conn) globs(ctx sqlite3.Context, args ...sqlite3.Value) { c.matches(ctx, args, glob) }

func (c *Conn) matches(ctx sqlite3.Context, args []sqlite3.Value, read func([]byte) pattern) {
	of, text := args[0].RawText(), args[1].RawText()
	if len(of) > maxPattern {
		ctx.ResultError(errPattern)
		return
	}
	found := read(untilZero(of)).match(untilZero(text), c.more)
	if !found && !c.more() {
		ctx.ResultError(sqlite3.INTERRUPT)
		return
	}
	ctx.ResultBool(found)
}

// patch is json_patch, SQLite's own, of documents that are not too large for it.
func (c *Conn) patch(ctx sqlite3.Context, args ...sqlite3.Value) {
	given := []Value{argument(args[0]), argument(args[1])}
	if len(given[0].Bytes)*len(given[1].Bytes) > maxPatch {
		ctx.ResultError(sqlite3.TOOBIG)
		return
	}
	if c.own(ctx, "json_patch", given) == Text {
		ctx.ResultSubtype('J')
	}
}
