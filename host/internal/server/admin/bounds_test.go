package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// schema is what the tests read of a schema of the document.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       any                `json:"type"`
	Pattern    string             `json:"pattern"`
	MinLength  *int               `json:"minLength"`
	MaxLength  *int               `json:"maxLength"`
	Minimum    *float64           `json:"minimum"`
	Maximum    *float64           `json:"maximum"`
	MinItems   *int               `json:"minItems"`
	MaxItems   *int               `json:"maxItems"`
	Items      *schema            `json:"items"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	OneOf      []*schema          `json:"oneOf"`
	Not        *schema            `json:"not"`
}

type parameter struct {
	Name     string  `json:"name"`
	In       string  `json:"in"`
	Required bool    `json:"required"`
	Schema   *schema `json:"schema"`
}

type described struct {
	method, path string
	Parameters   []parameter `json:"parameters"`
	RequestBody  struct {
		Content map[string]struct {
			Schema *schema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
}

// operations reads every operation of the document, with references resolved.
func operations(t *testing.T, addr string) (all []described) {
	t.Helper()
	doc, text := document(t, addr)
	var components struct {
		Components struct {
			Schemas map[string]*schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(text), &components); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			op := described{method: strings.ToUpper(method), path: path}
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			for mediaType, content := range op.RequestBody.Content {
				if name, ok := strings.CutPrefix(content.Schema.Ref, "#/components/schemas/"); ok {
					content.Schema = components.Components.Schemas[name]
					op.RequestBody.Content[mediaType] = content
				}
			}
			all = append(all, op)
		}
	}
	return all
}

// attempt is a request that is good but for what a test changes.
type attempt struct {
	op        described
	path      map[string]string
	query     url.Values
	mediaType string
	body      string
}

// good returns a request of the operation with what it requires, at its least.
func (op described) good(t *testing.T) attempt {
	t.Helper()
	a := attempt{op: op, path: map[string]string{}, query: url.Values{}}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path":
			a.path[p.Name] = sample(t, p.Schema, 3)
		case p.Required && len(p.Schema.OneOf) > 0: // key or key_base64
			a.query.Set("key", "k")
		case p.Required:
			a.query.Set(p.Name, sample(t, p.Schema, 3))
		}
	}
	for mediaType, content := range op.RequestBody.Content {
		a.mediaType, a.body = mediaType, "x"
		if mediaType == "application/json" {
			a.body = encode(t, least(t, content.Schema))
		}
	}
	return a
}

func (a attempt) with(change func(*attempt)) attempt {
	a.path, a.query = maps.Clone(a.path), maps.Clone(a.query)
	change(&a)
	return a
}

func (a attempt) send(t *testing.T, addr string) servertest.Response {
	t.Helper()
	path := a.op.path
	for name, value := range a.path {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
	}
	if len(a.query) > 0 {
		path += "?" + a.query.Encode()
	}
	lines := []string{right, fmt.Sprintf("Content-Length: %d", len(a.body))}
	if a.mediaType != "" {
		lines = append(lines, "Content-Type: "+a.mediaType)
	}
	return servertest.RoundTrip(t, addr, servertest.Local(a.op.method, path, a.body, lines...))
}

// sample returns a string of n characters, of letters if they will do, that a
// schema allows.
func sample(t *testing.T, s *schema, n int) string {
	t.Helper()
	for _, candidate := range samples(n) {
		if s.allows(candidate) {
			return candidate
		}
	}
	t.Fatalf("no sample of %d characters matches %q", n, s.Pattern)
	return ""
}

// samples returns strings of n characters of the kinds that the API takes.
func samples(n int) []string {
	repeat := func(s string, n int) string { return strings.Repeat(s, max(n, 0)) }
	all := []string{
		repeat("a", n), "/" + repeat("a", n-1), repeat("A", n-2) + "==", repeat("1", n-1) + "h", "a://" + repeat("a", n-4),
		"debug", "owner", "abort", "replace", repeat("1", n), repeat("1", n/2) + "-" + repeat("1", n-n/2-1), "2026-11-29T05:00:00." + repeat("1", n-26) + "+01:00",
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) != n })
}

// allows compares a string with the pattern and what it must not match; not with
// its length.
func (s *schema) allows(text string) bool {
	return regexp.MustCompile(s.Pattern).MatchString(text) && (s.Not == nil || !regexp.MustCompile(s.Not.Pattern).MatchString(text))
}

// least returns a value of the least size that a schema of JSON allows.
func least(t *testing.T, s *schema) any {
	t.Helper()
	switch kind(s) {
	case "object":
		object := map[string]any{}
		for _, name := range s.Required {
			object[name] = least(t, s.Properties[name])
		}
		return object
	case "array":
		items := []any{}
		if s.MinItems != nil {
			items = append(items, slices.Repeat([]any{least(t, s.Items)}, *s.MinItems)...)
		}
		return items
	case "integer":
		return *s.Minimum
	case "boolean":
		return false
	}
	if s.MinLength == nil && s.Pattern != "" && s.allows("") {
		return ""
	}
	n := 5
	if s.MinLength != nil {
		n = max(n, *s.MinLength)
	}
	return sample(t, s, n)
}

// kind returns the type of a schema, which may be null as well.
func kind(s *schema) string {
	if types, ok := s.Type.([]any); ok {
		return fmt.Sprint(types[0])
	}
	return fmt.Sprint(s.Type)
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBounds sends, for each operation, what the document allows at its bounds and
// what it forbids next to them. The requests are made from the document, so that
// what is added to it is tested.
func TestBounds(t *testing.T) {
	addr := adminFor(t, &recorder{})
	bounds := 0
	for _, op := range operations(t, addr) {
		good := op.good(t)
		taken := func(what string, a attempt) {
			t.Helper()
			bounds++
			if got := a.send(t, addr); got.StatusCode/100 != 2 {
				t.Errorf("%s %s: %s is refused: %d %.300s", op.method, op.path, what, got.StatusCode, got.Text)
			}
		}
		refused := func(what string, a attempt) {
			t.Helper()
			bounds++
			if got := a.send(t, addr); got.StatusCode/100 != 4 {
				t.Errorf("%s %s: %s is taken: %d %.300s", op.method, op.path, what, got.StatusCode, got.Text)
			}
		}
		taken("the least", good)
		refused("an unknown parameter", good.with(func(a *attempt) { a.query.Set("unknown", "1") }))
		for _, p := range op.Parameters {
			for i, s := range append([]*schema{p.Schema}, p.Schema.OneOf...) {
				name := p.Name
				if i > 0 { // of an object whose properties are parameters, one at a time
					name = s.Required[0]
					s = s.Properties[name]
				}
				set := func(value string) attempt {
					return good.with(func(a *attempt) {
						if p.In == "path" {
							a.path[name] = value
							return
						}
						if i > 0 {
							a.query = url.Values{}
						}
						a.query.Set(name, value)
					})
				}
				if kind(s) == "array" { // its items, one at a time, and how many there may be
					times := func(n int) attempt {
						return good.with(func(a *attempt) {
							for range n {
								a.query.Add(name, sample(t, s.Items, 1))
							}
						})
					}
					taken("the most of "+name, times(*s.MaxItems))
					refused("more of "+name, times(*s.MaxItems+1))
					s = s.Items
				}
				if len(s.OneOf) == 0 {
					checkParameter(t, s, name, set, taken, refused)
				}
			}
			if p.In == "query" {
				refused("no "+p.Name+" twice", good.with(func(a *attempt) { a.query[p.Name] = append(a.query[p.Name], "k", "k") }))
			}
			if len(p.Schema.OneOf) > 0 {
				refused("none of "+p.Name, good.with(func(a *attempt) { a.query = url.Values{} }))
				refused("both of "+p.Name, good.with(func(a *attempt) { a.query.Set("key_base64", "AAAA") }))
			}
		}
		for mediaType, content := range op.RequestBody.Content {
			refused("another media type", good.with(func(a *attempt) { a.mediaType = "application/x-www-form-urlencoded" }))
			taken("a parameter of the media type", good.with(func(a *attempt) { a.mediaType += "; charset=utf-8" }))
			taken("no media type", good.with(func(a *attempt) { a.mediaType = "" }))
			if mediaType == "application/json" {
				checkJSON(t, content.Schema, good, taken, refused)
				continue
			}
			if content.Schema.MaxLength == nil { // as long as the disk takes
				continue
			}
			most := strings.Repeat("x", *content.Schema.MaxLength)
			taken("the longest body", good.with(func(a *attempt) { a.body = most }))
			refused("a longer body", good.with(func(a *attempt) { a.body = most + "x" }))
		}
	}
	if bounds < 250 {
		t.Errorf("the document has %d bounds only", bounds)
	}
}

// unusual is what a name, a number or a boolean is not.
var unusual = []string{" ", "a\n", "\x00", "ä", "a b", "a/../b", "a//b", "-a", "a-", "1.5", "01", "+1", "1e3", "TRUE", "1", "0s", "-1s", "1d", "A", "A===", "AA=", "/livez", "a?b", "a#b", "a@b"}

func checkParameter(t *testing.T, s *schema, name string, set func(string) attempt, taken, refused func(string, attempt)) {
	t.Helper()
	switch kind(s) {
	case "boolean":
		for _, value := range []string{"true", "false"} {
			taken(name+"="+value, set(value))
		}
		for _, value := range []string{"1", "0", "t", "TRUE", "yes", "", "null"} {
			refused(name+"="+value, set(value))
		}
	case "integer":
		least, most := strconv.FormatFloat(*s.Minimum, 'f', -1, 64), strconv.FormatFloat(*s.Maximum, 'f', -1, 64)
		taken(name+"="+least, set(least))
		taken(name+"="+most, set(most))
		for _, value := range []string{
			strconv.FormatFloat(*s.Minimum-1, 'f', -1, 64), strconv.FormatFloat(*s.Maximum+1, 'f', -1, 64),
			"9223372036854775808", "18446744073709551616", "", "+1", "01", "1.0", "1e1", " 1", "a",
		} {
			refused(name+"="+value, set(value))
		}
	case "string":
		checkString(t, s, name, set, taken, refused)
	default:
		t.Errorf("the parameter %s has the type %v", name, s.Type)
	}
}

func checkString(t *testing.T, s *schema, name string, set func(string) attempt, taken, refused func(string, attempt)) {
	t.Helper()
	if s.MinLength != nil {
		taken("the shortest "+name, set(sample(t, s, *s.MinLength)))
		for _, shorter := range samples(*s.MinLength - 1) {
			refused("a shorter "+name, set(shorter))
		}
	}
	if s.MaxLength != nil {
		taken("the longest "+name, set(sample(t, s, *s.MaxLength)))
		for _, longer := range samples(*s.MaxLength + 1) {
			refused("a longer "+name, set(longer))
		}
	}
	if s.MinLength == nil && s.allows("") {
		taken("an empty "+name, set(""))
	}
	if s.MaxLength == nil && s.Pattern == "" {
		t.Errorf("%s has no bound", name)
	}
	for _, text := range unusual {
		if !s.allows(text) {
			refused(fmt.Sprintf("%s=%q", name, text), set(text))
		}
	}
}

func checkJSON(t *testing.T, s *schema, good attempt, taken, refused func(string, attempt)) {
	t.Helper()
	set := func(name string, value any) attempt {
		return good.with(func(a *attempt) {
			object := least(t, s).(map[string]any)
			object[name] = value
			a.body = encode(t, object)
		})
	}
	refused("no JSON", good.with(func(a *attempt) { a.body = "{" }))
	refused("no object", good.with(func(a *attempt) { a.body = "[]" }))
	refused("no body", good.with(func(a *attempt) { a.body = "" }))
	refused("an unknown property", set("unknown", 1))
	for _, name := range s.Required {
		refused("no "+name, good.with(func(a *attempt) {
			object := least(t, s).(map[string]any)
			delete(object, name)
			a.body = encode(t, object)
		}))
	}
	for name, p := range s.Properties {
		if _, mayBeNull := p.Type.([]any); mayBeNull {
			taken("null as "+name, set(name, nil))
		} else {
			refused("null as "+name, set(name, nil))
		}
		if kind(p) == "object" {
			taken("an empty "+name, set(name, map[string]any{}))
			refused("a number in "+name, set(name, map[string]any{"a": 1}))
		} else {
			refused("an object as "+name, set(name, map[string]any{}))
		}
		refused(name+" in upper case", good.with(func(a *attempt) {
			object := least(t, s).(map[string]any)
			object[strings.ToUpper(name)] = least(t, p)
			a.body = encode(t, object)
		}))
		switch kind(p) {
		case "integer":
			taken("the least "+name, set(name, *p.Minimum))
			taken("the most "+name, set(name, *p.Maximum))
			refused("less "+name, set(name, *p.Minimum-1))
			refused("more "+name, set(name, *p.Maximum+1))
			refused("half a "+name, set(name, 1.5))
			taken("an integer with a point as "+name, set(name, json.RawMessage("1.0")))
			taken("an integer with an exponent as "+name, set(name, json.RawMessage("1e1")))
		case "boolean":
			taken("true "+name, set(name, true))
			refused("1 as "+name, set(name, 1))
		case "array":
			checkArray(t, p, name, set, taken, refused)
		}
	}
}

func checkArray(t *testing.T, s *schema, name string, set func(string, any) attempt, taken, refused func(string, attempt)) {
	t.Helper()
	item := sample(t, s.Items, 5)
	taken("the most "+name, set(name, slices.Repeat([]string{item}, *s.MaxItems)))
	refused("more "+name, set(name, slices.Repeat([]string{item}, *s.MaxItems+1)))
	taken("the longest of "+name, set(name, []string{sample(t, s.Items, *s.Items.MaxLength)}))
	for _, longer := range samples(*s.Items.MaxLength + 1) {
		refused("a longer one of "+name, set(name, []string{longer}))
	}
	for _, text := range unusual {
		if !s.Items.allows(text) {
			refused(fmt.Sprintf("%q in %s", text, name), set(name, []string{text}))
		}
	}
}
