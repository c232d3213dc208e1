package socket

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/socket"
)

// Most of what a manifest may say.
const (
	MaxSockets = 32      // tables [[socket]]
	MaxOpen    = 100_000 // sockets of one plugin at a time
	MaxTopics  = 32      // tables [[topic]]
	MaxKept    = 10_000  // events of a topic
	MaxAge     = 7 * 24 * time.Hour
	maxOrigins = 32
)

// Values where a table does not say.
const (
	defaultOpen    = 1000
	defaultMessage = 64 << 10
	defaultKept    = 100
	defaultAge     = time.Hour
)

// Declared is a table [[socket]].
type Declared struct {
	Pattern string
	route   int // index of the route that it is; -1 = there are no routes
	set     pattern.Set[struct{}]
	// Events is the request of messages and closes; without one there are none, and what
	// clients send closes their sockets.
	Events     Template
	HasEvents  bool
	Max        int      // that are open at a time
	MaxMessage int      // bytes of a message
	Origins    []string // whose pages may open one, in addition to the site's own; "*" = all
}

// Allows reports whether a page of an origin may open the socket; own is that of the
// site. A client that is no browser says none.
func (d *Declared) Allows(origin, own string) bool {
	return origin == "" || strings.EqualFold(origin, own) || slices.Contains(d.Origins, "*") || slices.Contains(d.Origins, strings.ToLower(origin))
}

// Settings are the sockets of a manifest, in the order of the text.
type Settings []Declared

// Of returns the sockets of a manifest.
func Of(m *manifest.Manifest) Settings {
	s, _ := m.Settings(Name).(Settings)
	return s
}

// Find returns a socket by its pattern.
func (s Settings) Find(pattern string) (*Declared, bool) {
	for i := range s {
		if s[i].Pattern == pattern {
			return &s[i], true
		}
	}
	return nil, false
}

// Kept are the topics of a manifest whose events are kept.
type Kept []socket.Kept

// KeptOf returns the topics of a manifest whose events are kept.
func KeptOf(m *manifest.Manifest) Kept {
	k, _ := m.Settings(TopicName).(Kept)
	return k
}

// Find returns how long the events of a topic are kept: by the table that has its name, or
// the longest beginning; nil = not at all.
func (k Kept) Find(topic string) *socket.Kept {
	var best *socket.Kept
	for i := range k {
		one := &k[i]
		if one.Covers(topic) && (best == nil || best.Prefix && (!one.Prefix || len(one.Topic) > len(best.Topic))) {
			best = one
		}
	}
	return best
}

// Opens returns the socket that a request opens which has found a route, -1 = the whole
// mount, and its path values; nil = it opens none.
func (s Settings) Opens(route int, method, path string, params []abi.Pair) (*Declared, []abi.Pair) {
	for i := range s {
		d := &s[i]
		if d.route != route {
			continue
		}
		if route >= 0 {
			return d, params
		}
		if found, ok := d.set.Match(method, "", path, nil); ok {
			return d, found.Params
		}
	}
	return nil, nil
}

// read reads [[socket]].
func read(root manifest.Table) (any, plugin.Terms) {
	s := Settings{}
	tables := root.Tables(Name, Unit(nil).Keys...)
	if len(tables) > MaxSockets {
		root.Fail(Name, "%d sockets are above the maximum of %d", len(tables), MaxSockets)
		return s, nil
	}
	for _, t := range tables {
		d := declared(t)
		if _, twice := s.Find(d.Pattern); twice && d.Pattern != "" {
			t.Fail("pattern", "another socket has that pattern already")
		}
		s = append(s, d)
	}
	return s, nil
}

// noRoute is the route of a pattern that could not be read.
const noRoute = -2

func (d *Declared) readPattern(t manifest.Table) {
	text, route, ok := t.Pattern("pattern")
	switch {
	case !ok:
		return
	case !strings.HasPrefix(text, "GET "):
		t.Fail("pattern", "a socket is opened with GET; write e.g. \"GET /rooms/{id}\"")
		return
	}
	d.Pattern, d.route = text, route
	if p, err := pattern.ParseStored(text); err == nil {
		_ = d.set.Add(p, struct{}{}) // the only one has no conflict
	}
}

func declared(t manifest.Table) Declared {
	d := Declared{Max: defaultOpen, MaxMessage: defaultMessage, route: noRoute}
	d.readPattern(t)
	if t.Has("request") {
		d.Events, d.HasEvents = readTemplate(t, &d)
	}
	if n, ok := t.Count("max", MaxOpen); ok {
		d.Max = int(n)
	}
	if n, ok := t.Size("message", limits.SocketData); ok {
		d.MaxMessage = int(n)
	}
	d.Origins = t.Strings("origins")
	if len(d.Origins) > maxOrigins {
		t.Fail("origins", "%d origins are above the maximum of %d", len(d.Origins), maxOrigins)
	}
	for i, origin := range d.Origins {
		if origin == "*" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			t.FailAt("origins", i, `%.64q is no origin; write e.g. "https://app.example.com", or "*" for all`, origin)
		}
		d.Origins[i] = strings.ToLower(origin)
	}
	return d
}

// readTopics reads [[topic]].
func readTopics(root manifest.Table) (any, plugin.Terms) {
	k := Kept{}
	tables := root.Tables(TopicName, Topics().Keys...)
	if len(tables) > MaxTopics {
		root.Fail(TopicName, "%d topics are above the maximum of %d", len(tables), MaxTopics)
		return k, nil
	}
	for _, t := range tables {
		one := kept(t)
		if slices.ContainsFunc(k, func(o socket.Kept) bool { return o.Topic == one.Topic && o.Prefix == one.Prefix }) && one.Topic != "" {
			t.Fail("name", "another topic has that name already")
		}
		k = append(k, one)
	}
	return k, nil
}

func kept(t manifest.Table) socket.Kept {
	k := socket.Kept{Events: defaultKept, Age: defaultAge}
	name, ok := t.String("name")
	switch {
	case !t.Has("name"):
		t.Fail("name", `it is missing; write e.g. name = "news", or "room:*" for all that begin so`)
	case ok:
		k.Topic, k.Prefix = strings.CutSuffix(name, "*")
		if (k.Topic != "" || !k.Prefix) && socket.CheckTopic(k.Topic) < 0 || strings.Contains(k.Topic, "*") {
			t.Fail("name", "a topic's name has 1 to %d bytes of UTF-8 without control characters; a * at its end stands for all that begin so", limits.Topic)
		}
	}
	if n, ok := t.Count("keep", MaxKept); ok {
		k.Events = int(n)
	}
	if age, ok := t.Days("age", MaxAge); ok {
		k.Age = age
	}
	return k
}
