package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/sdk/sdktest"
)

const apiKey = "correct horse"

// service is a host with the plugin and its API key.
type service struct {
	*sdktest.Host
	t *testing.T
}

func newService(t *testing.T) service {
	t.Helper()
	host := sdktest.New(routes().Serve)
	host.Mount = "/s"
	host.Config["api_key"] = apiKey
	return service{host, t}
}

// api sends a request with the API key.
func (s service) api(method, target, body string) *sdktest.Result {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+apiKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return s.Do(r)
}

func (s service) view(res *sdktest.Result, status int) view {
	s.t.Helper()
	var v view
	if res.Status != status {
		s.t.Fatalf("got %v, want status %d", res, status)
	}
	if err := json.Unmarshal(res.Body, &v); err != nil {
		s.t.Fatalf("decode %q: %v", res.Body, err)
	}
	return v
}

func (s service) create(body string) view {
	s.t.Helper()
	return s.view(s.api("POST", "/api/links", body), 201)
}

func (s service) wantRedirect(slug string, status int, location string) {
	s.t.Helper()
	res := s.Get("/" + slug)
	if res.Status != status || res.Header.Get("Location") != location {
		s.t.Errorf("follow %s: got %v to %q, want %d to %q", slug, res, res.Header.Get("Location"), status, location)
	}
}

func (s service) wantProblem(res *sdktest.Result, status int, says string) {
	s.t.Helper()
	if res.Status != status || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(res.Text(), says) {
		s.t.Errorf("got %v (%s), want a problem with status %d and %q", res, res.Header.Get("Content-Type"), status, says)
	}
}

func TestLifeOfALink(t *testing.T) {
	s := newService(t)
	v := s.create(`{"url":"https://example.com/a?b=c","slug":"docs"}`)
	if v.Slug != "docs" || v.ShortURL != "http://example.com/s/docs" || v.Clicks != 0 || !v.Created.Equal(s.Now) {
		t.Errorf("created %+v", v)
	}
	s.wantRedirect("docs", 302, "https://example.com/a?b=c")
	s.wantRedirect("docs", 302, "https://example.com/a?b=c")
	if v := s.view(s.api("GET", "/api/links/docs", ""), 200); v.Clicks != 2 {
		t.Errorf("clicks = %d, want 2", v.Clicks)
	}
	v = s.view(s.api("PATCH", "/api/links/docs", `{"url":"https://example.org/","permanent":true}`), 200)
	if v.Clicks != 2 || !v.Permanent {
		t.Errorf("updated %+v, want 2 clicks, permanent", v)
	}
	s.wantRedirect("docs", 301, "https://example.org/")
	if res := s.api("DELETE", "/api/links/docs", ""); res.Status != 204 {
		t.Errorf("delete: got %v", res)
	}
	s.wantProblem(s.Get("/docs"), 404, "no link")
	s.wantProblem(s.api("DELETE", "/api/links/docs", ""), 404, "no link")
	if keys := s.Store.Keys(""); len(keys) != 0 {
		t.Errorf("left behind: %q", keys)
	}
}

func TestHeadDoesNotCount(t *testing.T) {
	s := newService(t)
	s.create(`{"url":"https://example.com/","slug":"x"}`)
	if res := s.Do(httptest.NewRequest("HEAD", "/x", nil)); res.Status != 302 {
		t.Errorf("HEAD: got %v", res)
	}
	if n := s.Store.Int("click/x"); n != 0 {
		t.Errorf("clicks = %d, want 0", n)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"no JSON", `{"url":`, 400, "JSON"},
		{"unknown field", `{"url":"https://a.example","slog":"x"}`, 400, "slog"},
		{"wrong kind", `{"url":7}`, 400, "url"},
		{"two values", `{"url":"https://a.example"} }`, 400, "more than one"},
		{"no URL", `{}`, 422, "missing"},
		{"relative URL", `{"url":"/a"}`, 422, "absolute"},
		{"no host", `{"url":"https:///a"}`, 422, "absolute"},
		{"javascript", `{"url":"javascript:alert(1)"}`, 422, "absolute"},
		{"other scheme", `{"url":"ftp://a.example/"}`, 422, "http"},
		{"new line", `{"url":"https://a.example/\r\nX-Evil: 1"}`, 422, "absolute"},
		{"user", `{"url":"https://bank.example@evil.example/"}`, 422, "password"},
		{"itself", `{"url":"https://EXAMPLE.com/s/x"}`, 422, "back"},
		{"long URL", `{"url":"https://a.example/` + strings.Repeat("a", 2048) + `"}`, 422, "longer"},
		{"slug with slash", `{"url":"https://a.example","slug":"a/b"}`, 422, "slug"},
		{"slug with dot", `{"url":"https://a.example","slug":".."}`, 422, "slug"},
		{"reserved slug", `{"url":"https://a.example","slug":"api"}`, 422, "api"},
		{"long slug", `{"url":"https://a.example","slug":"` + strings.Repeat("a", 65) + `"}`, 422, "longer"},
		{"negative life", `{"url":"https://a.example","expires_in":-1}`, 422, "expires_in"},
		{"endless life", `{"url":"https://a.example","expires_in":10000000000}`, 422, "expires_in"},
		{"large body", `{"url":"` + strings.Repeat("a", 9<<10) + `"}`, 413, "larger"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			s.wantProblem(s.api("POST", "/api/links", c.body), c.status, c.says)
			if keys := s.Store.Keys(""); len(keys) != 0 {
				t.Errorf("wrote %q", keys)
			}
		})
	}
}

