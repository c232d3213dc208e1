package hostile

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"strings"
)

// strangers are files that are no modules.
func strangers() []Module {
	honest := func() []byte { return guest().bytes() }
	file := func(text string) func() []byte { return func() []byte { return []byte(text) } }
	all := []Module{
		{Name: "nothing", Make: file("")},
		{Name: "a header alone, cut short", Make: file(header[:7])},
		{Name: "a header alone", Make: file(header)},
		{Name: "a component", Make: file("\x00asm\x0d\x00\x01\x00")},
		{Name: "version 2", Make: file("\x00asm\x02\x00\x00\x00")},
		{Name: "the text format", Make: file("(module (memory (export \"memory\") 1))")},
		{Name: "a shell script", Make: file("#!/bin/sh\nexec rm -rf /\n")},
		{Name: "an ELF file", Make: file("\x7fELF\x02\x01\x01" + many(1000, "\x00"))},
		{Name: "JSON", Make: file(`{"wasm":[{"path":"/etc/passwd"},{"url":"http://169.254.169.254/"}]}`)},
		{Name: "JSON, deep", Make: file(many(1<<20, "["))},
		{Name: "a module in gzip", Make: func() []byte { return gzipped(honest()) }},
		{Name: "a bomb in gzip", Make: func() []byte { return gzipped(make([]byte, 256<<20)) }},
		{Name: "a module in a zip archive", Make: func() []byte { return zipped("../../etc/module.wasm", honest()) }},
		{Name: "a module behind a byte order mark", Make: func() []byte { return append([]byte("\xef\xbb\xbf"), honest()...) }},
		{Name: "a module and rubbish", Make: func() []byte { return append(honest(), "rubbish"...) }},
		{Name: "two modules", Make: func() []byte { return append(honest(), honest()...) }},
		{Name: "spaces", Make: file(many(1<<20, " "))},
		{Name: "escapes of a terminal", Make: file("\x1b]0;owned\x07\x1b[2J")},
		{Name: "random bytes", Make: func() []byte { return random(1, 1<<16) }},
		{Name: "random bytes behind a header", Make: func() []byte { return append([]byte(header), random(2, 1<<16)...) }},
		{Name: "random code", Make: func() []byte { return guest().function(toNone, none, string(random(3, 1<<16))).bytes() }},
		{Name: "a module with a bit in eight turned", Make: func() []byte {
			b := honest()
			for i, mask := range random(4, len(b)) {
				b[i] ^= mask & 1
			}
			return b
		}},
	}
	for i := range all {
		all[i].Upload = invalid
	}
	return all
}

// random returns n bytes that are the same each time.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // it never fails
	return b
}

func gzipped(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(data) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func zipped(name string, data []byte) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	if file, err := w.Create(name); err == nil {
		_, _ = file.Write(data) // a buffer takes everything
	}
	_ = w.Close()
	return out.Bytes()
}

// customs are modules with custom sections that pretend.
func customs() []Module {
	after := func(sections string) func() []byte {
		return func() []byte {
			p := guest()
			p.after = sections
			return p.bytes()
		}
	}
	deep := strings.Repeat("[", 100_000)
	name := func(subsections string) string { return custom("name", subsections) }
	return []Module{
		{Name: "two manifests", Upload: invalid, Says: "two sections", Make: after(manifest() + manifest("[kv]"))},
		{Name: "a huge manifest", Upload: tooLarge, Says: "maximum", Make: after(manifest("# " + many(4<<20, "x")))},
		{Name: "a manifest of deep arrays", Upload: invalid, Says: "", Make: after(manifest("x = " + deep))},
		{Name: "a manifest of deep tables", Upload: invalid, Says: "", Make: after(manifest("[" + many(20_000, "a.") + "a]"))},
		{Name: "a manifest of many keys", Upload: tooLarge, Says: "maximum", Make: after(manifest(each(50_000, func(i int) string { return "k" + many(i%7+1, "x") + u(i%128) + " = 1\n" })))},
		{Name: "a manifest in gzip", Upload: invalid, Says: "", Make: after(custom("wasmoor:manifest", string(gzipped([]byte(manifest())))))},
		{Name: "a manifest of NULs", Upload: invalid, Says: "", Make: after(manifest(many(1000, "\x00")))},
		{Name: "a manifest that escapes", Upload: invalid, Says: "", Make: after(manifest("\"\\u001b[2J\" = 1"))},
		{Name: "a manifest of another plugin's", Upload: invalid, Says: "", Make: after(strings.ReplaceAll(manifest(), "hostile", "neighbour"))},
		{Name: "a manifest whose name is a path", Upload: invalid, Says: "name", Make: after(strings.ReplaceAll(manifest(), "hostile", "../../x"))},
		{Name: "a manifest that wants all memory", Upload: invalid, Says: "memory", Make: after(manifest("[limits]", `memory = "4TiB"`))},
		{Name: "a manifest with numbers out of range", Upload: invalid, Says: "", Make: after(manifest("[limits]", "concurrency = 99999999999999999999"))},
		{Name: "a section of the host's name", Upload: taken, Request: served, Make: after(custom("wasmoor:global:0", "x") + custom("wasmoor:start-section", "x"))},
		{Name: "1,000 sections", Upload: taken, Request: served, Make: after(many(1000, custom("x", "y")))},
		{Name: "a section of 32 MiB", Upload: taken, Request: served, Make: after(custom("x", many(32<<20, "y")))},
		{Name: "a section whose name is a file", Upload: taken, Request: served, Make: after(custom("../../../../etc/passwd\x00.wasm", "x"))},
		{Name: "a section whose name is not UTF-8", Upload: invalid, Says: "UTF-8", Make: after(custom("\xff\xfe", "x"))},
		{Name: "names of functions that are not there", Upload: taken, Request: served, Make: after(name("\x01" + text(vec(u(1<<31)+text("x")))))},
		{Name: "4,000,000,000 names", Upload: costly, Make: after(name("\x01" + text("\xff\xff\xff\xff\x0f")))},
		{Name: "names that lie about their length", Upload: costly, Make: after(name("\x01" + text("\x01\x00\xff\xff\xff\xff\x0fx")))},
		{Name: "names of 1 MiB", Upload: taken, Request: served, Make: after(name("\x00" + text(text(many(1<<20, "n"))) + "\x01" + text(vec("\x00"+text(many(1<<20, "f"))))))},
		{Name: "names of locals without end", Upload: costly, Make: after(name("\x02" + text(vec(items(50_000, "\x00"+vec(items(20, "\x00\x01x")...))...))))},
		{Name: "names of unknown things", Upload: taken, Request: served, Make: after(name(many(100_000, "\x7f\x01x")))},
		{Name: "lines for a debugger that lie", Upload: taken, Request: served, Make: after(many(1, custom(".debug_info", many(1<<20, "\xff")), custom(".debug_line", many(1<<20, "\xff")), custom(".debug_abbrev", many(1<<20, "\xff")), custom(".debug_str", ""), custom(".debug_ranges", many(1<<20, "\xff"))))},
	}
}
