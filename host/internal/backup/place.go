package backup

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/archive"
	"github.com/wasmoor/wasmoor/host/internal/bucket"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// In a place each backup is two objects: the archive, and after it a note of what it
// is, in JSON. Without its note a backup is none.
const (
	namePrefix = "wasmoor-"
	plainName  = ".tar.zst"
	sealedName = plainName + ".age"
	noteSuffix = ".json"
	nameTime   = "20060102T150405.000Z"
	maxNote    = 64 << 10
)

// Kept is a backup in a place.
type Kept struct {
	Name string
	archive.Info
}

// IsName reports whether name looks like that of an archive in a place, which a person
// may have given it.
func IsName(name string) bool {
	return strings.HasPrefix(name, namePrefix) && (strings.HasSuffix(name, plainName) || strings.HasSuffix(name, sealedName))
}

// ownName is what Keep calls archives: the time, which puts them in order, and a random
// end. Whatever has another name is somebody's, and stays.
var ownName = regexp.MustCompile(`^wasmoor-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[a-z2-7]{4}\.tar\.zst(\.age)?$`)

// Put makes a backup in a place.
func (s *Source) Put(ctx context.Context, to bucket.Bucket, recipients ...age.Recipient) (Kept, error) {
	return Keep(ctx, to, s.Clock(), len(recipients) > 0, func(w io.Writer) (archive.Info, error) { return s.Take(ctx, w, recipients...) })
}

// Keep puts the backup that write writes in a place. It is there once its note is, and
// not before.
func Keep(ctx context.Context, to bucket.Bucket, now time.Time, encrypted bool, write func(io.Writer) (archive.Info, error)) (Kept, error) {
	suffix := plainName
	if encrypted {
		suffix = sealedName
	}
	name := namePrefix + now.UTC().Format(nameTime) + "-" + strings.ToLower(rand.Text()[:4]) + suffix
	r, w := io.Pipe()
	var info archive.Info
	done := make(chan error, 1)
	go func() {
		var wrong error
		info, wrong = write(w)
		_ = w.CloseWithError(wrong) // nil is the end
		done <- wrong
	}()
	err := to.Put(ctx, name, r, -1)
	_ = r.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) // whoever writes is to end
	if wrong := <-done; err == nil {
		err = wrong
	}
	if err != nil {
		return Kept{}, err
	}
	return Kept{name, info}, note(ctx, to, name, info)
}

func note(ctx context.Context, to bucket.Bucket, name string, info archive.Info) error {
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	return to.Put(ctx, name+noteSuffix, bytes.NewReader(text), int64(len(text)))
}

// Listing is what is in a place.
type Listing struct {
	Kept []Kept // the newest last
	// Halves are archives without a note: under way, or what is left of one that did
	// not finish.
	Halves  []bucket.Object
	Damaged []*Damaged // the newest last
}

// Damaged is a backup of which nobody knows what it is, as its note is damaged or of
// another archive. Nothing removes it by itself.
type Damaged struct {
	Name string
	why  string
}

func (d *Damaged) Error() string { return d.why }

// List returns what is in a place. What is not of this package is left out.
func List(ctx context.Context, from bucket.Bucket) (l Listing, err error) {
	archives, notes := map[string]bucket.Object{}, []string{}
	for o, err := range from.List(ctx, namePrefix, "") {
		if err != nil {
			return Listing{}, err
		}
		if name, ok := strings.CutSuffix(o.Key, noteSuffix); ok && ownName.MatchString(name) {
			notes = append(notes, name)
		} else if ownName.MatchString(o.Key) {
			archives[o.Key] = o
		}
	}
	for _, name := range notes {
		o, ok := archives[name]
		if !ok {
			continue // it was being removed
		}
		delete(archives, name)
		k, err := readNote(ctx, from, name)
		switch {
		case fault.CodeOf(err) == fault.NotFound:
			continue
		case fault.CodeOf(err) == fault.Invalid:
			l.Damaged = append(l.Damaged, &Damaged{name, fault.MessageOf(err)})
			continue
		case err != nil:
			return Listing{}, err
		case k.Size != o.Size:
			l.Damaged = append(l.Damaged, &Damaged{name, fmt.Sprintf("the backup %s in %s has %d bytes, and its note says %d", name, from, o.Size, k.Size)})
			continue
		}
		l.Kept = append(l.Kept, k)
	}
	slices.SortFunc(l.Kept, func(a, b Kept) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name)) })
	for _, o := range archives {
		l.Halves = append(l.Halves, o)
	}
	return l, nil
}

