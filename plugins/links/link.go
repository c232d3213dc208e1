package main

import (
	"encoding/json"
	"time"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// Keys. Clicks are apart from the link, so that following it does not rewrite
// it: any number of requests count at once without conflict. Both have the same
// time to live.
const (
	linkPrefix  = "link/"
	clickPrefix = "click/"
)

// link is a link as it is stored.
type link struct {
	URL       string    `json:"url"`
	Permanent bool      `json:"permanent,omitempty"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
}

// load returns the link of a slug; an unknown or expired one is a 404.
func load(slug string) (link, error) {
	if len(slug) > maxSlug {
		return link{}, unknown
	}
	value, ok, err := kv.Get(linkPrefix + slug)
	if err != nil {
		return link{}, err
	}
	if !ok {
		return link{}, unknown
	}
	return decode(value)
}

var unknown = sdk.Error(404, "there is no link of that name, or it has expired")

func decode(value []byte) (l link, err error) {
	err = json.Unmarshal(value, &l)
	return l, err
}

// save writes the link and its click counter with what is left of its life.
func save(slug string, l link, clicks int64) error {
	value, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if l.Expires.IsZero() {
		if err := kv.SetInt(clickPrefix+slug, clicks); err != nil {
			return err
		}
		return kv.Set(linkPrefix+slug, value)
	}
	// Time goes on while the request runs: what was alive at its start gets a
	// moment at least.
	ttl := max(kv.TTL(l.Expires.Sub(now())), kv.Millisecond)
	if err := kv.SetIntTTL(clickPrefix+slug, clicks, ttl); err != nil {
		return err
	}
	return kv.SetTTL(linkPrefix+slug, value, ttl)
}

func now() time.Time { return time.Unix(0, sdk.Now()).UTC() }

// view is a link as the API shows it.
type view struct {
	Slug      string    `json:"slug"`
	ShortURL  string    `json:"short_url"`
	URL       string    `json:"url"`
	Permanent bool      `json:"permanent"`
	Clicks    int64     `json:"clicks"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
}

func viewOf(r *sdk.Request, slug string, l link, clicks int64) view {
	return view{
		Slug: slug, ShortURL: r.URL("/" + slug), URL: l.URL, Permanent: l.Permanent,
		Clicks: clicks, Created: l.Created, Expires: l.Expires,
	}
}
