package manifest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/wasmoor/wasmoor/host/internal/fault"
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

// FromExtism translates a manifest of Extism's own format into the text of one
// of ours, for the one module it is about: nothing it names is fetched or read.
// Each of exports becomes a route, POST /EXPORT. Errors are Invalid and name what
// has no counterpart: more than one module, file paths, another module's hash.
func FromExtism(text, module []byte, name string, exports []string) ([]byte, error) {
	var d extismDocument
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, fault.Wrap(fault.Invalid, "", "the manifest of Extism cannot be read: "+err.Error(), err)
	}
	if err := d.check(module); err != nil {
		return nil, err
	}
	tree, err := d.translate(name, exports)
	if err != nil {
		return nil, err
	}
	out, err := toml.Marshal(tree)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "", "the translated manifest cannot be written", err)
	}
	_, err = Parse(out, FileName)
	return out, err
}

func (d *extismDocument) check(module []byte) error {
	digest := plugin.DigestOf(module).Hex()
	switch {
	case len(d.Wasm) > 1:
		return badExtism("it names %d modules; this host runs one: link them into one, or deploy each by itself", len(d.Wasm))
	case len(d.AllowedPaths) > 0:
		return badExtism("allowed_paths gives files, which no plugin gets here; remove it")
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
	limits := map[string]any{}
	if d.Memory.MaxPages > 0 {
		limits["memory"] = d.Memory.MaxPages * 64 << 10
	}
	if d.TimeoutMS > 0 {
		limits["deadline"] = fmt.Sprintf("%dms", d.TimeoutMS)
	}
	tree["limits"] = limits
	config := map[string]any{}
	for key, value := range d.Config {
		config[key] = map[string]any{"default": value}
	}
	tree["config"] = config
	if len(d.AllowedHosts) == 0 {
		return tree, nil
	}
	outbound := map[string]any{}
	var allow []string
	for _, host := range d.AllowedHosts {
		if host == "*" {
			return nil, badExtism(`allowed_hosts has "*"; name the hosts the plugin calls`)
		}
		allow = append(allow, "https://"+host)
	}
	outbound["allow"] = allow
	if d.Memory.MaxHTTPBytes > 0 {
		outbound["response_body"] = d.Memory.MaxHTTPBytes
	}
	tree["outbound"] = outbound
	return tree, nil
}

func badExtism(format string, args ...any) error {
	return fault.New(fault.Invalid, "", "the manifest of Extism cannot be translated: "+fmt.Sprintf(format, args...))
}
