//go:build edge

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// browser is a Chromium that a test drives by its DevTools protocol: pages with open
// sockets do not end by themselves, and --dump-dom would wait for them.
type browser struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
	last int // id of the last command
}

// openBrowser starts a browser, which ends with the test, and within four minutes.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := tool(t, "chromium", "chromium")
	profile := t.TempDir()
	c := begin(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+profile, "--remote-debugging-port=0", "about:blank")
	c.start(t)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	var port, way string
	if err := until(ctx, func() bool {
		text, err := os.ReadFile(filepath.Join(profile, "DevToolsActivePort"))
		if err != nil {
			return false
		}
		n, _ := fmt.Sscanf(string(text), "%s\n%s", &port, &way)
		return n == 2
	}); err != nil {
		t.Fatalf("the browser does not start: %v\n%s", err, &c.said)
	}
	conn, _, err := websocket.Dial(ctx, "ws://127.0.0.1:"+port+way, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(16 << 20)
	b := &browser{t: t, ctx: ctx, conn: conn}
	t.Cleanup(func() { // it writes to its profile until it has ended
		_ = wsjson.Write(ctx, conn, map[string]any{"id": 1 << 30, "method": "Browser.close"})
		select {
		case <-c.exited:
		case <-time.After(10 * time.Second):
		}
		_ = conn.CloseNow()
	})
	return b
}

// do sends a command, and reads its result into result, unless that is nil.
func (b *browser) do(session, method string, params, result any) error {
	b.last++
	command := map[string]any{"id": b.last, "method": method, "params": params}
	if session != "" {
		command["sessionId"] = session
	}
	if err := wsjson.Write(b.ctx, b.conn, command); err != nil {
		return err
	}
	for {
		var reply struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  json.RawMessage `json:"error"`
		}
		err := wsjson.Read(b.ctx, b.conn, &reply)
		switch {
		case err != nil:
			return err
		case reply.ID != b.last: // an event
		case reply.Error != nil:
			return fmt.Errorf("%s: %s", method, reply.Error)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(reply.Result, result)
		}
	}
}

// tab is an open page.
type tab struct {
	b           *browser
	id, session string
}

