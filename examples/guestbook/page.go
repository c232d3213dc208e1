package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

const style = `body{font:1.1rem/1.5 Georgia,serif;max-width:38rem;margin:3rem auto;padding:0 1rem;color:#2b2b2b;background:#fbf8f1}
h1{font-weight:normal;letter-spacing:.02em}form,article{background:#fff;border:1px solid #e6dfcf;border-radius:.5rem;padding:1rem;margin:1rem 0}
input,textarea,select,button{font:inherit;padding:.4rem;border:1px solid #cfc6b0;border-radius:.3rem;box-sizing:border-box}
input,textarea{width:100%;margin-bottom:.6rem}button{background:#7a5c2e;color:#fff;border:0;padding:.5rem 1.2rem}
p{white-space:pre-wrap;margin:.2rem 0}small{color:#8a8069}[role=alert]{color:#a32020}`

// policy lets the page do nothing but show itself and send its form: a visitor's
// text that got past the escaping would still not run.
const policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"

// render answers with the page. The draft fills the form.
func render(w *sdk.Response, r *sdk.Request, d draft) error {
	after := r.Query().Get("after")
	if len(after) > maxKey {
		return sdk.Error(400, "there is no such page")
	}
	entries, more, err := kv.List(kv.Query{Prefix: entryPrefix, After: after, Limit: pageSize, Reverse: true})
	if err != nil {
		return err
	}
	total, err := kv.Int(totalKey)
	if err != nil {
		return err
	}
	w.SetHeader("Content-Type", "text/html; charset=utf-8")
	w.SetHeader("Content-Security-Policy", policy)
	heading(w)
	form(w, r.Mount(), d)
	for _, e := range entries {
		article(w, parse(e))
	}
	footer(w, r.Mount(), total, entries, more)
	return nil
}

// put writes parts to the page; an error of the response ends the request at
// its end, so it need not be looked at here.
func put(w *sdk.Response, parts ...string) {
	for _, p := range parts {
		_, _ = w.WriteString(p)
	}
}

func heading(w *sdk.Response) {
	title, _ := sdk.Config("title")
	if title == "" {
		title = "Guestbook"
	}
	title = sdk.EscapeHTML(title)
	put(w, `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>`,
		title, "</title><style>", style, "</style>\n<h1>", title, "</h1>\n")
}

func form(w *sdk.Response, mount string, d draft) {
	if d.fault != "" {
		put(w, `<p role="alert">`, sdk.EscapeHTML(d.fault), "</p>\n")
	}
	put(w, `<form method="post" action="`, sdk.EscapeHTML(mount), `/entries">`,
		`<input name="name" placeholder="Your name" maxlength="40" required value="`, sdk.EscapeHTML(d.name), `">`,
		`<textarea name="text" rows="3" placeholder="Leave a greeting" maxlength="500" required>`, sdk.EscapeHTML(d.text), `</textarea>`)
	put(w, `Keep it <select name="keep"><option value="">for ever<option value="day">for a day<option value="hour">for an hour</select> `,
		"<button>Sign</button></form>\n")
}

func article(w *sdk.Response, e entry) {
	at := time.Unix(0, e.nanoseconds).UTC()
	put(w, "<article><p>", sdk.EscapeHTML(e.text), "</p><small>", sdk.EscapeHTML(strings.TrimSpace(e.name)),
		`, <time datetime="`, at.Format(time.RFC3339), `">`, at.Format("2 January 2006, 15:04"), "</time></small></article>\n")
}

func footer(w *sdk.Response, mount string, total int64, entries []kv.Entry, more bool) {
	if more {
		put(w, `<a rel="next" href="`, sdk.EscapeHTML(mount), `/?after=`, entries[len(entries)-1].Key, `">Older</a> `)
	}
	if total == 0 {
		put(w, "<small>Be the first to sign.</small>\n")
		return
	}
	put(w, "<small>Signed ", strconv.FormatInt(total, 10), " times so far.</small>\n")
}
