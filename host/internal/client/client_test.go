package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const token = "a-token-that-must-not-leak"

var shop = adminapi.PluginRef{Name: "shop"}

// seen is what a server received.
type seen struct {
	Method, URI, Authorization, ContentType, Body string
}

// server answers every request with status, content type and body, and tells
// what it received.
func server(t *testing.T, status int, contentType, body string) (*client.Client, *seen) {
	t.Helper()
	got := &seen{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		*got = seen{r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(data)}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Location", "http://elsewhere.example/")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return connect(t, s.URL), got
}

func connect(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Server: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestRequests(t *testing.T) {
	const bearer = "Bearer " + token
	tests := []struct {
		name   string
		answer string
		call   func(context.Context, *client.Client) error
		want   seen
	}{
		{"deploy", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Deploy(ctx, adminapi.Upload{PluginRef: shop, Mount: []string{"a.example/shop", "/shop"}, Label: "v 1", Grant: true}, []byte("wasm"))
			return err
		}, seen{"POST", "/v1/plugins/shop/versions?activate=false&grant=true&label=v+1&mount=a.example%2Fshop&mount=%2Fshop", bearer, "application/wasm", "wasm"}},
		{"deploy with defaults", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Deploy(ctx, adminapi.Upload{PluginRef: shop, Activate: true}, []byte("wasm"))
			return err
		}, seen{"POST", "/v1/plugins/shop/versions", bearer, "application/wasm", "wasm"}},
		{"activate", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Activate(ctx, "shop", adminapi.Activation{Version: 3, Grant: true})
			return err
		}, seen{"POST", "/v1/plugins/shop/deployments", bearer, "application/json", `{"version":3,"grant":true}`}},
		{"plugins", `[]`, func(ctx context.Context, c *client.Client) error {
			_, err := c.Plugins(ctx)
			return err
		}, seen{"GET", "/v1/plugins", bearer, "", ""}},
		{"delete", ``, func(ctx context.Context, c *client.Client) error {
			return c.Delete(ctx, "shop", true)
		}, seen{"DELETE", "/v1/plugins/shop?purge=true", bearer, "", ""}},
		{"set var", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.SetVar(ctx, "shop", "API/KEY", []byte("s3cret\n"))
			return err
		}, seen{"PUT", "/v1/plugins/shop/vars/API%2FKEY", bearer, "text/plain; charset=utf-8", "s3cret\n"}},
		{"unset var", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.UnsetVar(ctx, "shop", "..")
			return err
		}, seen{"DELETE", "/v1/plugins/shop/vars/..", bearer, "", ""}},
		{"list keys", `{}`, func(ctx context.Context, c *client.Client) error {
			_, err := c.KVList(ctx, adminapi.KeysQuery{PluginRef: shop, Prefix: "a&b", After: "a&b=", Limit: 5, Reverse: true})
			return err
		}, seen{"GET", "/v1/plugins/shop/kv?after=a%26b%3D&limit=5&prefix=a%26b&reverse=true", bearer, "", ""}},
		{"get key", "value", func(ctx context.Context, c *client.Client) error {
			_, err := c.KVGet(ctx, "shop", []byte("k/../1"))
			return err
		}, seen{"GET", "/v1/plugins/shop/kv/value?key=k%2F..%2F1", bearer, "", ""}},
		{"put key that is not text", ``, func(ctx context.Context, c *client.Client) error {
			return c.KVPut(ctx, "shop", []byte{0xff, 0}, []byte("v"), 90*time.Second)
		}, seen{"PUT", "/v1/plugins/shop/kv/value?key_base64=%2FwA%3D&ttl=1m30s", bearer, "application/octet-stream", "v"}},
		{"delete key", ``, func(ctx context.Context, c *client.Client) error {
			return c.KVDelete(ctx, "shop", []byte("k"))
		}, seen{"DELETE", "/v1/plugins/shop/kv/value?key=k", bearer, "", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, got := server(t, http.StatusOK, "application/json", tt.answer)
			if err := tt.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuditReadsEveryPage(t *testing.T) {
	const events, page = 2500, 1000
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		var out []string
		for n := after + 1; n <= min(after+page, events); n++ {
			out = append(out, fmt.Sprintf(`{"number":%d,"action":"upload","plugin":"shop"}`, n))
		}
		_, _ = io.WriteString(w, "["+strings.Join(out, ",")+"]")
	}))
	t.Cleanup(s.Close)
	got, err := connect(t, s.URL).Audit(t.Context(), "", "")
	if err != nil || len(got) != events || got[events-1].Number != events {
		t.Errorf("got %d events, %v; want %d", len(got), err, events)
	}
	want := []string{"/v1/audit?limit=1000", "/v1/audit?after=1000&limit=1000", "/v1/audit?after=2000&limit=1000"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestAuditOfAServerWithoutPages: what sends the same page for ever is no server.
func TestAuditOfAServerWithoutPages(t *testing.T) {
	page := "[" + strings.Repeat(`{"number":1},`, 999) + `{"number":1}]`
	c, _ := server(t, http.StatusOK, "application/json", page)
	if _, err := c.Audit(t.Context(), "", ""); fault.CodeOf(err) != fault.Internal {
		t.Errorf("got %v, want code %q", err, fault.Internal)
	}
}

func TestDeploymentsAreReadByPages(t *testing.T) {
	const deployments, page = 250, 100
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		before, _ := strconv.Atoi(r.URL.Query().Get("before"))
		if before == 0 {
			before = deployments + 1
		}
		var out []string
		for n := before - 1; n >= max(before-page, 1); n-- {
			out = append(out, fmt.Sprintf(`{"number":%d,"version":1}`, n))
		}
		_, _ = io.WriteString(w, "["+strings.Join(out, ",")+"]")
	}))
	t.Cleanup(s.Close)
	const path = "/v1/plugins/shop/deployments"
	for _, c := range []struct {
		until int
		asked []string
	}{
		{0, []string{path, path + "?before=151", path + "?before=51"}},
		{140, []string{path, path + "?before=151"}},
		{250, []string{path}},
	} {
		asked = nil
		next := deployments
		err := connect(t, s.URL).Deployments(t.Context(), "shop", func(d adminapi.Deployment) bool {
			if d.Number != next {
				t.Fatalf("got %d, want %d", d.Number, next)
			}
			next--
			return d.Number != c.until
		})
		if err != nil || next != max(c.until-1, 0) {
			t.Errorf("until %d: %v, read down to %d", c.until, err, next+1)
		}
		if diff := cmp.Diff(c.asked, asked); diff != "" {
			t.Errorf("until %d: requests (-want +got):\n%s", c.until, diff)
		}
	}
}

