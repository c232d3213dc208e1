// Callguest does what the lines of a request say: it reads and writes keys, and calls
// other plugins, which do what their lines say.
package main

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/queue"
)

func init() {
	r := sdk.NewRouter()
	r.HandleFunc("POST /do", do)
	r.HandleFunc("POST /private", do)
	r.HandleFunc("POST /queue", do)
	r.HandleFunc("POST /transfer", transfer)
	r.HandleFunc("POST /move", move)
	r.HandleFunc("GET /balances", balances)
	r.HandleFunc("GET /tiny", func(w *sdk.Response, _ *sdk.Request) error { return w.NoContent() })
	r.HandleFunc("GET /calls", calls)
	sdk.Handle(r.Serve)
}

func main() {}

func do(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 20)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		if err := step(w, r, strings.Fields(line)); err != nil {
			return err
		}
	}
	return nil
}

// step does one line, and answers what it has learned.
func step(w *sdk.Response, r *sdk.Request, f []string) error {
	say := func(format string, args ...any) error {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		return err
	}
	switch f[0] {
	case "set":
		return kv.Set(f[1], []byte(f[2]))
	case "add":
		n, _ := strconv.ParseInt(f[2], 10, 64)
		return kv.Add(f[1], n)
	case "get":
		value, ok, err := kv.Get(f[1])
		if err != nil {
			return err
		}
		return say("%s=%s,%v", f[1], value, ok)
	case "call":
		return say("%s", call(f[1], f[2], f[3:]))
	case "status":
		n, _ := strconv.Atoi(f[1])
		w.SetStatus(n)
		return nil
	case "outcome":
		if f[1] == "commit" {
			sdk.Commit()
		} else {
			sdk.Abort()
		}
		return nil
	case "panic":
		panic("as it was told")
	case "spin":
		ms, _ := strconv.Atoi(f[1])
		for end := time.Now().Add(time.Duration(ms) * time.Millisecond); time.Now().Before(end); {
		}
		return nil
	case "sleep":
		ms, _ := strconv.Atoi(f[1])
		time.Sleep(time.Duration(ms) * time.Millisecond)
		return nil
	case "who":
		return say("%s %s %s %s %s attempt %d", r.Trigger(), r.Attribute("caller.plugin"), r.Host(), r.Mount(), r.Path(), r.Attempt())
	case "header":
		return say("%s: %s", f[1], r.Header(f[1]))
	case "version":
		version, _ := sdk.Config("version")
		return say("version %s", version)
	case "world":
		var b [8]byte
		sdk.Random(b[:])
		return say("%s %d", hex.EncodeToString(b[:]), time.Now().UnixNano())
	case "send":
		if err := queue.Send(f[1], []byte(strings.Join(f[2:], " "))); err != nil {
			return say("%v", err)
		}
		return nil
	case "from":
		d, ok := queue.From(r)
		return kv.Set(f[1], fmt.Appendf(nil, "%s/%s/%v", d.Queue, d.From, ok))
	}
	return fmt.Errorf("unknown step %q", f[0])
}

// call calls a plugin, or a service, and returns the status and the body of the answer in
// one line. Lines for the callee are escaped.
func call(method, to string, lines []string) string {
	var script string
	for _, line := range lines {
		line, _ = url.QueryUnescape(line)
		script += line + "\n"
	}
	resp, err := fetch.Do(&fetch.Request{Method: method, URL: to, Body: strings.NewReader(script)})
	if err != nil {
		return "error " + err.Error()
	}
	body, err := resp.Bytes(1 << 20)
	if err != nil {
		return "error " + err.Error()
	}
	return fmt.Sprintf("%d[%s]", resp.Status, strings.ReplaceAll(strings.TrimSpace(string(body)), "\n", ";"))
}

// transfer moves an amount between accounts of two other plugins, and counts it.
func transfer(w *sdk.Response, r *sdk.Request) error {
	q := r.Query()
	n, err := kv.Int("transfers")
	if err != nil {
		return err
	}
	for _, leg := range []string{q.Get("from") + " -" + q.Get("amount"), q.Get("to") + " " + q.Get("amount")} {
		at, by, _ := strings.Cut(leg, " ")
		bank, account, _ := strings.Cut(at, ":")
		resp, err := fetch.Post("http://"+bank+".wasmoor.internal/move", "text/plain", []byte(account+" "+by))
		if err != nil {
			return err
		}
		if resp.Status != 204 {
			w.SetStatus(resp.Status)
			sdk.Abort()
			return nil
		}
	}
	return kv.SetInt("transfers", n+1)
}

// move changes the balance of an account, which stays above zero.
func move(w *sdk.Response, r *sdk.Request) error {
	body, err := r.Body(1 << 10)
	if err != nil {
		return err
	}
	account, text, _ := strings.Cut(string(body), " ")
	by, _ := strconv.ParseInt(text, 10, 64)
	n, err := kv.Int("balance/" + account)
	if err != nil {
		return err
	}
	if n+by < 0 {
		w.SetStatus(409)
		return nil
	}
	if err := kv.SetInt("balance/"+account, n+by); err != nil {
		return err
	}
	return w.NoContent()
}

func balances(w *sdk.Response, _ *sdk.Request) error {
	sum := int64(0)
	for e, err := range kv.All(kv.Query{Prefix: "balance/"}) {
		if err != nil {
			return err
		}
		n, _ := kv.Counter(e.Value)
		sum += n
	}
	n, err := kv.Int("transfers")
	if err != nil {
		return err
	}
	return w.Text(200, fmt.Sprintf("%d %d", sum, n))
}

// calls calls a tiny handler as often as the query says.
func calls(w *sdk.Response, r *sdk.Request) error {
	n, _ := strconv.Atoi(r.Query().Get("n"))
	for range n {
		if _, err := fetch.Get(r.Query().Get("url")); err != nil {
			return err
		}
	}
	return w.NoContent()
}
