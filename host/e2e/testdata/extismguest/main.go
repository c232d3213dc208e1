//go:build wasip1

// Extismguest is a plugin of Extism that speaks on sockets, calls other plugins, and uses
// SQL.
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

func main() {}

// Functions of Extism's kernel, in which a block is named by its offset.

//go:wasmimport extism:host/env input_length
func inputLength() uint64

//go:wasmimport extism:host/env input_load_u8
func inputLoad(at uint64) uint32

//go:wasmimport extism:host/env alloc
func alloc(n uint64) uint64

//go:wasmimport extism:host/env length
func length(block uint64) uint64

//go:wasmimport extism:host/env load_u8
func load(at uint64) uint32

//go:wasmimport extism:host/env store_u8
func store(at uint64, v uint32)

//go:wasmimport extism:host/env output_set
func outputSet(block, n uint64)

//go:wasmimport extism:host/env http_request
func httpRequest(request, body uint64) uint64

//go:wasmimport extism:host/env http_status_code
func httpStatus() int32

// Functions of wasmoor.

//go:wasmimport extism:host/user kv_add
func kvAdd(key uint64, delta int64) int64

//go:wasmimport extism:host/user socket_follow
func socketFollow(socket, topic uint64) int64

//go:wasmimport extism:host/user socket_attach
func socketAttach(socket, data uint64) int64

//go:wasmimport extism:host/user publish
func publish(topic, data, event uint64, flags int64) int64

//go:wasmimport extism:host/user sql_exec
func sqlExec(database, statement, args uint64) int64

//go:wasmimport extism:host/user sql_query
func sqlQuery(database, statement, args uint64) int64

//go:wasmimport extism:host/user sql_columns
func sqlColumns(handle uint64) int64

//go:wasmimport extism:host/user sql_rows
func sqlRows(handle uint64, limit int64) int64

//go:wasmimport extism:host/user sql_close
func sqlClose(handle uint64) int64

//go:wasmimport extism:host/user sql_error
func sqlError() int64

// request is the part of a request that this plugin reads.
type request struct {
	Method     string            `json:"method"`
	Params     map[string]string `json:"params"`
	Attributes map[string]string `json:"attributes"`
	Body       string            `json:"body"`
}

// talk is what opens a socket, gets its messages, and learns of its end.
//
//go:wasmexport talk
func talk() int32 {
	r := input()
	id := put(r.Attributes["socket.id"])
	switch event := r.Attributes["socket.event"]; {
	case event == "open":
		must(socketFollow(id, put("room:"+r.Params["id"])))
		must(socketAttach(id, put("ann")))
		answer(200, "welcome")
	case event == "message" && strings.HasPrefix(r.Body, "say "):
		must(publish(put("room:"+r.Params["id"]), put(r.Body[4:]), 0, 0))
		answer(204, "")
	case event == "message":
		answer(200, fmt.Sprintf("%s in %s: %s", r.Attributes["socket.attachment"], r.Params["id"], r.Body))
	default:
		must(kvAdd(put("ended "+event+" "+r.Attributes["socket.code"]), 1))
		answer(200, "")
	}
	return 0
}

// call counts a call, and has the plugin c do what the body says. A body that begins with
// "drop" fails afterwards.
//
//go:wasmexport call
func call() int32 {
	r := input()
	must(kvAdd(put("calls"), 1))
	script, drop := strings.CutPrefix(r.Body, "drop ")
	block := httpRequest(put(`{"url":"http://c.wasmoor.internal/do","method":"POST"}`), put(script))
	text := make([]byte, length(block))
	for i := range text {
		text[i] = byte(load(block + uint64(i)))
	}
	status := 200
	if drop {
		status = 500
	}
	answer(status, fmt.Sprintf("%d[%s] called by %s", httpStatus(), strings.TrimSpace(string(text)), r.Attributes["caller.plugin"]))
	return 0
}

// query inserts a row of the body, and answers the columns and the rows of its table. A
// body that begins with "drop" fails afterwards.
//
//go:wasmexport query
func query() int32 {
	r := input()
	name, drop := strings.CutPrefix(r.Body, "drop ")
	status := 200
	if drop {
		status = 500
	}
	main := put("main")
	result := sqlExec(main, put("INSERT INTO t (name) VALUES (?)"), put(string(abi.AppendSQLArgs(nil, []abi.SQLArg{{SQLValue: abi.SQLValue{Type: abi.SQLText, Text: name}}}))))
	if result < 0 {
		code, message, _ := abi.DecodeSQLError(text(sqlError()))
		answer(409, fmt.Sprint(result, " ", code, " ", message))
		return 0
	}
	said := abi.NewReader(text(result))
	out := fmt.Sprint(said.Uint64(), " changed, last ", said.Uint64(), ";")
	handle := sqlQuery(main, put("SELECT id, name FROM t ORDER BY id"), 0)
	must(handle)
	columns, _ := abi.DecodeSQLColumns(text(sqlColumns(uint64(handle))))
	out += fmt.Sprint(columns)
	row := make([]abi.SQLValue, len(columns))
	for more := true; more; {
		page, _ := abi.DecodeSQLPage(text(sqlRows(uint64(handle), 2)))
		for next, _ := page.Row(row); next; next, _ = page.Row(row) {
			out += fmt.Sprint(" ", row[0].Bits, "=", row[1].Text)
		}
		more = page.More
	}
	must(sqlClose(uint64(handle)))
	answer(status, out)
	return 0
}

// text returns what a block has.
func text(block int64) string {
	must(block)
	b := make([]byte, length(uint64(block)))
	for i := range b {
		b[i] = byte(load(uint64(block) + uint64(i)))
	}
	return string(b)
}

func input() (r request) {
	b := make([]byte, inputLength())
	for i := range b {
		b[i] = byte(inputLoad(uint64(i)))
	}
	if err := json.Unmarshal(b, &r); err != nil {
		panic(err)
	}
	return r
}

func answer(status int, body string) {
	text, _ := json.Marshal(map[string]any{"status": status, "body": body})
	outputSet(put(string(text)), uint64(len(text)))
}

// put makes a block of a text.
func put(text string) uint64 {
	block := alloc(uint64(len(text)))
	for i := range len(text) {
		store(block+uint64(i), uint32(text[i]))
	}
	return block
}

func must(status int64) {
	if status < 0 {
		panic(fmt.Sprint("status ", status))
	}
}