func TestAnswersAreDecoded(t *testing.T) {
	c, _ := server(t, http.StatusCreated, "application/json",
		`{"plugin":"shop","version":2,"activated":false,"waiting":["needs a value"],"steps":[{"name":"compile","millis":12}],"later":"unknown keys are fine"}`)
	got, err := c.Deploy(t.Context(), adminapi.Upload{PluginRef: shop}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := adminapi.Changed{Plugin: "shop", Version: 2, Waiting: []string{"needs a value"}, Steps: []adminapi.Step{{Name: "compile", Millis: 12}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	const problem = "application/problem+json"
	tests := []struct {
		name, contentType, body string
		status                  int
		code                    fault.Code
		message                 string
	}{
		{"problem with a code", problem, `{"code":"conflict","detail":"route overlaps"}`, 409, fault.Conflict, "route overlaps"},
		{"code wins over status", problem, `{"code":"exhausted","title":"full"}`, 503, fault.Exhausted, "full"},
		{"problem without a code", problem, `{"title":"Not Found"}`, 404, fault.NotFound, "Not Found; is --server the admin address?"},
		{"public listener", problem, `{"code":"not_found","detail":"nothing is served at this path","effects":"none"}`, 404, fault.NotFound, "nothing is served at this path; is --server the admin address?"},
		{"unknown to the admin API", problem, `{"code":"not_found","detail":"the admin API has no such path"}`, 404, fault.NotFound, "the admin API has no such path"},
		{"fields", problem, `{"code":"invalid","detail":"validation failed","errors":[{"message":"expected integer","location":"body.version"}]}`, 422, fault.Invalid, "validation failed: expected integer (body.version)"},
		{"internal names the request", problem, `{"code":"internal","detail":"broken","request_id":"01J"}`, 500, fault.Internal, "broken (request 01J in the server's log)"},
		{"not a problem", "text/html", `<html>`, 502, fault.Unavailable, ""},
		{"page not found", "text/html", `<html>`, 404, fault.NotFound, ""},
		{"broken problem", problem, `{`, 403, fault.Denied, ""},
		{"redirect is not followed", "text/plain", ``, 307, fault.Internal, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := server(t, tt.status, tt.contentType, tt.body)
			_, err := c.Plugin(t.Context(), "shop")
			if got := fault.CodeOf(err); got != tt.code {
				t.Fatalf("code = %q, want %q (%v)", got, tt.code, err)
			}
			if tt.message != "" && fault.MessageOf(err) != tt.message {
				t.Errorf("message = %q, want %q", fault.MessageOf(err), tt.message)
			}
			if tt.contentType != problem && !strings.Contains(err.Error(), "is --server the admin address?") {
				t.Errorf("the error does not ask for the address: %v", err)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := connect(t, s.URL).Plugins(t.Context())
	if got := fault.CodeOf(err); got != fault.Unavailable {
		t.Fatalf("code = %q, want %q (%v)", got, fault.Unavailable, err)
	}
	if !strings.Contains(err.Error(), "wasmoor serve") || strings.Contains(err.Error(), token) {
		t.Errorf("error = %v, want the next command and no token", err)
	}
}

func TestContextEndsACall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	_, err := connect(t, s.URL).Plugins(ctx)
	if got := fault.CodeOf(err); got != fault.Deadline {
		t.Fatalf("code = %q, want %q (%v)", got, fault.Deadline, err)
	}
}

func TestNotAnAdminAPI(t *testing.T) {
	c, _ := server(t, http.StatusOK, "text/html", "<html>")
	_, err := c.Plugins(t.Context())
	if got := fault.CodeOf(err); got != fault.Internal {
		t.Fatalf("code = %q, want %q (%v)", got, fault.Internal, err)
	}
}

func TestNames(t *testing.T) {
	c, got := server(t, http.StatusOK, "application/json", "{}")
	for _, name := range []string{"", "..", "a/b", "UP", "a?b"} {
		_, err := c.Plugin(t.Context(), name)
		if code := fault.CodeOf(err); code != fault.Invalid {
			t.Errorf("Plugin(%q): code = %q, want %q", name, code, fault.Invalid)
		}
		if _, err := c.KVGet(t.Context(), name, []byte("k")); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("KVGet(%q): %v, want code %q", name, err, fault.Invalid)
		}
	}
	if got.Method != "" {
		t.Errorf("a bad name was sent: %+v", *got)
	}
}

func TestWhereATokenMayGo(t *testing.T) {
	tests := []struct {
		server, token string
		insecure      bool
		want          fault.Code
	}{
		{"http://127.0.0.1:8081", token, false, ""},
		{"http://127.9.9.9:8081", token, false, ""},
		{"http://[::1]:8081", token, false, ""},
		{"http://[::ffff:127.0.0.1]:8081", token, false, ""},
		{"http://localhost:8081/base", token, false, ""},
		{"https://wasmoor.example", token, false, ""},
		{"http://wasmoor.example", "", false, ""},
		{"http://wasmoor.example", token, true, ""},
		{"http://wasmoor.example", token, false, fault.Denied},
		{"http://10.0.0.1:8081", token, false, fault.Denied},
		{"http://localhost.example", token, false, fault.Denied},
		{"http://0.0.0.0:8081", token, false, fault.Denied},
		{"127.0.0.1:8081", token, false, fault.Invalid},
		{"ftp://127.0.0.1", token, false, fault.Invalid},
		{"", token, false, fault.Invalid},
		{"http://user@127.0.0.1", token, false, fault.Invalid},
		{"http://127.0.0.1?x=1", token, false, fault.Invalid},
	}
	for _, tt := range tests {
		_, err := client.New(client.Config{Server: tt.server, Token: tt.token, Insecure: tt.insecure})
		if got := fault.CodeOf(err); got != tt.want {
			t.Errorf("New(%q, insecure %v): code = %q, want %q (%v)", tt.server, tt.insecure, got, tt.want, err)
		}
	}
}

func TestABasePathStays(t *testing.T) {
	var uri string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uri = r.RequestURI
		_, _ = io.WriteString(w, "[]")
	}))
	t.Cleanup(s.Close)
	if _, err := connect(t, s.URL+"/admin/").Plugins(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "/admin/v1/plugins"; uri != want {
		t.Errorf("request URI = %q, want %q", uri, want)
	}
}

// A server that sends a byte now and then holds nobody for ever: neither with its
// answer, nor with why it refuses.
func TestADribblingServerIsLeft(t *testing.T) {
	for what, status := range map[string]int{"an answer": http.StatusOK, "a refusal": http.StatusBadGateway} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", adminapi.TypeProblem)
			w.WriteHeader(status)
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(5 * time.Millisecond)
			}
		}))
		defer s.Close()
		c, err := client.New(client.Config{Server: s.URL, AnswerTime: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		for op, do := range map[string]func() error{
			"status":  func() error { _, err := c.Status(ctx); return err },
			"metrics": func() error { _, err := c.Metrics(ctx); return err },
			"value":   func() error { _, err := c.KVGet(ctx, "shop", []byte("k")); return err },
		} {
			if err := do(); fault.CodeOf(err) != fault.Unavailable && status == http.StatusOK || err == nil || ctx.Err() != nil {
				t.Errorf("%s, %s: %v", what, op, err)
			}
		}
	}
}
