package manifest

import "mime"

// maxExport bounds the name of an export, in bytes.
const maxExport = 256

// extismManifest refuses the manifest of Extism's own format, which names files
// and URLs that nobody here fetches.
func (r *reader) extismManifest(t Table) bool {
	if !t.Has("wasm") || t.Has("manifest_version") {
		return false
	}
	t.Fail("wasm", `this is a manifest of Extism, which names modules by file or URL; this host fetches none: translate it for the one module with: wasmoor pack MODULE.wasm --extism FILE --name NAME -o packed.wasm`)
	return true
}

// export reads what a route calls, which is what sets the ABIs apart: a module
// of the native one has a single handler.
func (r *reader) export(t Table, abi string, route *Route) {
	route.Export = t.exportName("export")
	route.Handler = t.exportName("handler")
	route.ContentType = t.mediaType("content_type")
	if abi != ABIExtism {
		for _, key := range []string{"export", "handler", "content_type"} {
			if t.Has(key) {
				t.Fail(key, `it needs abi = "extism"`)
			}
		}
		return
	}
	switch {
	case t.Has("export") == t.Has("handler"):
		t.Fail("export", `write one of export = "NAME" (request body in, response body out) and handler = "NAME" (request and response as JSON)`)
	case t.Has("handler") && t.Has("content_type"):
		t.Fail("content_type", "a handler sets the content-type itself, among its headers")
	}
}

func (t Table) exportName(key string) string {
	name, ok := t.String(key)
	if ok && (name == "" || len(name) > maxExport) {
		t.Fail(key, "use the name of an exported function, 1 to %d bytes", maxExport)
	}
	return name
}

func (t Table) mediaType(key string) string {
	text, ok := t.String(key)
	if !ok {
		return ""
	}
	kind, params, err := mime.ParseMediaType(text)
	if err != nil || mime.FormatMediaType(kind, params) == "" {
		t.Fail(key, "%q is not a media type: write e.g. \"application/json\"", shorten(text))
		return ""
	}
	return mime.FormatMediaType(kind, params)
}
