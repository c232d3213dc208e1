package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/pattern"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Parse reads a manifest: JSON if file ends in .json or data starts with "{",
// else TOML. File is only a name for errors; sections are the tables of the
// host's capabilities. Errors are Invalid, with every broken rule on a line of its
// own (ten at most), or TooLarge above MaxSize.
func Parse(data []byte, file string, sections []Section) (*Manifest, error) {
	return parse(data, file, &reader{sections: sections})
}

// ParseStored is Parse for the manifest of a version that a host has taken already:
// it takes the forms that Parse has refused since.
func ParseStored(data []byte, file string, sections []Section) (*Manifest, error) {
	return parse(data, file, &reader{sections: sections, stored: true})
}

func parse(data []byte, file string, r *reader) (*Manifest, error) {
	if len(data) > MaxSize {
		return nil, fault.New(fault.TooLarge, op, fmt.Sprintf("%s: %s is above the maximum of %s",
			file, limit.FormatSize(int64(len(data))), limit.FormatSize(MaxSize)))
	}
	doc, syntax := read(data, file)
	if syntax != nil {
		return nil, invalid(file, []problem{*syntax})
	}
	r.document = doc
	m := r.manifest()
	if len(r.problems) > 0 {
		return nil, invalid(file, r.problems)
	}
	return m, nil
}

// reader checks a document and collects its problems.
type reader struct {
	*document
	sections []Section
	stored   bool // see ParseStored
	listed   []Route
	patterns pattern.Set[int] // of listed, by their index
	private  []int            // routes that a trigger reaches
	closed   []string         // requests that it makes where there are none
	problems []problem
}

// full reports whether there are enough problems to stop looking.
func (r *reader) full() bool { return len(r.problems) >= enoughProblems }

// fail notes a problem at a key, or where its nearest parent stands.
func (r *reader) fail(path, format string, args ...any) {
	if r.full() {
		return
	}
	p := problem{key: path, text: fmt.Sprintf(format, args...)}
	for at := path; at != ""; at = parent(at) {
		if place, ok := r.places[at]; ok {
			p.at = place
			break
		}
	}
	r.problems = append(r.problems, p)
}

// parent cuts the last part off a path; good enough for quoted keys, whose own
// place is always known.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// manifest reads the whole document. A version of the format it does not know
// is the only problem it reports: the other keys may mean anything there.
func (r *reader) manifest() *Manifest {
	t := Table{reader: r, values: r.root}
	if r.extismManifest(t) || !r.format(t) {
		return nil
	}
	t.only(r.known()...)
	m := Default("")
	m.Name = r.name(t)
	m.Version = r.label(t)
	m.ABI = r.abi(t)
	m.ask.Stateful = r.isolation(t)
	m.because(plugin.Isolation, t.Reason("isolation_reason"))
	if t.Has("isolation_reason") && !m.ask.Stateful {
		t.Fail("isolation_reason", `it is the reason for isolation = "instance"; leave it out`)
	}
	m.Frozen = r.frozen(t)
	r.limits(t, &m.limits)
	m.Routes = r.routes(t, m.ABI)
	r.route(m.Routes)
	m.patterns = &r.patterns
	m.Warmups = r.warmups(t)
	for _, s := range r.sections {
		r.section(t, s, m)
	}
	r.close(m)
	m.Vars = r.declared(t, m.settings, r.vars(t))
	m.Build = r.build(t)
	return m
}

// known are the keys of a manifest's top level.
func (r *reader) known() []string {
	keys := []string{"manifest_version", "name", "version", "abi", "isolation", "isolation_reason", "frozen", "route", "limits"}
	for _, s := range r.sections {
		keys = append(keys, s.Name)
	}
	return append(keys, "config", "warmup", "build")
}

func (r *reader) format(t Table) bool {
	const key = "manifest_version"
	v, ok := typed[int64](t, key, "the number "+strconv.Itoa(FormatVersion), always(strconv.Itoa(FormatVersion)))
	switch {
	case !t.Has(key):
		t.Fail(key, "it is missing; write manifest_version = %d", FormatVersion)
		return false
	case !ok:
		return false
	case v != FormatVersion:
		t.Fail(key, "%d is not supported; this host reads %d", v, FormatVersion)
		return false
	}
	return true
}

func (r *reader) name(t Table) string {
	name, ok := t.String("name")
	if !t.Has("name") {
		t.Fail("name", `it is missing; write e.g. name = "guestbook"`)
	} else if ok {
		if err := plugin.CheckName(name); err != nil {
			t.Fail("name", "%s", fault.MessageOf(err))
		}
	}
	return name
}

func (r *reader) label(t Table) string {
	label, _ := t.String("version")
	if err := CheckLabel(label); err != nil {
		t.Fail("version", "%s", fault.MessageOf(err))
	}
	return label
}

// CheckLabel returns an Invalid error unless label can be a version's: at most
// MaxLabel characters of UTF-8, none of them a control character. "" is fine.
func CheckLabel(label string) error {
	if utf8.RuneCountInString(label) > MaxLabel || !utf8.ValidString(label) || strings.ContainsFunc(label, unicode.IsControl) {
		return fault.New(fault.Invalid, "", fmt.Sprintf(
			"label %q is not allowed: use up to %d characters of text without control characters", shorten(label), MaxLabel))
	}
	return nil
}

// abi returns the ABI, "" for the default.
func (r *reader) abi(t Table) string {
	switch name, ok := typed[string](t, "abi", "a string", always(strconv.Quote(abi.Module))); {
	case !ok || name == abi.Module:
	case name == ABIExtism:
		return name
	default:
		t.Fail("abi", "%q is unknown; this host speaks %s, %s", shorten(name), abi.Module, ABIExtism)
	}
	return ""
}

// isolation reports whether instances keep their memory between requests.
func (r *reader) isolation(t Table) (stateful bool) {
	switch s, ok := typed[string](t, "isolation", "a string", always(`"request"`)); {
	case !ok || s == "request":
		return false
	case s == "instance":
		return true
	default:
		t.Fail("isolation", `%q is unknown; write "request", or "instance" to keep memory between requests`, shorten(s))
		return false
	}
}

// frozen returns what may be the same for all requests.
func (r *reader) frozen(t Table) []string {
	names := t.Strings("frozen")
	for i, name := range names {
		switch {
		case name != FrozenClock && name != FrozenRandom:
			t.Fail(element("frozen", i), "%q is unknown; write %q, %q or both", shorten(name), FrozenClock, FrozenRandom)
		case slices.Contains(names[:i], name):
			t.Fail(element("frozen", i), "%q is there twice", name)
		}
	}
	return names
}

const page = 64 << 10

func (r *reader) limits(t Table, l *limit.Limits) {
	t, ok := t.table("limits")
	if !ok {
		return
	}
	t.only(limitKeys...)
	most := limit.Maximum()
	set(&l.Memory)(t.Size("memory", most.Memory))
	set(&l.Deadline)(t.Duration("deadline", most.Deadline))
	set(&l.RequestBody)(t.Size("request_body", most.RequestBody))
	set(&l.ResponseBody)(t.Size("response_body", most.ResponseBody))
	if n, ok := t.Count("concurrency", int64(most.Concurrency)); ok {
		l.Concurrency = int(n)
	}
	if l.Memory%page != 0 {
		t.Fail("memory", "%s is not a whole number of 64KiB pages%s",
			limit.FormatSize(l.Memory), t.write("memory", asPages(t.values["memory"], l.Memory, most.Memory)))
	}
}

// set assigns a value that was set to target.
func set[T any](target *T) func(T, bool) {
	return func(v T, ok bool) {
		if ok {
			*target = v
		}
	}
}

func (r *reader) routes(root Table, abi string) []Route {
	tables := root.tables("route", "pattern")
	if abi == ABIExtism && len(tables) == 0 {
		root.Fail("route", `it is missing; abi = "extism" needs routes that name exports, e.g. [[route]] pattern = "POST /count", export = "count_vowels"`)
	}
	if len(tables) > MaxRoutes {
		root.Fail("route", "%d routes are above the maximum of %d", len(tables), MaxRoutes)
		return nil
	}
	var patterns pattern.Set[string] // value: the key of the pattern
	var routes []Route
	most := limit.Maximum()
	for _, t := range tables {
		t.only("pattern", "deadline", "request_body", "idempotency", "encoded_slashes", "private", "live", "cache", "cache_ignores", "stale_while_revalidate", "export", "handler", "content_type")
		var route Route
		route.Pattern = r.pattern(t, &patterns)
		set(&route.Deadline)(t.Duration("deadline", most.Deadline))
		set(&route.RequestBody)(t.Size("request_body", limit.RouteBody))
		route.EncodedSlashes = t.Bool("encoded_slashes")
		route.Private = t.Bool("private")
		r.kept(root, t, &route)
		r.export(t, abi, &route)
		set(&route.Idempotency)(t.Duration("idempotency", limit.MaxReplayAge))
		if route.Idempotency > 0 && !root.Has("kv") {
			t.Fail("idempotency", "answers are kept in the plugin's key space; add the table [kv]")
		}
		if method := methodOf(route.Pattern); route.Idempotency > 0 && !mayReplay(method) {
			t.Fail("idempotency", "it does nothing for %s; it is for POST, PUT, PATCH and DELETE", method)
		}
		routes = append(routes, route)
	}
	return routes
}

// methodOf returns the method of a pattern; "" = every one.
func methodOf(text string) string {
	method, _, found := strings.Cut(text, " ")
	if !found {
		return ""
	}
	return method
}

func mayReplay(method string) bool {
	return slices.Contains([]string{"", "POST", "PUT", "PATCH", "DELETE"}, method)
}

func (r *reader) pattern(t Table, others *pattern.Set[string]) string {
	const key = "pattern"
	text, ok := t.String(key)
	if !t.Has(key) {
		t.Fail(key, `it is missing; write e.g. pattern = "GET /entries/{id}"`)
	}
	if !ok {
		return ""
	}
	parse := pattern.Parse
	if r.stored {
		parse = pattern.ParseStored
	}
	p, err := parse(text)
	switch {
	case err != nil:
		t.Fail(key, "%v", err)
	case p.Host() != "":
		t.Fail(key, "%q names the host %q; a route is relative to the mount, which has the host%s", text, p.Host(), t.write(key, strconv.Quote(p.WithoutHost())))
	default:
		r.add(t, p, others)
	}
	return text
}

func (r *reader) add(t Table, p *pattern.Pattern, others *pattern.Set[string]) {
	err := others.Add(p, join(t.path, "pattern"))
	if c, ok := errors.AsType[*pattern.ConflictError[string]](err); ok {
		t.Fail("pattern", "it conflicts with %s: %s", c.Value, c.Reason)
	}
}

// varForm is what config_get and an environment variable can name.
var varForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

const varRule = "use 1 to 64 letters, digits and _, not starting with a digit"

// CheckVar returns an Invalid error unless a var may have that name.
func CheckVar(name string) error {
	if !varForm.MatchString(name) {
		return fault.New(fault.Invalid, "", fmt.Sprintf("var name %.80q is not allowed: %s", name, varRule))
	}
	return nil
}

func (r *reader) vars(t Table) []Var {
	t, ok := t.table("config")
	if !ok {
		return nil
	}
	if len(t.values) > MaxVars {
		r.fail(t.path, "%d entries are above the maximum of %d", len(t.values), MaxVars)
		return nil
	}
	var vars []Var
	for _, name := range sortedKeys(t.values) {
		if !varForm.MatchString(name) {
			t.Fail(name, varRule)
			continue
		}
		if entry, ok := t.table(name); ok {
			vars = append(vars, r.entry(t, entry, name))
		}
	}
	return vars
}

func (r *reader) entry(config, t Table, name string) Var {
	t.only(varKeys...)
	v := Var{Name: name, Required: t.Bool("required"), Secret: t.Bool("secret")}
	v.Description, _ = t.String("description")
	if s, ok := t.String("default"); ok {
		v.Default = &s
	}
	switch {
	case v.Default != nil && v.Required:
		config.Fail(name, "required and default exclude each other; remove one")
	case v.Default != nil && v.Secret:
		config.Fail(name, "a secret has no default: everyone who has the module could read it")
	}
	return v
}

func (r *reader) build(t Table) Build {
	t, ok := t.table("build")
	if !ok {
		return Build{}
	}
	t.only(buildKeys...)
	var b Build
	b.Command, _ = t.String("command")
	b.Output, _ = t.String("output")
	b.Watch = t.Strings("watch")
	return b
}