func readNote(ctx context.Context, from bucket.Bucket, name string) (Kept, error) {
	r, err := from.Get(ctx, name+noteSuffix, 0, maxNote)
	if err != nil {
		return Kept{}, err
	}
	text, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return Kept{}, err
	}
	k := Kept{Name: name}
	if err := json.Unmarshal(text, &k.Info); err != nil {
		return k, fault.New(fault.Invalid, "", fmt.Sprintf("the note %s%s in %s is damaged; `wasmoor backup verify` with the name of the backup reads it without", name, noteSuffix, from))
	}
	return k, nil
}

// Find returns the backup of a name, or the newest for none. NotFound when there is
// none.
func Find(ctx context.Context, from bucket.Bucket, name string) (Kept, error) {
	if name != "" {
		return readNote(ctx, from, name)
	}
	l, err := List(ctx, from)
	if err != nil {
		return Kept{}, err
	}
	var newest Kept
	if len(l.Kept) > 0 {
		newest = l.Kept[len(l.Kept)-1]
	}
	if n := len(l.Damaged); n > 0 && l.Damaged[n-1].Name > newest.Name { // an older one is for a person to choose
		return Kept{}, fault.New(fault.Invalid, "", l.Damaged[n-1].Error())
	}
	if newest.Name == "" {
		text := fmt.Sprintf("there is no backup in %s", from)
		if len(l.Halves) > 0 {
			text += fmt.Sprintf(", only %d that did not finish", len(l.Halves))
		}
		return Kept{}, fault.New(fault.NotFound, "", text)
	}
	return newest, nil
}

// Retention says what stays: the newest backups, and those that are younger.
type Retention struct {
	Newest int           // at least 1
	For    time.Duration // 0 = only the newest
}

// Prune removes the backups of a store that are not to stay, and returns them. Those
// from after now, when a clock was wrong, count for nothing and stay.
func Prune(ctx context.Context, in bucket.Bucket, storeID string, keep Retention, now time.Time) (removed []Kept, err error) {
	l, err := List(ctx, in)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(l.Kept, func(k Kept) bool { return k.Store != storeID || k.Created.After(now) })
	for _, k := range all[:max(len(all)-max(keep.Newest, 1), 0)] {
		if keep.For > 0 && now.Sub(k.Created) < keep.For {
			continue
		}
		// Without its note it is none: what a crash leaves here is swept.
		if err := errors.Join(in.Delete(ctx, k.Name+noteSuffix), in.Delete(ctx, k.Name)); err != nil {
			return removed, err
		}
		removed = append(removed, k)
	}
	return removed, nil
}

// leftFor is how long what did not finish stays: nobody is at it any more.
const leftFor = 24 * time.Hour

// Sweep removes what backups left that did not finish, and returns how much.
func Sweep(ctx context.Context, in bucket.Bucket, now time.Time) (n int, err error) {
	if n, err = in.Sweep(ctx, namePrefix, now.Add(-leftFor)); err != nil {
		return n, err
	}
	l, err := List(ctx, in)
	for _, o := range l.Halves {
		if err == nil && now.Sub(o.Modified) > leftFor {
			if err = in.Delete(ctx, o.Key); err == nil {
				n++
			}
		}
	}
	return n, err
}
