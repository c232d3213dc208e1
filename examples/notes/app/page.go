package app

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var templates embed.FS

var pageTemplate = template.Must(template.ParseFS(templates, "page.html"))

// view is what the page shows.
type view struct {
	User, Error, Tag string
	*page
}

func (s *service) page(w http.ResponseWriter, r *http.Request) { s.show(w, r, "") }

func (s *service) show(w http.ResponseWriter, r *http.Request, message string) {
	answer(func(w http.ResponseWriter, r *http.Request) error {
		v := view{Error: message, Tag: r.URL.Query().Get("tag")}
		var err error
		if v.User, err = s.sessionOf(r); err != nil {
			return err
		}
		if v.User != "" {
			if v.page, err = s.notes(v.User, v.Tag, r.URL.Query().Get("before"), defaultPage); err != nil {
				return err
			}
		}
		var b bytes.Buffer
		if err := pageTemplate.Execute(&b, v); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		if message != "" {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		_, err = b.WriteTo(w)
		return err
	})(w, r)
}

// pageForm does what a form of the page asks for, and shows the page again.
func (s *service) pageForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	err := s.act(w, r)
	var p *problem
	switch {
	case errors.As(err, &p) && p.status < http.StatusInternalServerError:
		s.show(w, r, p.title)
	case err != nil:
		answer(func(http.ResponseWriter, *http.Request) error { return err })(w, r)
	default:
		w.Header().Set("Location", ".")
		w.WriteHeader(http.StatusSeeOther)
	}
}

func (s *service) act(w http.ResponseWriter, r *http.Request) error {
	c := credentials{Name: r.FormValue("name"), Password: r.FormValue("password")}
	switch r.FormValue("do") {
	case "sign up":
		if err := s.addUser(c); err != nil {
			return err
		}
		return s.start(w, r, c.Name)
	case "log in":
		if err := s.checkUser(c); err != nil {
			return err
		}
		return s.start(w, r, c.Name)
	case "log out":
		return s.end(w, r)
	}
	user, err := s.sessionOf(r)
	if err != nil {
		return err
	}
	if user == "" {
		return refuse(http.StatusUnauthorized, "log in first")
	}
	_, err = s.add(r, user, draft{Text: r.FormValue("text"), Tags: strings.Fields(r.FormValue("tags")), ISBN: r.FormValue("isbn")})
	return err
}
