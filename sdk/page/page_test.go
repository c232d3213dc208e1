package page_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/page"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

// lister serves a list: keys without the prefix, and the next cursor on a line of its
// own.
func lister(l page.List) *sdktest.Host {
	return sdktest.New(func(w *sdk.Response, r *sdk.Request) error {
		q, err := l.Query(r.Query().Get("limit"), r.Query().Get("cursor"))
		if err != nil {
			return err
		}
		entries, more, err := kv.List(q)
		for _, e := range entries {
			_, _ = w.WriteString(strings.TrimPrefix(e.Key, l.Prefix) + " ")
		}
		_, _ = w.WriteString("\n" + l.Next(entries, more))
		return err
	})
}

// get returns a page's keys and the next cursor.
func get(t *testing.T, host *sdktest.Host, query string) (keys, next string) {
	t.Helper()
	res := host.Get("/?" + query)
	if res.Status != 200 {
		t.Fatalf("%s: got %v", query, res)
	}
	keys, next, _ = strings.Cut(res.Text(), "\n")
	return strings.TrimSpace(keys), next
}

func fill(host *sdktest.Host, keys ...string) {
	for _, key := range keys {
		host.Store.Set(key, nil, 0)
	}
}

func TestPages(t *testing.T) {
	for _, c := range []struct {
		list page.List
		want []string
	}{
		{page.List{Prefix: "n/", Limit: 2}, []string{"a b", "c d", "e"}},
		{page.List{Prefix: "n/", Limit: 2, Reverse: true}, []string{"e d", "c b", "a"}},
		{page.List{Prefix: "n/", Limit: 5}, []string{"a b c d e"}},
		{page.List{Prefix: "none/"}, []string{""}},
	} {
		host := lister(c.list)
		fill(host, "m", "n/a", "n/b", "n/c", "n/d", "n/e", "o/a")
		var got []string
		keys, next := get(t, host, "")
		for got = append(got, keys); next != ""; got = append(got, keys) {
			keys, next = get(t, host, "cursor="+next)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %q, want %q", c.list, got, c.want)
		}
	}
}

// TestPagesAreStable: what comes and goes between two pages neither repeats an entry
// nor hides one.
func TestPagesAreStable(t *testing.T) {
	host := lister(page.List{Prefix: "n/", Limit: 2})
	fill(host, "n/b", "n/d", "n/f", "n/h")
	first, next := get(t, host, "")
	fill(host, "n/a", "n/c", "n/e")
	host.Store.Delete("n/d")
	second, _ := get(t, host, "cursor="+next)
	if first != "b d" || second != "e f" {
		t.Errorf("got %q, then %q", first, second)
	}
}

func TestLimit(t *testing.T) {
	host := lister(page.List{Max: 30})
	for i := range 40 {
		fill(host, fmt.Sprintf("%02d", i))
	}
	for query, want := range map[string]int{"": 20, "limit=": 20, "limit=1": 1, "limit=30": 30, "limit=31": 30, "limit=2147483647": 30} {
		if keys, _ := get(t, host, query); len(strings.Fields(keys)) != want {
			t.Errorf("%q: got %q", query, keys)
		}
	}
	for _, bad := range []string{"0", "-1", "1.5", "x", "1e2", "%201", "99999999999999999999"} {
		if res := host.Get("/?limit=" + bad); res.Status != 400 || !strings.Contains(res.Text(), "limit must be a number from 1 to 30") {
			t.Errorf("limit=%s: got %v", bad, res)
		}
	}
}

func TestForeignCursors(t *testing.T) {
	fwd := page.List{Prefix: "n/", Limit: 1}
	host := lister(fwd)
	fill(host, "n/a", "n/b", "n/c", "m/a", "m/b", "m/c")
	_, good := get(t, host, "")
	foreign := map[string]string{
		"nothing sensible": "x", "no base64": "%00", "cut": good[:len(good)-1], "longer": good + "A", "very long": strings.Repeat("A", 4000),
		"changed": "A" + good[1:], "only a check": good[:6],
	}
	for name, l := range map[string]page.List{"another prefix": {Prefix: "m/", Limit: 1}, "another direction": {Prefix: "n/", Limit: 1, Reverse: true}} {
		other := lister(l)
		other.Store = host.Store
		_, foreign[name] = get(t, other, "")
	}
	for name, cursor := range foreign {
		if res := host.Get("/?cursor=" + cursor); res.Status != 400 || !strings.Contains(res.Text(), "cursor is not one of this list") {
			t.Errorf("%s: got %v", name, res)
		}
	}
}

func FuzzCursor(f *testing.F) {
	l := page.List{Prefix: "n/"}
	f.Add(l.Next([]kv.Entry{{Key: "n/some key"}}, true))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		q, err := l.Query("", cursor)
		if err == nil && cursor != "" && (!strings.HasPrefix(q.After, "n/") || l.Next([]kv.Entry{{Key: q.After}}, true) != cursor) {
			t.Errorf("%q is after %q", cursor, q.After)
		}
	})
}
