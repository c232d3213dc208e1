// Kvguest runs the script in a request's body as one transaction and answers
// the result of each line on a line of its own, so that tests decide what a
// transaction does.
package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/blobs"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/log"
)

func init() { sdk.Handle(run) }

func main() {}

const maxScript = 1 << 20

// run also answers what the guest sees of the invocation itself: the number of
// the attempt and the request's id.
func run(w *sdk.Response, r *sdk.Request) error {
	script, err := r.Body(maxScript)
	if err != nil {
		return err
	}
	w.SetHeader("X-Attempt", strconv.Itoa(r.Attempt()))
	w.SetHeader("X-Seen-Id", r.ID())
	log.Info("attempt", "number", r.Attempt(), "seen", r.ID())
	for line := range strings.Lines(string(script)) {
		op := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if _, err := w.WriteString(do(w, r, op[0], args(op[1:])) + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// args are the words behind an operation; one that is missing is "".
type args []string

func (a args) text(i int) string {
	if i < len(a) {
		return a[i]
	}
	return ""
}

func (a args) number(i int) int64 {
	n, _ := strconv.ParseInt(a.text(i), 10, 64) // 0 where there is none
	return n
}

func do(w *sdk.Response, r *sdk.Request, op string, a args) string {
	key := a.text(0)
	switch op {
	case "get": // KEY
		return get(key)
	case "set": // KEY VALUE [TTL in ms]
		return status(set(key, []byte(a.text(1)), a.number(2)))
	case "fill": // KEY BYTES: a value of that size
		return status(kv.Set(key, make([]byte, a.number(1))))
	case "fillkey": // BYTES: a key of that size
		return status(kv.Set(strings.Repeat("k", int(a.number(0))), nil))
	case "many": // PREFIX COUNT: so many keys
		return many(key, a.number(1))
	case "del": // KEY
		return status(kv.Delete(key))
	case "append": // KEY ELEMENT: to a list; answers the list before
		return appendTo(key, a.text(1))
	case "int": // KEY: a counter
		n, err := kv.Int(key)
		return orStatus(strconv.FormatInt(n, 10), err)
	case "setint": // KEY NUMBER
		return status(kv.SetInt(key, a.number(1)))
	case "add": // KEY NUMBER: without reading
		return status(kv.Add(key, a.number(1)))
	case "incr": // KEY NUMBER: read, then write; answers what was read
		n, err := kv.Int(key)
		if err == nil {
			err = kv.SetInt(key, n+a.number(1))
		}
		return orStatus(strconv.FormatInt(n, 10), err)
	case "list": // PREFIX [AFTER] [LIMIT] [reverse]
		return list(kv.Query{Prefix: key, After: a.text(1), Limit: int(a.number(2)), Reverse: a.text(3) == "reverse"})
	case "blobget": // NAME
		return blobGet(key)
	case "blobset": // NAME VALUE
		return status(blobs.Put(key, []byte(a.text(1)), blobs.Options{}))
	case "blobdel": // NAME
		return status(blobDelete(key))
	case "blobappend": // NAME ELEMENT: to a list; answers the list before
		return blobAppend(key, a.text(1))
	case "blobs": // PREFIX: names and their digests
		return blobNames(key)
	case "exec": // STATEMENT of SQL
		return exec(strings.Join(a, " "))
	case "query": // STATEMENT of SQL
		return query(strings.Join(a, " "), false)
	case "open": // STATEMENT of SQL: its first row, and the query is left open
		return query(strings.Join(a, " "), true)
	case "sqlget": // KEY: a list in SQL
		return sqlList(key, "")
	case "sqlappend": // KEY ELEMENT
		return sqlList(key, a.text(1))
	case "post": // URL
		return post(key)
	case "pause": // MILLISECONDS, without using the processor
		time.Sleep(time.Duration(a.number(0)) * time.Millisecond)
	case "once": // ATTEMPTS, OPERATION...: up to that attempt only
		if int64(r.Attempt()) <= a.number(0) {
			return do(w, r, a.text(1), a[2:])
		}
	case "on": // PLUGIN, OPERATION...: as a call of that plugin; answers what it answers, or its status
		return on(key, strings.Join(a[1:], " "))
	case "fail": // OPERATION...: answers as ever, and drops what was written
		w.SetStatus(500)
		return do(w, r, key, a[1:])
	case "trap": // OPERATION...: and then traps
		do(w, r, key, a[1:])
		panic("the script says so")
	case "args":
		return strings.Join(os.Args, ",")
	case "file": // open|stat|list|remove|create|mkdir NAME
		return file(key, a.text(1))
	case "commit":
		sdk.Commit()
	case "abort":
		sdk.Abort()
	case "status": // STATUS
		w.SetStatus(int(a.number(0)))
	case "panic":
		panic("the script says so")
	default:
		return "no such operation"
	}
	return "ok"
}

// on has another plugin do an operation.
func on(plugin, op string) string {
	resp, err := fetch.Post("http://"+plugin+".wasmoor.internal/", "text/plain", []byte(op))
	if err != nil {
		return status(err)
	}
	body, err := resp.Bytes(maxScript)
	if err != nil {
		return status(err)
	}
	if resp.Header.Get("X-Attempt") == "" {
		return strconv.Itoa(resp.Status) // it is the host's answer
	}
	return strings.TrimSuffix(string(body), "\n")
}

// file does something with a file, and answers the error.
func file(op, name string) string {
	var err error
	switch op {
	case "open":
		_, err = os.Open(name)
	case "stat":
		_, err = os.Stat(name)
	case "list":
		_, err = os.ReadDir(name)
	case "remove":
		err = os.Remove(name)
	case "create":
		err = os.WriteFile(name, nil, 0o600)
	case "mkdir":
		err = os.MkdirAll(name, 0o700)
	}
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func get(key string) string {
	value, ok, err := kv.Get(key)
	if err == nil && !ok {
		return "absent"
	}
	return orStatus(strconv.Quote(string(value)), err)
}

func set(key string, value []byte, ttl int64) error {
	if ttl != 0 {
		return kv.SetTTL(key, value, kv.TTL(ttl)*kv.Millisecond)
	}
	return kv.Set(key, value)
}

func many(prefix string, count int64) string {
	for i := range count {
		if err := kv.Set(prefix+strconv.FormatInt(i, 10), nil); err != nil {
			return strconv.FormatInt(i, 10) + " " + status(err)
		}
	}
	return "ok"
}

func appendTo(key, element string) string {
	before, _, err := kv.Get(key)
	after := element
	if len(before) > 0 {
		after = string(before) + "," + element
	}
	if err == nil {
		err = kv.Set(key, []byte(after))
	}
	return orStatus(strconv.Quote(string(before)), err)
}

func list(q kv.Query) string {
	if q.After == "-" {
		q.After = ""
	}
	entries, more, err := kv.List(q)
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(strconv.Quote(e.Key) + "=" + show(e.Value) + " ")
	}
	if more {
		b.WriteString("more")
	}
	return orStatus(strings.TrimSuffix(b.String(), " "), err)
}

// show is a counter as a number and any other value as text.
func show(value []byte) string {
	if n, ok := kv.Counter(value); ok {
		return strconv.FormatInt(n, 10)
	}
	return strconv.Quote(string(value))
}

func status(err error) string { return orStatus("ok", err) }

func orStatus(result string, err error) string {
	if s, ok := errors.AsType[abi.Status](err); ok {
		return s.String()
	}
	return result
}
