package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestKey(t *testing.T) {
	for _, c := range []struct {
		name, configured, header string
		status                   int
		says                     string
	}{
		{"none configured", "", "Bearer ", 403, "no API key is configured"},
		{"none configured, some sent", "", "Bearer x", 403, "no API key is configured"},
		{"none sent", apiKey, "", 401, "Authorization"},
		{"empty", apiKey, "Bearer ", 401, "Authorization"},
		{"wrong", apiKey, "Bearer correct zebra", 401, "Authorization"},
		{"half", apiKey, "Bearer correct", 401, "Authorization"},
		{"other scheme", apiKey, "Basic " + apiKey, 401, "Authorization"},
		{"right", apiKey, "bearer " + apiKey, 201, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			s.Config["api_key"] = c.configured
			r := httptest.NewRequest("POST", "/api/links", strings.NewReader(`{"url":"https://a.example/"}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", c.header)
			res := s.Do(r)
			if c.status == 201 {
				s.view(res, 201)
				return
			}
			s.wantProblem(res, c.status, c.says)
			if challenged := res.Header.Get("WWW-Authenticate") != ""; challenged != (c.status == 401) {
				t.Errorf("WWW-Authenticate: %q", res.Header.Get("WWW-Authenticate"))
			}
			if strings.Contains(res.Text(), apiKey) || len(s.Store.Keys("")) != 0 {
				t.Errorf("leaked the key or wrote: %v", res)
			}
		})
	}
}

func TestEveryAPIRouteAsksForTheKey(t *testing.T) {
	for _, c := range []struct{ method, target string }{
		{"POST", "/api/links"},
		{"GET", "/api/links"},
		{"GET", "/api/links/x"},
		{"PATCH", "/api/links/x"},
		{"DELETE", "/api/links/x"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			s := newService(t)
			s.create(`{"url":"https://a.example/","slug":"x"}`)
			s.wantProblem(s.Send(c.method, c.target, "application/json", `{"permanent":true}`), 401, "Authorization")
		})
	}
}

func TestList(t *testing.T) {
	s := newService(t)
	for i := range 7 {
		s.create(fmt.Sprintf(`{"url":"https://a.example/%d","slug":"s%d"}`, i, i))
	}
	s.Get("/s3")
	var slugs []string
	var clicks int64
	for target := "/api/links?limit=3"; target != ""; {
		res := s.api("GET", target, "")
		var p page
		if err := json.Unmarshal(res.Body, &p); err != nil || res.Status != 200 {
			t.Fatalf("%s: got %v, %v", target, res, err)
		}
		for _, v := range p.Links {
			slugs = append(slugs, v.Slug)
			clicks += v.Clicks
		}
		target = ""
		if p.Next != "" {
			target = "/api/links?limit=3&after=" + p.Next
		}
	}
	if got := strings.Join(slugs, " "); got != "s0 s1 s2 s3 s4 s5 s6" || clicks != 1 {
		t.Errorf("listed %q with %d clicks", got, clicks)
	}
}

func TestListRefuses(t *testing.T) {
	for _, query := range []string{"limit=0", "limit=201", "limit=x", "limit=", "after=" + strings.Repeat("a", 65)} {
		t.Run(query, func(t *testing.T) {
			s := newService(t)
			s.wantProblem(s.api("GET", "/api/links?"+query, ""), 400, "must be")
		})
	}
}

func TestUpdateRefuses(t *testing.T) {
	for _, c := range []struct {
		name, slug, body string
		status           int
		says             string
	}{
		{"unknown", "y", `{}`, 404, "no link"},
		{"bad URL", "x", `{"url":"/a"}`, 422, "absolute"},
		{"bad life", "x", `{"expires_in":-5}`, 422, "expires_in"},
		{"slug", "x", `{"slug":"z"}`, 400, "slug"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			s.create(`{"url":"https://a.example/","slug":"x"}`)
			s.wantProblem(s.api("PATCH", "/api/links/"+c.slug, c.body), c.status, c.says)
			s.wantRedirect("x", 302, "https://a.example/")
		})
	}
}

func TestOddPaths(t *testing.T) {
	s := newService(t)
	s.wantProblem(s.Get("/"+strings.Repeat("a", 5000)), 404, "no link")
	s.wantProblem(s.Get("/a/b"), 404, "nothing")
	s.wantProblem(s.Send("PUT", "/x", "", ""), 405, "GET")
	if res := s.Get("/"); res.Status != 200 || !strings.Contains(res.Text(), "http://example.com/s/api/links") {
		t.Errorf("home: got %v", res)
	}
	s.Config["home"] = "https://home.example/"
	if res := s.Get("/"); res.Status != 302 || res.Header.Get("Location") != "https://home.example/" {
		t.Errorf("home: got %v", res)
	}
}
