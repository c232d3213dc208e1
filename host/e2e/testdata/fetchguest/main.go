// Fetchguest calls the services that a test names.
package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /all", all)
	r.HandleFunc("/proxy", proxy)
	r.HandleFunc("POST /conflict", conflict)
	r.HandleFunc("POST /bump", bump)
	r.HandleFunc("POST /hang", hang)
	r.HandleFunc("POST /charge", charge)
	r.HandleFunc("GET /charges", charges)
	r.HandleFunc("GET /ask", ask)
	sdk.Handle(r.Serve)
}

func main() {}

// all calls every URL of the body at once: a line of the answer for each.
func all(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	var calls []*fetch.Request
	for url := range strings.FieldsSeq(string(body)) {
		calls = append(calls, &fetch.Request{URL: url})
	}
	var answer string
	for _, result := range fetch.All(calls...) {
		answer += line(result) + "\n"
	}
	return w.Text(200, answer)
}

func line(r fetch.Result) string {
	if r.Err != nil {
		return "error " + r.Err.Error()
	}
	body, err := r.Response.Bytes(1 << 20)
	if err != nil {
		return "error " + err.Error()
	}
	return strconv.Itoa(r.Response.Status) + " " + string(body)
}

// proxy passes its request on to the service of the query, and the answer back, with
// the whole header of each.
func proxy(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	var header fetch.Header
	for name, value := range r.Headers() {
		header = header.Add(name, value)
	}
	resp, err := fetch.Do(&fetch.Request{Method: r.Method(), URL: r.Query().Get("to"), Header: header, Body: bytes.NewReader(body)})
	if err != nil {
		return err
	}
	answer, err := resp.Bytes(1 << 20)
	if err != nil {
		return err
	}
	w.SetStatus(resp.Status)
	for _, h := range resp.Header {
		w.AddHeader(h.Name, h.Value)
	}
	_, err = w.Write(answer)
	return err
}

// conflict reads a counter, calls out with the method of the query, and writes
// what it read. With "vary" each run calls with another body.
func conflict(w *sdk.Response, r *sdk.Request) error {
	n, _, err := kv.Get("n")
	if err != nil {
		return err
	}
	url, err := r.Body(1 << 10)
	if err != nil {
		return err
	}
	body := ""
	if r.Query().Get("vary") != "" {
		body = strconv.Itoa(r.Attempt())
	}
	if _, err := fetch.Do(&fetch.Request{Method: r.Query().Get("method"), URL: string(url), Body: strings.NewReader(body)}); err != nil {
		return err
	}
	if err := kv.Set("seen", n); err != nil {
		return err
	}
	return w.Text(200, strconv.Itoa(r.Attempt()))
}

// bump changes what conflict has read.
func bump(w *sdk.Response, r *sdk.Request) error {
	if err := kv.Set("n", []byte(r.ID())); err != nil {
		return err
	}
	return w.NoContent()
}

// charge reads the number of charges, sends one with an id and a date of its own,
// and counts it.
func charge(w *sdk.Response, r *sdk.Request) error {
	n, err := kv.Int("charges")
	if err != nil {
		return err
	}
	url, err := r.Body(1 << 10)
	if err != nil {
		return err
	}
	var id [8]byte
	sdk.Random(id[:])
	resp, err := fetch.Post(string(url), "text/plain", []byte(hex.EncodeToString(id[:])+time.Now().Format(time.RFC3339Nano)+strconv.FormatUint(rand.Uint64(), 10)))
	if err != nil {
		return err
	}
	answer, err := resp.Bytes(1 << 10)
	if err != nil {
		return err
	}
	if err := kv.SetInt("charges", n+1); err != nil {
		return err
	}
	return w.Text(200, string(answer))
}

// charges answers how many were counted.
func charges(w *sdk.Response, _ *sdk.Request) error {
	n, err := kv.Int("charges")
	if err != nil {
		return err
	}
	return w.Text(200, strconv.FormatInt(n, 10))
}

// hang calls a service that never answers, and tells of it.
func hang(w *sdk.Response, r *sdk.Request) error {
	url, err := r.Body(1 << 10)
	if err != nil {
		return err
	}
	_, err = fetch.Get(string(url))
	return w.Text(200, fmt.Sprint(err))
}

// ask calls the service of the query.
func ask(w *sdk.Response, r *sdk.Request) error {
	resp, err := fetch.Get(r.Query().Get("url"))
	if err != nil {
		return err
	}
	return w.Text(200, strconv.Itoa(resp.Status))
}
