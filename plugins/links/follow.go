package main

import (
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

// How long a browser may go to the target without asking again. A permanent
// redirect is kept for a while: that costs clicks in the count, and one that is
// kept for ever could never be changed.
const (
	keepTemporary = "private, no-store"
	keepPermanent = "private, max-age=300"
)

// follow redirects to a link's target and counts the click.
func follow(w *sdk.Response, r *sdk.Request) error {
	slug := r.PathValue("slug")
	l, err := load(slug)
	if err != nil {
		return err
	}
	if err := kv.Add(clickPrefix+slug, 1); err != nil {
		return err
	}
	if l.Permanent {
		w.SetHeader("Cache-Control", keepPermanent)
		return w.Redirect(301, l.URL)
	}
	w.SetHeader("Cache-Control", keepTemporary)
	return w.Redirect(302, l.URL)
}

// home answers at the root of the mount.
func home(w *sdk.Response, r *sdk.Request) error {
	if target, ok := sdk.Config("home"); ok && target != "" {
		return w.Redirect(302, target)
	}
	return w.Text(200, "A link shortener. Its API is at "+r.URL("/api/links")+"\n")
}
