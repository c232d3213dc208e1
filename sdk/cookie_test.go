package sdk_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

func TestSetCookie(t *testing.T) {
	for name, c := range map[string]struct {
		mount  string
		cookie sdk.Cookie
		want   string // "" = it is refused
		says   string
	}{
		"defaults":         {"/shop", sdk.Cookie{Name: "a", Value: "1"}, "a=1; Path=/shop; HttpOnly; Secure; SameSite=Lax", ""},
		"at the root":      {"", sdk.Cookie{Name: "a", Value: "1"}, "a=1; Path=/; HttpOnly; Secure; SameSite=Lax", ""},
		"all":              {"/shop", sdk.Cookie{Name: "a", Value: "x y", Path: "/", Domain: ".example.com", MaxAge: 60, SameSite: sdk.SameSiteStrict, Readable: true, Insecure: true}, `a="x y"; Path=/; Domain=example.com; Max-Age=60; SameSite=Strict`, ""},
		"gone":             {"/shop", sdk.Cookie{Name: "a", MaxAge: -1}, "a=; Path=/shop; Max-Age=0; HttpOnly; Secure; SameSite=Lax", ""},
		"everywhere":       {"/shop", sdk.Cookie{Name: "a", SameSite: sdk.SameSiteNone}, "a=; Path=/shop; HttpOnly; Secure; SameSite=None", ""},
		"__Host- at root":  {"", sdk.Cookie{Name: "__Host-a"}, "__Host-a=; Path=/; HttpOnly; Secure; SameSite=Lax", ""},
		"__Host- for all":  {"/shop", sdk.Cookie{Name: "__Host-a", Path: "/"}, "__Host-a=; Path=/; HttpOnly; Secure; SameSite=Lax", ""},
		"the largest":      {"", sdk.Cookie{Name: "a", Value: strings.Repeat("x", 4095)}, "a=" + strings.Repeat("x", 4095) + "; Path=/; HttpOnly; Secure; SameSite=Lax", ""},
		"too large":        {"", sdk.Cookie{Name: "a", Value: strings.Repeat("x", 4096)}, "", "4097 bytes"},
		"no name":          {"", sdk.Cookie{Value: "1"}, "", "name is not a token"},
		"name of two":      {"", sdk.Cookie{Name: "a b"}, "", "name is not a token"},
		"injected":         {"", sdk.Cookie{Name: "a", Value: "1; Domain=evil.example"}, "", "encode it"},
		"line break":       {"", sdk.Cookie{Name: "a", Value: "1\r\nX: y"}, "", "encode it"},
		"not ASCII":        {"", sdk.Cookie{Name: "a", Value: "é"}, "", "encode it"},
		"quote":            {"", sdk.Cookie{Name: "a", Value: `"`}, "", "encode it"},
		"path of another":  {"", sdk.Cookie{Name: "a", Path: "x"}, "", "slash"},
		"path with more":   {"", sdk.Cookie{Name: "a", Path: "/; Domain=x"}, "", "path"},
		"domain with more": {"", sdk.Cookie{Name: "a", Domain: "x; Path=/"}, "", "domain"},
		"SameSite":         {"", sdk.Cookie{Name: "a", SameSite: 7}, "", "SameSite"},
		"None over HTTP":   {"", sdk.Cookie{Name: "a", SameSite: sdk.SameSiteNone, Insecure: true}, "", "Insecure"},
		"__Secure-":        {"", sdk.Cookie{Name: "__secure-a", Insecure: true}, "", "Insecure"},
		"__Host- below":    {"/shop", sdk.Cookie{Name: "__host-a"}, "", `path "/"`},
		"__Host- domain":   {"", sdk.Cookie{Name: "__Host-a", Domain: "x"}, "", "domain"},
	} {
		var got error
		host := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
			got = w.SetCookie(c.cookie)
			return w.NoContent()
		})
		host.Mount = c.mount
		res := host.Get("/")
		if set := res.Header.Get("Set-Cookie"); set != c.want || (got == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, set, got, c.want)
		}
		if got != nil && !strings.Contains(got.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, got, c.says)
		}
		if _, err := http.ParseSetCookie(c.want); c.want != "" && err != nil {
			t.Errorf("%s: net/http reads %v", name, err)
		}
	}
}

// TestCookiesOfAProblem: a handler that refuses keeps the cookies it has set.
func TestCookiesOfAProblem(t *testing.T) {
	res := sdktest.New(func(w *sdk.Response, _ *sdk.Request) error {
		if err := w.SetCookie(sdk.Cookie{Name: "a", Value: "1"}); err != nil {
			return err
		}
		return sdk.Error(401, "sign in")
	}).Get("/")
	if res.Status != 401 || res.Header.Get("Set-Cookie") == "" {
		t.Errorf("got %v, %v", res, res.Header)
	}
}

// FuzzCookies compares what a request has for cookies with what net/http finds.
func FuzzCookies(f *testing.F) {
	for _, seed := range []string{
		"a=1; b=2", `a="x y"; b=""`, `a="`, `a="""`, "a; b=; =c", "a = 1 ;b\t=\t2", " a=é; b=\\", "a=1=2;;;", "a b=1; c=3", "a=,; b=\x7f",
	} {
		f.Add(seed)
	}
	var got []string
	host := sdktest.New(func(_ *sdk.Response, r *sdk.Request) error {
		got = nil
		for name, value := range r.Cookies() {
			got = append(got, name+"="+value)
			if first, ok := r.Cookie(name); !ok || !strings.Contains(strings.Join(got, "\n")+"\n", name+"="+first+"\n") {
				got = append(got, "not the first")
			}
		}
		return nil
	})
	f.Fuzz(func(t *testing.T, list string) {
		if strings.ContainsFunc(list, func(c rune) bool { return c == 0x7f || c < ' ' && c != '\t' }) {
			return // the host refuses it
		}
		list = strings.Trim(list, " \t")
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set("Cookie", list)
		host.Do(req)
		var want []string
		for _, c := range (&http.Request{Header: http.Header{"Cookie": {list}}}).Cookies() {
			want = append(want, c.Name+"="+c.Value)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q: got %q, net/http finds %q", list, got, want)
		}
	})
}
