package session_test

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
	"github.com/wasmoor/wasmoor/sdk/page"
	"github.com/wasmoor/wasmoor/sdk/password"
	"github.com/wasmoor/wasmoor/sdk/sdktest"
	"github.com/wasmoor/wasmoor/sdk/secure"
	"github.com/wasmoor/wasmoor/sdk/session"
)

// What stands between the two lines is in sdk/README.md.

// readme: begin
var sessions = session.Stored{Idle: 12 * kv.Hour}

func signIn(w *sdk.Response, r *sdk.Request) error {
	form, err := r.Form(4 << 10)
	if err != nil {
		return err
	}
	name := form.Get("name")
	hash, _, err := kv.Get("users/" + name) // of password.Hash; empty for a name that nobody has
	if err != nil {
		return err
	}
	switch ok, _, err := password.Verify(form.Get("password"), string(hash)); { // empty takes as long
	case err != nil:
		return err
	case !ok:
		return sdk.Error(401, "the name or the password is wrong")
	}
	old, _ := r.Cookie("session")
	token, err := sessions.Start(old, name, nil) // a new token, and the end of the old session
	if err != nil {
		return err
	}
	if err := w.SetCookie(sessions.Cookie(token)); err != nil {
		return err
	}
	return w.Redirect(303, r.Mount()+"/notes")
}

func user(r *sdk.Request) (name string, err error) {
	token, _ := r.Cookie("session")
	s, err := sessions.Find(token)
	if err == nil && s == nil {
		err = sdk.Error(401, "sign in first")
	}
	if err != nil {
		return "", err
	}
	return s.User, nil
}

// readme: end

func signUp(w *sdk.Response, r *sdk.Request) error {
	form, err := r.Form(4 << 10)
	if err != nil {
		return err
	}
	hash, err := password.Hash(form.Get("password"))
	if err != nil {
		return err
	}
	return kv.Set("users/"+form.Get("name"), []byte(hash))
}

func signOut(w *sdk.Response, r *sdk.Request) error {
	token, _ := r.Cookie("session")
	return errors.Join(sessions.End(token), w.SetCookie(sessions.Cookie("")))
}

func notes(w *sdk.Response, r *sdk.Request) error {
	name, err := user(r)
	if err != nil {
		return err
	}
	list := page.List{Prefix: "notes/" + name + "/", Reverse: true}
	q, err := list.Query(r.Query().Get("limit"), r.Query().Get("cursor"))
	if err != nil {
		return err
	}
	entries, more, err := kv.List(q)
	for _, e := range entries {
		_, _ = w.Write(append(e.Value, '\n'))
	}
	w.SetHeader("X-Next", list.Next(entries, more))
	return err
}

func site() sdk.Handler {
	r := sdk.NewRouter()
	r.HandleFunc("POST /users", signUp)
	r.HandleFunc("POST /session", signIn)
	r.HandleFunc("POST /session/end", signOut)
	r.HandleFunc("GET /notes", notes)
	return secure.SameOrigin(secure.Pages(r.Serve))
}

func TestReadme(t *testing.T) {
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(source), "// readme: begin\n")
	part, _, _ = strings.Cut(part, "\n// readme: end\n")
	if !strings.Contains(string(readme), "```go\n"+part+"```\n") {
		t.Errorf("sdk/README.md does not have this:\n```go\n%s```", part)
	}
}

func TestUsers(t *testing.T) {
	host := sdktest.New(site())
	host.Mount = "/app"
	host.Store.Set("notes/ada/1", []byte("first"), 0)
	host.Store.Set("notes/ada/2", []byte("second"), 0)
	host.Store.Set("notes/bob/1", []byte("of bob"), 0)
	const form = "application/x-www-form-urlencoded"
	cookie := ""
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "/notes", "", 401, "sign in first"},
		{"POST", "/users", "name=ada&password=secret", 200, ""},
		{"POST", "/users", "name=eve", 500, ""},
		{"POST", "/session", "name=ada&password=Secret", 401, "wrong"},
		{"POST", "/session", "name=eve&password=secret", 401, "wrong"},
		{"POST", "/session", "name=ada&password=secret", 303, ""},
		{"GET", "/notes", "", 200, "second\nfirst\n"},
		{"GET", "/notes?limit=1", "", 200, "second\n"},
		{"GET", "/notes?cursor=x", "", 400, "cursor"},
		{"POST", "/session/end", "", 200, ""},
		{"GET", "/notes", "", 401, "sign in first"},
	} {
		res := host.Send(c.method, c.path, form, c.body, "Cookie: "+cookie, "Sec-Fetch-Site: same-origin")
		if res.Status != c.status || !strings.Contains(res.Text(), c.text) {
			t.Errorf("%s %s %s: got %v", c.method, c.path, c.body, res)
		}
		for _, set := range (&http.Response{Header: res.Header}).Cookies() {
			if set.Path != "/app" || !set.Secure || !set.HttpOnly {
				t.Errorf("got the cookie %v", set)
			}
			if cookie = set.Name + "=" + set.Value; set.MaxAge < 0 {
				cookie = ""
			}
		}
		if res.Status != 500 && res.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s %s has no policy", c.method, c.path)
		}
	}
	if res := host.Send("POST", "/session", form, "name=ada&password=secret", "Sec-Fetch-Site: cross-site"); res.Status != 403 {
		t.Errorf("from another site: got %v", res)
	}
}
