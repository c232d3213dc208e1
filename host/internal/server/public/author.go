package public

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/wire"
)

// Author makes a listener one on an author's own machine: its clients are told why a
// plugin failed, in the guest's words, and browsers are told on a page. The
// functions are called concurrently; nil says nothing.
type Author struct {
	// Unserved says why nothing is served at a path yet; "" = nothing is meant to be.
	Unserved func(path string) string
	// Logged returns what the guest has logged of a request that went wrong, "" for
	// nothing.
	Logged func(requestID string) string
}

// unserved refuses a request to a plugin that does not serve yet, nil for another.
func (a *Author) unserved(path string) *wire.Refusal {
	if a == nil || a.Unserved == nil {
		return nil
	}
	why := a.Unserved(path)
	if why == "" {
		return nil
	}
	return &wire.Refusal{Status: http.StatusServiceUnavailable, Code: fault.Unavailable, Detail: why}
}

// explain adds to a response that is a problem what the guest has logged, and makes
// a page of it for a browser. It leaves every other response as it is.
func (a *Author) explain(ctx *fasthttp.RequestCtx, c *exchange) {
	resp := &ctx.Response
	if a == nil || resp.IsBodyStream() || string(resp.Header.ContentType()) != adminapi.TypeProblem {
		return
	}
	var problem map[string]any
	if json.Unmarshal(resp.Body(), &problem) != nil || problem == nil {
		return
	}
	detail, _ := problem["detail"].(string)
	if c.handled && a.Logged != nil && resp.StatusCode() >= http.StatusInternalServerError {
		detail = withLogged(detail, a.Logged(c.id))
	}
	if detail != "" {
		problem["detail"] = detail
	}
	resp.Header.Add("Vary", "Accept")
	if strings.Contains(string(ctx.Request.Header.Peek("Accept")), "text/html") {
		writePage(resp, detail, c)
		return
	}
	body, err := json.Marshal(problem)
	if err == nil {
		resp.SetBody(body)
	}
}

// withLogged puts what the guest has logged, a panic with its place for one, before a
// detail, which it may tell already.
func withLogged(detail, logged string) string {
	if strings.Contains(logged, detail) {
		return logged
	}
	return strings.TrimPrefix(logged+"\n"+detail, "\n")
}

// page is an error for a browser: its refresh, title, status line, text and id.
const page = `<!doctype html>
<meta charset="utf-8">%s
<title>%s</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8888 }
</style>
<h1>%[2]s</h1>
<p>%s
<pre>%s</pre>
<p><small>wasmoor dev, request %s</small>
`

// writePage makes the response a page, which a plugin that does not serve yet has
// loaded again.
func writePage(resp *fasthttp.Response, detail string, c *exchange) {
	refresh := ""
	if c.match.Deployment == nil && resp.StatusCode() == http.StatusServiceUnavailable {
		refresh = "\n" + `<meta http-equiv="refresh" content="1">`
	}
	status := fmt.Sprintf("%d %s", resp.StatusCode(), http.StatusText(resp.StatusCode()))
	resp.Header.SetContentType("text/html; charset=utf-8")
	resp.Header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	resp.Header.Set("X-Content-Type-Options", "nosniff")
	resp.SetBodyString(fmt.Sprintf(page, refresh, status, html.EscapeString(c.method+" "+c.path), html.EscapeString(detail), html.EscapeString(c.id)))
}
