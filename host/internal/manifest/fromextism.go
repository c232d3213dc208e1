package manifest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// extismDocument is Extism's own manifest
// (https://github.com/extism/extism, manifest/schema.json).
type extismDocument struct {
	Wasm []struct {
		Path    string            `json:"path"`
		URL     string            `json:"url"`
		Data    json.RawMessage   `json:"data"`
		Hash    string            `json:"hash"`
		Name    string            `json:"name"`
		Method  string            `json:"method"`
		Headers map[string]string `json:"headers"`
	} `json:"wasm"`
	Memory struct {
		MaxPages     int64 `json:"max_pages"`
		MaxHTTPBytes int64 `json:"max_http_response_bytes"`
		MaxVarBytes  int64 `json:"max_var_bytes"` // the host has a bound of its own
	} `json:"memory"`
	Config       map[string]string `json:"config"`
	AllowedHosts []string          `json:"allowed_hosts"`
	AllowedPaths map[string]string `json:"allowed_paths"`
	TimeoutMS    int64             `json:"timeout_ms"`
}

// maxPages is how many pages a memory of WebAssembly has at most.
const maxPages = 1 << 16

// FromExtism translates a manifest of Extism's own format into the text of one
// of ours, for the one module it is about: nothing it names is fetched or read.
// Each of exports becomes a route, POST /EXPORT. Errors are Invalid, in the terms
// of that format, and name what has no counterpart: more than one module, file
// paths, another module's hash. sections are as in Parse.
func FromExtism(text, module []byte, name string, exports []string, sections []Section) ([]byte, error) {
	d, err := readExtism(text)
	if err != nil {
		return nil, err
	}
	if err := d.check(module); err != nil {
		return nil, err
	}
	if len(exports) == 0 {
		return nil, badExtism("the module exports no function that Extism calls, which has no parameters and returns nothing or one number")
	}
	tree, err := d.translate(name, exports)
	if err != nil {
		return nil, err
	}
	out, err := toml.Marshal(tree)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "", "the translated manifest cannot be written", err)
	}
	return out, checkTranslation(out, sections)
}

func readExtism(text []byte) (*extismDocument, error) {
	d := &extismDocument{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(d)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return d, nil
		}
		err = errors.New("something follows the object")
	}
	return nil, fault.New(fault.Invalid, "", "the manifest of Extism cannot be read: "+whyNotExtism(err))
}

// whyNotExtism says what is wrong with the JSON, without the names of Go types.
func whyNotExtism(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := "the manifest"
		if wrong.Field != "" {
			where = wrong.Field
		}
		return fmt.Sprintf("%s: it must be %s, not the JSON %s", where, jsonForm(wrong.Type), wrong.Value)
	}
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends in the middle"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func jsonForm(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.String:
		return "a string"
	}
	return "a whole number"
}

// checkTranslation reads a translation as a host will. Its author knows nothing
// of its lines and keys, so a problem is told by those of the original.
func checkTranslation(out []byte, sections []Section) error {
	doc, syntax := read(out, FileName)
	if syntax != nil {
		return fault.New(fault.Internal, "", "the translated manifest cannot be read: "+syntax.text)
	}
	r := &reader{document: doc, sections: sections}
	r.manifest()
	if len(r.problems) == 0 {
		return nil
	}
	var lines []string
	for _, p := range r.problems[:min(len(r.problems), maxProblems)] {
		lines = append(lines, extismKeys.Replace(p.key)+": "+p.text)
	}
	return badExtism("%s", strings.Join(lines, "\n"))
}

// extismKeys turns our keys into Extism's; config.NAME is the same in both.
var extismKeys = strings.NewReplacer(
	"limits.memory", "memory.max_pages",
	"limits.deadline", "timeout_ms",
	"outbound.response_body", "memory.max_http_response_bytes",
	"outbound.allow", "allowed_hosts",
)

func (d *extismDocument) check(module []byte) error {
	digest := plugin.DigestOf(module).Hex()
	switch {
	case len(d.Wasm) > 1:
		return badExtism("it names %d modules; this host runs one: link them into one, or deploy each by itself", len(d.Wasm))
	case len(d.AllowedPaths) > 0:
		return badExtism("allowed_paths gives files, which no plugin gets here; remove it")
	case d.Memory.MaxPages < 0 || d.Memory.MaxPages > maxPages:
		return badExtism("memory.max_pages: %d is not 0 to %d", d.Memory.MaxPages, maxPages)
	case d.TimeoutMS < 0:
		return badExtism("timeout_ms: %d is below 0", d.TimeoutMS)
	}
	for _, w := range d.Wasm {
		if _, err := hex.DecodeString(w.Hash); err != nil || w.Hash != "" && !strings.EqualFold(w.Hash, digest) {
			return badExtism("its hash %.80q is not that of the module, %s", w.Hash, digest)
		}
	}
	return nil
}

// translate returns our manifest as a tree.
func (d *extismDocument) translate(name string, exports []string) (map[string]any, error) {
	tree := map[string]any{"manifest_version": FormatVersion, "name": name, "abi": ABIExtism}
	var routes []map[string]any
	for _, export := range slices.Sorted(slices.Values(exports)) {
		routes = append(routes, map[string]any{"pattern": "POST /" + export, "export": export})
	}
	tree["route"] = routes
	if limits := d.limits(); len(limits) > 0 {
		tree["limits"] = limits
	}
	if len(d.Config) > 0 {
		config := map[string]any{}
		for key, value := range d.Config {
			config[key] = map[string]any{"default": value}
		}
		tree["config"] = config
	}
	if len(d.AllowedHosts) == 0 {
		return tree, nil
	}
	allow, err := d.origins()
	if err != nil {
		return nil, err
	}
	outbound := map[string]any{"allow": allow}
	if d.Memory.MaxHTTPBytes > 0 { // -1 is Extism's default
		outbound["response_body"] = d.Memory.MaxHTTPBytes
	}
	tree["outbound"] = outbound
	return tree, nil
}

func (d *extismDocument) limits() map[string]any {
	limits := map[string]any{}
	if d.Memory.MaxPages > 0 {
		limits["memory"] = limit.FormatSize(d.Memory.MaxPages * page)
	}
	if d.TimeoutMS > 0 {
		limits["deadline"] = fmt.Sprintf("%dms", d.TimeoutMS)
	}
	return limits
}

// origins returns what allowed_hosts names, by https.
func (d *extismDocument) origins() (allow []string, err error) {
	for i, host := range d.AllowedHosts {
		switch {
		case host == "*":
			return nil, badExtism(`allowed_hosts[%d]: "*" is every host; name those the plugin calls`, i)
		case strings.Contains(host, "/"):
			return nil, badExtism("allowed_hosts[%d]: %.80q is no host; write it without scheme and path", i, host)
		}
		allow = append(allow, "https://"+host)
	}
	return allow, nil
}

func badExtism(format string, args ...any) error {
	return fault.New(fault.Invalid, "", "the manifest of Extism cannot be translated: "+fmt.Sprintf(format, args...))
}
