package main

import (
	"strconv"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/json"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// maxBody is more than a valid body takes.
const maxBody = 8 << 10

// creation is the body of a POST.
type creation struct {
	URL       string `json:"url"`
	Slug      string `json:"slug"` // "" = a generated one
	Permanent bool   `json:"permanent"`
	ExpiresIn int64  `json:"expires_in"` // seconds, 0 = no end
}

func create(w *sdk.Response, r *sdk.Request) error {
	var c creation
	if err := json.Read(r, maxBody, &c); err != nil {
		return err
	}
	to, err := target(r, c.URL)
	if err != nil {
		return err
	}
	end, err := expiry(c.ExpiresIn)
	if err != nil {
		return err
	}
	slug, err := freeSlug(c.Slug)
	if err != nil {
		return err
	}
	l := link{URL: to, Permanent: c.Permanent, Created: now(), Expires: end}
	if err := save(slug, l, 0); err != nil {
		return err
	}
	w.SetHeader("Location", r.Mount()+"/api/links/"+slug)
	return json.Write(w, 201, viewOf(r, slug, l, 0))
}

// tries bounds the search for a generated slug; a second one is rare.
const tries = 8

// freeSlug returns the slug asked for, or a generated one. That nobody else
// takes it meanwhile is the transaction's business: finding it absent is a read.
func freeSlug(asked string) (string, error) {
	if asked != "" {
		return asked, claim(asked)
	}
	for range tries {
		slug := randomSlug()
		taken, err := kv.Has(linkPrefix + slug)
		if err != nil || !taken {
			return slug, err
		}
	}
	return "", sdk.Error(503, "found no free slug, try again")
}

func claim(slug string) error {
	if err := checkSlug(slug); err != nil {
		return err
	}
	taken, err := kv.Has(linkPrefix + slug)
	if err == nil && taken {
		return sdk.Error(409, `the slug "`+slug+`" is taken`)
	}
	return err
}

func info(w *sdk.Response, r *sdk.Request) error {
	slug := r.PathValue("slug")
	l, err := load(slug)
	if err != nil {
		return err
	}
	clicks, err := kv.Int(clickPrefix + slug)
	if err != nil {
		return err
	}
	return json.Write(w, 200, viewOf(r, slug, l, clicks))
}

// change is the body of a PATCH; what is absent stays.
type change struct {
	URL       *string `json:"url"`
	Permanent *bool   `json:"permanent"`
	ExpiresIn *int64  `json:"expires_in"` // seconds from now, 0 = no end
}

func update(w *sdk.Response, r *sdk.Request) error {
	var c change
	if err := json.Read(r, maxBody, &c); err != nil {
		return err
	}
	slug := r.PathValue("slug")
	l, err := load(slug)
	if err != nil {
		return err
	}
	if err := c.apply(r, &l); err != nil {
		return err
	}
	clicks, err := kv.Int(clickPrefix + slug)
	if err != nil {
		return err
	}
	if err := save(slug, l, clicks); err != nil {
		return err
	}
	return json.Write(w, 200, viewOf(r, slug, l, clicks))
}

func (c change) apply(r *sdk.Request, l *link) (err error) {
	if c.URL != nil {
		if l.URL, err = target(r, *c.URL); err != nil {
			return err
		}
	}
	if c.Permanent != nil {
		l.Permanent = *c.Permanent
	}
	if c.ExpiresIn != nil {
		l.Expires, err = expiry(*c.ExpiresIn)
	}
	return err
}

func remove(w *sdk.Response, r *sdk.Request) error {
	slug := r.PathValue("slug")
	if _, err := load(slug); err != nil {
		return err
	}
	if err := kv.Delete(linkPrefix + slug); err != nil {
		return err
	}
	if err := kv.Delete(clickPrefix + slug); err != nil {
		return err
	}
	return w.NoContent()
}

const (
	defaultPage = 50
	maxPage     = 200
)

// page is the answer to a list. Next is the "after" of the next one.
type page struct {
	Links []view `json:"links"`
	Next  string `json:"next,omitempty"`
}

func list(w *sdk.Response, r *sdk.Request) error {
	limit, err := pageSize(r)
	if err != nil {
		return err
	}
	after := r.Query().Get("after")
	if len(after) > maxSlug {
		return sdk.Error(400, `"after" must be a slug`)
	}
	q := kv.Query{Prefix: linkPrefix, Limit: limit, After: linkPrefix + after}
	entries, more, err := kv.List(q)
	if err != nil {
		return err
	}
	p := page{Links: make([]view, 0, len(entries))}
	for _, e := range entries {
		v, err := viewOfEntry(r, e)
		if err != nil {
			return err
		}
		p.Links = append(p.Links, v)
	}
	if more {
		p.Next = p.Links[len(p.Links)-1].Slug
	}
	return json.Write(w, 200, p)
}

func viewOfEntry(r *sdk.Request, e kv.Entry) (view, error) {
	slug := e.Key[len(linkPrefix):]
	l, err := decode(e.Value)
	if err != nil {
		return view{}, err
	}
	clicks, err := kv.Int(clickPrefix + slug)
	return viewOf(r, slug, l, clicks), err
}

func pageSize(r *sdk.Request) (int, error) {
	text, ok := r.Query().Lookup("limit")
	if !ok {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, sdk.Error(400, `"limit" must be 1 to `+strconv.Itoa(maxPage))
	}
	return n, nil
}
