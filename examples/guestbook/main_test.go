package main

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func newHost() *sdktest.Host {
	host := sdktest.New(routes().Serve)
	host.Mount = "/guestbook"
	return host
}

func post(host *sdktest.Host, name, text, keep string) *sdktest.Result {
	form := url.Values{"name": {name}, "text": {text}, "keep": {keep}}
	return host.Send("POST", "/entries", "application/x-www-form-urlencoded", form.Encode())
}

func TestSignAndShow(t *testing.T) {
	host := newHost()
	res := post(host, "Ada", "<b>Hello</b> & welcome", "")
	if res.Status != 303 || res.Header.Get("Location") != "/guestbook/" || res.Outcome != sdktest.Committed {
		t.Fatalf("sign: got %v", res)
	}
	page := host.Get("/").Text()
	for _, want := range []string{"&lt;b&gt;Hello&lt;/b&gt; &amp; welcome", "Ada", "1 January 2030, 12:00", "Signed 1 times"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	for _, c := range []struct {
		name, by, text, says string
	}{
		{"no name", " ", "hello", "Please write"},
		{"no text", "Ada", "", "Please write"},
		{"long name", strings.Repeat("é", 41), "hello", "longer than 40"},
		{"long text", "Ada", strings.Repeat("é", 501), "longer than 500"},
		{"line in name", "Ada\nLovelace", "hello", "cannot show"},
		{"not UTF-8", "Ada", "\xff", "cannot show"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := newHost()
			res := post(host, c.by, c.text, "")
			if res.Status != 422 || !strings.Contains(res.Text(), c.says) {
				t.Errorf("got %v, want 422 and %q", res, c.says)
			}
			if keys := host.Store.Keys(""); len(keys) != 0 {
				t.Errorf("wrote %q", keys)
			}
		})
	}
}

func TestPages(t *testing.T) {
	host := newHost()
	for i := range 25 {
		post(host, "Ada", "greeting-"+strconv.Itoa(i)+".", "")
		host.Now = host.Now.Add(time.Minute)
	}
	target, want := "/", 24
	for pages := 1; ; pages++ {
		page := host.Get(target).Text()
		for range min(pageSize, want+1) {
			if text := "greeting-" + strconv.Itoa(want) + "."; !strings.Contains(page, text) {
				t.Fatalf("page %d lacks %q", pages, text)
			}
			want--
		}
		_, rest, more := strings.Cut(page, `href="/guestbook`)
		if !more {
			break
		}
		target, _, _ = strings.Cut(rest, `"`)
	}
	if want != -1 {
		t.Errorf("greetings 0 to %d are on no page", want)
	}
}

func TestEntriesExpire(t *testing.T) {
	host := newHost()
	post(host, "Ada", "for an hour", "hour")
	host.Now = host.Now.Add(time.Minute)
	post(host, "Ada", "for ever", "")
	host.Now = host.Now.Add(2 * time.Hour)
	page := host.Get("/").Text()
	if strings.Contains(page, "for an hour</p>") || !strings.Contains(page, "for ever</p>") {
		t.Errorf("after two hours:\n%s", page)
	}
}

func TestOneEntryPerMoment(t *testing.T) {
	host := newHost()
	post(host, "Ada", "first", "")
	if res := post(host, "Ada", "second", ""); res.Status != 429 {
		t.Errorf("at once: got %v, want 429", res)
	}
	host.Now = host.Now.Add(10 * time.Second)
	if res := post(host, "Ada", "third", ""); res.Status != 303 {
		t.Errorf("after a pause: got %v, want 303", res)
	}
}

// TestSentTwice sends the form a second time while the first is about to commit.
func TestSentTwice(t *testing.T) {
	host := newHost()
	host.BeforeCommit = func(attempt int) {
		if attempt == 1 {
			post(host, "Ada", "hello", "")
		}
	}
	res := post(host, "Ada", "hello", "")
	if res.Status != 429 || res.Attempts != 2 {
		t.Errorf("got %v, want 429 in the second attempt", res)
	}
	if n := len(host.Store.Keys(entryPrefix)); n != 1 || host.Store.Int(totalKey) != 1 {
		t.Errorf("%d entries, total %d, want 1 and 1", n, host.Store.Int(totalKey))
	}
}
