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

// IsName reports whether name is that of an archive in a place.
func IsName(name string) bool {
	return strings.HasPrefix(name, namePrefix) && (strings.HasSuffix(name, plainName) || strings.HasSuffix(name, sealedName))
}

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

// List returns the backups in a place, the newest last, and the archives that have no
// note: they are under way, or what is left of one that did not finish.
func List(ctx context.Context, from bucket.Bucket) (all []Kept, halves []bucket.Object, err error) {
	archives, notes := map[string]bucket.Object{}, []string{}
	for o, err := range from.List(ctx, namePrefix, "") {
		if err != nil {
			return nil, nil, err
		}
		if name, ok := strings.CutSuffix(o.Key, noteSuffix); ok && IsName(name) {
			notes = append(notes, name)
		} else if IsName(o.Key) {
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
		case err != nil:
			return nil, nil, err
		case k.Size != o.Size:
			return nil, nil, fault.New(fault.Invalid, "", fmt.Sprintf("the backup %s in %s has %d bytes, and its note says %d", name, from, o.Size, k.Size))
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Kept) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name)) })
	for _, o := range archives {
		halves = append(halves, o)
	}
	return all, halves, nil
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
	all, halves, err := List(ctx, from)
	if err != nil {
		return Kept{}, err
	}
	if len(all) == 0 {
		text := fmt.Sprintf("there is no backup in %s", from)
		if len(halves) > 0 {
			text += fmt.Sprintf(", only %d that did not finish", len(halves))
		}
		return Kept{}, fault.New(fault.NotFound, "", text)
	}
	return all[len(all)-1], nil
}

// Retention says what stays: the newest backups, and those that are younger.
type Retention struct {
	Newest int           // at least 1
	For    time.Duration // 0 = only the newest
}

// Prune removes the backups of a store that are not to stay, and returns them.
func Prune(ctx context.Context, in bucket.Bucket, storeID string, keep Retention, now time.Time) (removed []Kept, err error) {
	all, _, err := List(ctx, in)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(k Kept) bool { return k.Store != storeID })
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
	_, halves, err := List(ctx, in)
	for _, o := range halves {
		if err == nil && now.Sub(o.Modified) > leftFor {
			if err = in.Delete(ctx, o.Key); err == nil {
				n++
			}
		}
	}
	return n, err
}