func TestTargetIsSafeInAHeader(t *testing.T) {
	s := newService(t)
	s.create(`{"url":"https://a.example/ä b?q=ö c#é","slug":"x"}`)
	s.wantRedirect("x", 302, "https://a.example/%C3%A4%20b?q=%C3%B6%20c#%C3%A9")
}

func TestGeneratedSlug(t *testing.T) {
	s := newService(t)
	s.Random = bytes.NewReader(append(bytes.Repeat([]byte{1}, 2*slugLength), bytes.Repeat([]byte{2}, slugLength)...))
	first := s.create(`{"url":"https://a.example/1"}`)
	second := s.create(`{"url":"https://a.example/2"}`)
	if first.Slug != "3333333" || second.Slug != "4444444" {
		t.Errorf("slugs %q and %q, want the second to avoid the first", first.Slug, second.Slug)
	}
	s.wantRedirect("3333333", 302, "https://a.example/1")
}

func TestExpiry(t *testing.T) {
	s := newService(t)
	v := s.create(`{"url":"https://a.example/","slug":"x","expires_in":3600}`)
	if want := s.Now.Add(time.Hour); !v.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", v.Expires, want)
	}
	s.Now = s.Now.Add(59 * time.Minute)
	s.wantRedirect("x", 302, "https://a.example/")
	s.view(s.api("PATCH", "/api/links/x", `{"permanent":true}`), 200)
	s.Now = s.Now.Add(time.Minute)
	s.wantProblem(s.Get("/x"), 404, "no link")
	if keys := s.Store.Keys(""); len(keys) != 0 {
		t.Errorf("alive after the end: %q", keys)
	}
	s.create(`{"url":"https://b.example/","slug":"x","expires_in":60}`)
	s.view(s.api("PATCH", "/api/links/x", `{"expires_in":0}`), 200)
	s.Now = s.Now.Add(time.Hour)
	s.wantRedirect("x", 302, "https://b.example/")
}

func TestTakenSlug(t *testing.T) {
	s := newService(t)
	s.create(`{"url":"https://a.example/","slug":"x"}`)
	s.wantProblem(s.api("POST", "/api/links", `{"url":"https://b.example/","slug":"x"}`), 409, "taken")
	s.wantRedirect("x", 302, "https://a.example/")
}

// TestSameSlugAtOnce lets another client take the slug between the check and
// the commit.
func TestSameSlugAtOnce(t *testing.T) {
	s := newService(t)
	s.BeforeCommit = func(attempt int) {
		if attempt == 1 {
			s.create(`{"url":"https://winner.example/","slug":"x"}`)
		}
	}
	res := s.api("POST", "/api/links", `{"url":"https://loser.example/","slug":"x"}`)
	s.wantProblem(res, 409, "taken")
	if res.Attempts != 2 {
		t.Errorf("attempts = %d, want 2", res.Attempts)
	}
	s.BeforeCommit = nil
	s.wantRedirect("x", 302, "https://winner.example/")
}

// TestDeletedWhileFollowed deletes a link that a request is about to count.
func TestDeletedWhileFollowed(t *testing.T) {
	s := newService(t)
	s.create(`{"url":"https://a.example/","slug":"x"}`)
	s.BeforeCommit = func(attempt int) {
		if attempt == 1 {
			s.api("DELETE", "/api/links/x", "")
		}
	}
	s.wantProblem(s.Get("/x"), 404, "no link")
	if keys := s.Store.Keys(""); len(keys) != 0 {
		t.Errorf("left behind: %q", keys)
	}
}

func TestClicksUnderConflicts(t *testing.T) {
	s := newService(t)
	s.create(`{"url":"https://a.example/","slug":"x"}`)
	s.Conflicts = 3
	for range 5 {
		if res := s.Get("/x"); res.Status != 302 || res.Attempts != 4 {
			t.Fatalf("got %v, want 302 in attempt 4", res)
		}
	}
	if n := s.Store.Int("click/x"); n != 5 {
		t.Errorf("clicks = %d, want 5", n)
	}
}

// TestClicksDoNotConflict counts other clicks between each click and its commit.
func TestClicksDoNotConflict(t *testing.T) {
	s := newService(t)
	s.create(`{"url":"https://a.example/","slug":"x"}`)
	s.BeforeCommit = func(int) { s.Get("/x") }
	for range 5 {
		if res := s.Get("/x"); res.Attempts != 1 {
			t.Fatalf("got %v, want one attempt", res)
		}
	}
	if n := s.Store.Int("click/x"); n != 10 {
		t.Errorf("clicks = %d, want 10", n)
	}
}

// TestUpdateKeepsClicks counts a click while an update is about to commit.
func TestUpdateKeepsClicks(t *testing.T) {
	s := newService(t)
	s.create(`{"url":"https://a.example/","slug":"x"}`)
	s.BeforeCommit = func(attempt int) {
		if attempt == 1 {
			s.Get("/x")
		}
	}
	v := s.view(s.api("PATCH", "/api/links/x", `{"permanent":true}`), 200)
	if v.Clicks != 1 || s.Store.Int("click/x") != 1 {
		t.Errorf("clicks = %d and %d, want 1", v.Clicks, s.Store.Int("click/x"))
	}
}
