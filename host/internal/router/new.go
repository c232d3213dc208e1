package router

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

const op = "build the routes"

// New makes a table. What it returns does not depend on the order of entries.
// Errors: Invalid (a pattern's or a mount's syntax), Conflict, naming both
// plugins and both patterns, when
//   - two patterns of one mount match a request in common and neither is more
//     specific;
//   - a plugin that owns a whole mount shares it with another one;
//   - a pattern of one plugin lies wholly at or below the mount of another one,
//     which would hide it.
func New(entries []Entry) (*Table, error) {
	b := builder{areas: map[plugin.Mount]*area{}}
	for _, e := range slices.SortedFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Plugin, b.Plugin), cmp.Compare(a.Mount, b.Mount))
	}) {
		if err := b.add(&e); err != nil {
			return nil, err
		}
	}
	if err := b.checkHidden(); err != nil {
		return nil, err
	}
	return &b.table, nil
}

type builder struct {
	table Table
	areas map[plugin.Mount]*area
	order []*area
}

func (b *builder) add(e *Entry) error {
	a, err := b.area(e.Mount)
	if err != nil {
		return err
	}
	if err := a.share(e); err != nil {
		return err
	}
	a.entries = append(a.entries, e)
	a.plugins = append(a.plugins, e.Plugin)
	if len(e.Routes) == 0 {
		a.whole = e
		if err := a.close(e.Closed); err != nil {
			return err
		}
	}
	for i := range e.Routes {
		if err := a.add(route{e, i, slices.Contains(e.Closed, e.Routes[i])}); err != nil {
			return err
		}
	}
	return nil
}

// close keeps requests from the plugin that has the whole mount.
func (a *area) close(requests []string) error {
	for _, text := range requests {
		p, err := pattern.ParseStored(text)
		if err != nil {
			return fault.Wrap(fault.Invalid, op, fmt.Sprintf("request %q", text), err)
		}
		if a.closed == nil {
			a.closed = new(pattern.Set[struct{}])
		}
		_ = a.closed.Add(p, struct{}{}) // two that are alike close the same
	}
	return nil
}

// area returns the area of a mount, making it if need be.
func (b *builder) area(mount plugin.Mount) (*area, error) {
	mount, err := plugin.ParseMount(string(mount))
	if err != nil {
		return nil, err
	}
	if a := b.areas[mount]; a != nil {
		return a, nil
	}
	prefix := mount.Prefix()
	a := &area{mount: mount, prefix: prefix, segments: strings.Count(prefix, "/")}
	for _, text := range territory(mount) {
		p, err := pattern.ParseStored(text)
		if err == nil {
			err = b.table.mounts.Add(p, a)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, op, fmt.Sprintf("mount %q", mount), err)
		}
	}
	b.areas[mount] = a
	b.order = append(b.order, a)
	return a, nil
}

// territory returns the patterns of every path at and below a mount.
func territory(mount plugin.Mount) []string {
	if mount.Prefix() == "" {
		return []string{string(mount)}
	}
	return []string{string(mount), string(mount) + "/"}
}

// share checks that e may join the plugins of its mount.
func (a *area) share(e *Entry) error {
	if len(a.entries) == 0 || a.whole == nil && len(e.Routes) > 0 {
		return nil
	}
	owner, other := e, a.entries[0]
	if a.whole != nil {
		owner, other = a.whole, e
	}
	return conflict("%s has no routes and so owns the whole mount %s, where %s is mounted too; mount one of them elsewhere",
		name(owner), a.mount, describe(other))
}

// describe names a plugin with its first pattern.
func describe(e *Entry) string {
	if len(e.Routes) == 0 {
		return name(e)
	}
	return fmt.Sprintf("%s with %q", name(e), e.Routes[0])
}

func (a *area) add(r route) error {
	text := r.entry.Routes[r.index]
	p, err := pattern.ParseStored(text)
	if err == nil && p.Host() != "" {
		err = errors.New("a route is relative to the mount, which has the host")
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, op, fmt.Sprintf("route %q of %s", text, name(r.entry)), err)
	}
	err = a.routes.Add(p, r)
	if c, ok := errors.AsType[*pattern.ConflictError[route]](err); ok {
		return a.collision(p, r.entry, c)
	}
	return err
}

func (a *area) collision(p *pattern.Pattern, e *Entry, c *pattern.ConflictError[route]) error {
	if c.Value.entry == e {
		return conflict("two routes of %s: %s", name(e), c.Reason)
	}
	return conflict("%q of %s conflicts with %q of %s, both mounted at %s: %s",
		p, name(e), c.With, name(c.Value.entry), a.mount, c.Reason)
}

// checkHidden finds patterns that lie wholly within a deeper mount.
func (b *builder) checkHidden() error {
	for _, inner := range b.order {
		for _, outer := range b.above(inner.mount) {
			if err := outer.checkHidden(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// above returns the areas of the mounts that mount lies below, the deepest
// first. A mount with a host hides nothing of one without: other hosts reach it.
func (b *builder) above(mount plugin.Mount) []*area {
	var areas []*area
	for prefix := mount.Prefix(); prefix != ""; {
		prefix = prefix[:strings.LastIndexByte(prefix, '/')]
		if a := b.areas[plugin.Mount(mount.Host()+cmp.Or(prefix, "/"))]; a != nil {
			areas = append(areas, a)
		}
	}
	return areas
}

func (a *area) checkHidden(inner *area) error {
	relative := plugin.Mount(inner.prefix[len(a.prefix):])
	for _, e := range a.entries {
		for _, text := range e.Routes {
			if within(text, relative) {
				return conflict("%q of %s (mounted at %s) lies below %s, the mount of %s, which would hide it; change the route or one of the mounts",
					text, name(e), a.mount, inner.mount, describe(inner.entries[0]))
			}
		}
	}
	return nil
}

// within reports whether every path that a pattern matches is at or below a
// mount. The pattern was parsed before.
func within(text string, mount plugin.Mount) bool {
	route, err := pattern.ParseStored(text[strings.IndexByte(text, '/'):]) // any method
	if err != nil {
		return false
	}
	for _, t := range territory(mount) {
		owned, err := pattern.ParseStored(t)
		if err != nil {
			return false
		}
		switch pattern.Compare(route, owned) {
		case pattern.Equal, pattern.MoreSpecific:
			return true
		}
	}
	return false
}

func name(e *Entry) string { return fmt.Sprintf("plugin %q", e.Plugin) }

func conflict(format string, args ...any) error {
	return fault.New(fault.Conflict, op, fmt.Sprintf(format, args...))
}
