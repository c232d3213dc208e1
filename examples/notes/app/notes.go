package app

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
)

const (
	maxText     = 16 << 10
	maxTags     = 8
	defaultPage = 20
	maxPage     = 100
)

type note struct {
	ID      string    `json:"id"`
	Text    string    `json:"text"`
	Tags    []string  `json:"tags,omitempty"`
	ISBN    string    `json:"isbn,omitempty"`
	Book    string    `json:"book,omitempty"` // the title that belongs to ISBN
	File    string    `json:"file,omitempty"` // the name of the uploaded file
	Created time.Time `json:"created"`
}

// draft is the part of a note that its author writes.
type draft struct {
	Text string   `json:"text"`
	Tags []string `json:"tags"`
	ISBN string   `json:"isbn"`
}

var (
	tag  = regexp.MustCompile(`^[\pL\pN_-]{1,40}$`)
	isbn = regexp.MustCompile(`^(97[89])?[0-9]{9}[0-9X]$`)
	id   = regexp.MustCompile(`^[0-9a-f]{12}[A-Z2-7]{8}$`) // as add makes them
)

func (d *draft) check() error {
	slices.Sort(d.Tags)
	d.Tags = slices.Compact(d.Tags)
	switch {
	case d.Text == "" || len(d.Text) > maxText:
		return refuse(http.StatusUnprocessableEntity, `"text" is 1 byte to 16 KiB long`)
	case len(d.Tags) > maxTags:
		return refuse(http.StatusUnprocessableEntity, fmt.Sprintf("a note has %d tags at most", maxTags))
	case slices.ContainsFunc(d.Tags, func(t string) bool { return !tag.MatchString(t) }):
		return refuse(http.StatusUnprocessableEntity, `a tag is 1 to 40 letters, digits, "_" and "-"`)
	case d.ISBN != "" && !isbn.MatchString(d.ISBN):
		return refuse(http.StatusUnprocessableEntity, `"isbn" is 10 or 13 digits`)
	}
	return nil
}

// Keys sort by time, since ids do.
func noteKey(user, id string) string     { return "notes/" + user + "/" + id }
func tagKey(user, tag, id string) string { return "tags/" + user + "/" + tag + "/" + id }
func fileKey(user, id string) string     { return "files/" + user + "/" + id }

func (s *service) create(w http.ResponseWriter, r *http.Request) error {
	var d draft
	if err := decode(w, r, &d); err != nil {
		return err
	}
	n, err := s.add(r, user(r.Context()), d)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "notes/"+n.ID) // relative to the request
	return write(w, http.StatusCreated, n)
}

func (s *service) add(r *http.Request, user string, d draft) (*note, error) {
	now := s.Now().UTC()
	n := &note{ID: fmt.Sprintf("%012x%s", now.UnixMilli(), rand.Text()[:8]), Created: now}
	return n, s.save(r, user, n, d)
}

// save writes a note as its author wants it, and its tags.
func (s *service) save(r *http.Request, user string, n *note, d draft) error {
	if err := d.check(); err != nil {
		return err
	}
	if d.ISBN != n.ISBN {
		book, err := s.title(r.Context(), d.ISBN)
		if err != nil {
			return err
		}
		n.ISBN, n.Book = d.ISBN, book
	}
	if err := s.untag(user, n); err != nil {
		return err
	}
	n.Text, n.Tags = d.Text, d.Tags
	for _, tag := range n.Tags {
		if err := s.Store.Set(tagKey(user, tag, n.ID), nil, 0); err != nil {
			return err
		}
	}
	return s.put(user, n)
}

func (s *service) put(user string, n *note) error {
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return s.Store.Set(noteKey(user, n.ID), b, 0)
}

func (s *service) untag(user string, n *note) error {
	for _, tag := range n.Tags {
		if err := s.Store.Delete(tagKey(user, tag, n.ID)); err != nil {
			return err
		}
	}
	return nil
}

// load returns the note that the request names.
func (s *service) load(r *http.Request) (*note, error) {
	return s.note(user(r.Context()), chi.URLParam(r, "id"))
}

func (s *service) note(user, name string) (*note, error) {
	none := refuse(http.StatusNotFound, "there is no such note")
	if !id.MatchString(name) { // it may be longer than a key
		return nil, none
	}
	b, found, err := s.Store.Get(noteKey(user, name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, none
	}
	n := new(note)
	return n, json.Unmarshal(b, n)
}

func (s *service) read(w http.ResponseWriter, r *http.Request) error {
	n, err := s.load(r)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, n)
}

func (s *service) change(w http.ResponseWriter, r *http.Request) error {
	n, err := s.load(r)
	if err != nil {
		return err
	}
	var d draft
	if err := decode(w, r, &d); err != nil {
		return err
	}
	if err := s.save(r, user(r.Context()), n, d); err != nil {
		return err
	}
	return write(w, http.StatusOK, n)
}

func (s *service) remove(w http.ResponseWriter, r *http.Request) error {
	n, err := s.load(r)
	if err != nil {
		return err
	}
	user := user(r.Context())
	if err := s.untag(user, n); err != nil {
		return err
	}
	for _, key := range []string{noteKey(user, n.ID), fileKey(user, n.ID)} {
		if err := s.Store.Delete(key); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// page is a part of a list, newest first. Next is the "before" of the next one.
type page struct {
	Notes []*note `json:"notes"`
	Next  string  `json:"next,omitempty"`
}

func (s *service) list(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit := defaultPage
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return refuse(http.StatusBadRequest, fmt.Sprintf(`"limit" is 1 to %d`, maxPage))
		}
		limit = n
	}
	p, err := s.notes(user(r.Context()), query.Get("tag"), query.Get("before"), limit)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, p)
}

// notes returns a page of a user's notes, of those with a tag unless it is "".
func (s *service) notes(user, with, before string, limit int) (*page, error) {
	prefix := noteKey(user, "")
	if with != "" {
		if !tag.MatchString(with) {
			return nil, refuse(http.StatusBadRequest, `"tag" is 1 to 40 letters, digits, "_" and "-"`)
		}
		prefix = tagKey(user, with, "")
	}
	if before != "" {
		if !id.MatchString(before) {
			return nil, refuse(http.StatusBadRequest, `"before" is the "next" of another page`)
		}
		before = prefix + before
	}
	keys, more, err := s.Store.List(prefix, before, limit)
	if err != nil {
		return nil, err
	}
	p := &page{Notes: make([]*note, len(keys))}
	for i, key := range keys {
		if p.Notes[i], err = s.note(user, key[len(prefix):]); err != nil {
			return nil, err
		}
	}
	if more {
		p.Next = p.Notes[len(keys)-1].ID
	}
	return p, nil
}