// open opens a page in a tab of its own.
func (b *browser) open(url string) *tab {
	b.t.Helper()
	var target, session struct{ TargetID, SessionID string }
	err := b.do("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	if err == nil {
		err = b.do("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	}
	if err != nil {
		b.t.Fatalf("open a tab: %v", err)
	}
	p := &tab{b, target.TargetID, session.SessionID}
	p.run("old = true")
	if err := b.do(p.session, "Page.navigate", map[string]any{"url": url}, nil); err != nil {
		b.t.Fatal(err)
	}
	p.loaded()
	return p
}

// close closes the tab.
func (p *tab) close() {
	p.b.t.Helper()
	if err := p.b.do("", "Target.closeTarget", map[string]any{"targetId": p.id}, nil); err != nil {
		p.b.t.Fatal(err)
	}
}

// reload loads the page again, and leaves it to loaded to wait.
func (p *tab) reload() {
	p.b.t.Helper()
	p.run("old = true")
	if err := p.b.do(p.session, "Page.reload", nil, nil); err != nil {
		p.b.t.Fatal(err)
	}
}

// loaded waits for another page than the one with old.
func (p *tab) loaded() {
	p.b.t.Helper()
	if err := until(p.b.ctx, func() bool {
		state, err := p.try("typeof old + document.readyState") // there may be no page just now
		return err == nil && state == "undefinedcomplete"
	}); err != nil {
		p.b.t.Fatalf("the page is not there: %v", err)
	}
	p.run(socketScript)
}

// try runs a script in the page, and returns what it comes to. A promise is awaited.
func (p *tab) try(script string) (string, error) {
	var got struct {
		Result struct {
			Value any
		}
		ExceptionDetails json.RawMessage
	}
	err := p.b.do(p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &got)
	if err == nil && got.ExceptionDetails != nil {
		err = fmt.Errorf("it throws: %s", got.ExceptionDetails)
	}
	return fmt.Sprint(got.Result.Value), err
}

// run is try where nothing may fail.
func (p *tab) run(script string) string {
	p.b.t.Helper()
	got, err := p.try(script)
	if err != nil {
		p.b.t.Fatalf("%s: %v", script, err)
	}
	return got
}

// runs wants a script to come to something.
func (p *tab) runs(script, want string) {
	p.b.t.Helper()
	if got := p.run(script); got != want {
		p.b.t.Fatalf("%s is %q, want %q", script, got, want)
	}
}

// socketScript is what pages use: each of its functions returns a promise.
const socketScript = `
heard = []; waiting = [];
function hear(text) { heard.push(text); waiting.splice(0).forEach(f => f()) }
async function hears(n) { while (heard.length < n) await new Promise(f => waiting.push(f)); return heard.join(",") }
function talk(url) {
	socket = new WebSocket(url);
	socket.onmessage = e => hear(e.data);
	return new Promise(f => { socket.onopen = () => f("open"); socket.onclose = e => f("closed " + e.code) });
}
function listen(url, init) {
	source = new EventSource(url, init);
	source.onmessage = e => hear(e.data);
	return new Promise(f => { source.onopen = () => f("open"); source.onerror = () => f("state " + source.readyState) });
}
channel = new BroadcastChannel("shared");
channel.onmessage = e => hear(e.data);
// fetched is an event stream that begins after the last event that the page remembers,
// over a reload too.
async function fetched(url) {
	const last = sessionStorage.getItem("last");
	const answer = await fetch(url, {headers: {Accept: "text/event-stream", ...(last && {"Last-Event-ID": last})}});
	(async () => {
		let text = "";
		for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
			const events = (text + part).split("\n\n");
			text = events.pop();
			for (const event of events) {
				const id = /^id: (.*)$/m.exec(event), data = /^data: (.*)$/m.exec(event);
				if (!id) continue; // not one that is published
				sessionStorage.setItem("last", id[1]);
				hear(data[1]);
			}
		}
	})();
	return answer.status;
}
0`

// TestEdgeBrowserSockets has pages in a real browser open sockets of both kinds: seven
// tabs, pages that lose their connection or are reloaded, and pages of another origin.
func TestEdgeBrowserSockets(t *testing.T) {
	b := openBrowser(t)
	s := serve(t, t.TempDir(), "--log-level", "warn")
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a page of another origin") // the browser may be gone
	}))
	t.Cleanup(foreign.Close)
	s.deploy("chat", socketGuest(t, "1"))
	page := s.public + "/chat/count?topic=none" // any page of the site
	publish := func(topic, text string) {
		t.Helper()
		if a := s.do("POST", "/chat/publish?topic="+topic, text); a.status != 200 {
			t.Fatal(a)
		}
	}

	// A WebSocket of each tab, and one event stream that a tab passes on to the others: a
	// browser has six connections to a site for streams of all its tabs together.
	tabs := []*tab{}
	for range 7 {
		p := b.open(page)
		p.runs(`talk("/chat/rooms/1?topic=tabs")`, "open")
		tabs = append(tabs, p)
	}
	s.until("/chat/count?topic=tabs", "7")
	tabs[0].runs(`source = null, listen("/chat/rooms/1?topic=stream")`, "open")
	tabs[0].run(`source.onmessage = e => { hear(e.data); channel.postMessage(e.data) }, 0`)
	publish("tabs", "one")
	for _, p := range tabs {
		p.runs("hears(1)", "one")
	}
	publish("stream", "two")
	for i, p := range tabs {
		p.runs("hears(2)", "one,two")
		p.run(fmt.Sprintf(`socket.send("echo %d"), 0`, i))
		p.runs("hears(3)", fmt.Sprintf("one,two,%d", i))
	}
	for _, p := range tabs {
		p.close()
	}
	s.until("/chat/count?topic=tabs", "0")
	s.until("/chat/count?topic=stream", "0")

	// A stream that is cut off comes back by itself, and a page that is reloaded by what it
	// remembers: neither misses an event or hears one twice.
	cut, reloaded := b.open(page), b.open(page)
	cut.runs(`listen("/chat/rooms/1?topic=kept:cut")`, "open")
	var all []string
	more := func(n int) {
		t.Helper()
		for range n {
			text := fmt.Sprint(len(all))
			publish("kept:cut", text)
			publish("kept:reload", text)
			all = append(all, text)
		}
	}
	heard := 0 // by pages that were reloaded since
	for range 3 {
		reloaded.runs(`fetched("/chat/rooms/1?topic=kept:reload")`, "200")
		more(5)
		reloaded.runs(fmt.Sprintf("hears(%d)", len(all)-heard), strings.Join(all[heard:], ","))
		heard = len(all)
		reloaded.reload()
		s.until("/chat/count?topic=kept:reload", "0")
		s.mustCLI("", "socket", "close", "chat", "--all") // the browser waits for a moment
		more(3)
		reloaded.loaded()
		cut.runs(fmt.Sprintf("hears(%d)", len(all)), strings.Join(all, ","))
	}

	// A page of another origin opens no socket, whatever its requests may read, before the
	// manifest lists it.
	stranger := b.open(foreign.URL)
	room := strings.TrimPrefix(s.public, "http:") + "/chat/rooms/1?as="
	talks := func(as string) string { return fmt.Sprintf("talk(%q)", "ws:"+room+as) }
	listens := func(as string) string { return fmt.Sprintf("listen(%q, {withCredentials: true})", "http:"+room+as) }
	const closed = "state 2" // of an EventSource that does not come back
	s.mustCLI("", "cors", "set", "chat", "--origin", foreign.URL, "--credentials")
	stranger.runs(talks("stranger"), "closed 1006")
	stranger.runs(listens("stranger"), closed)
	s.deploy("chat", socketGuest(t, "2", strings.Replace(socketTables, "https://friend.example", foreign.URL, 1)))
	stranger.runs(talks("friend"), "open")
	stranger.runs(listens("friend"), "open")
	stranger.close()
	s.untilContains("/chat/closes", "1 friend 1001  true x1\n") // a WebSocket, which says that the page is left
	s.untilContains("/chat/closes", "1 friend 1006  true x1\n")
	if closes := s.get("/chat/closes").body; strings.Contains(closes, "stranger") {
		t.Errorf("a page of another origin has opened a socket:\n%s", closes)
	}
}
