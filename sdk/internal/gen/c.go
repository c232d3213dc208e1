package main

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// cFile returns the numbers and imports for C.
func cFile() file {
	var b strings.Builder
	b.WriteString("/* " + header + "\n *\n" + wrap(" * ", " * ",
		"The numbers of the ABI and its host functions as they are, which wasmoor.h includes. A function returns a size, a count or "+
			"a time if that is 0 or more, and else a status: those listed with it, or one of "+cStatuses(abi.Function{Params: []abi.Param{{Name: "", Kind: abi.In}}}.Always())+".", width) + " */\n" +
		"#ifndef WASMOOR_ABI_H\n#define WASMOOR_ABI_H\n\n#include <stdint.h>\n\n")
	writeCEnum(&b, abi.Constants{Doc: "statuses", List: abi.Statuses()})
	for _, group := range abi.Numbers() {
		writeCEnum(&b, group)
	}
	fmt.Fprintf(&b, "#define WM_IMPORT(name) __attribute__((import_module(%q), import_name(#name)))\n", abi.Module)
	for _, f := range abi.Functions() {
		b.WriteString("\n" + cDoc(f) + "WM_IMPORT(" + f.Name + ")\n")
		b.WriteString(strings.TrimSuffix(wrap("int64_t wm_raw_"+f.Name+"(", "    ", cParams(f)+");", width), "\n") + "\n")
	}
	b.WriteString("\n#endif\n")
	return file{"sdk/c/wasmoor_abi.h", b.String()}
}

func writeCEnum(b *strings.Builder, group abi.Constants) {
	b.WriteString("/* " + strings.ToUpper(group.Doc[:1]) + group.Doc[1:] + ". */\nenum {\n")
	for _, c := range group.List {
		line := fmt.Sprintf("    WM_%s = %d,", snake(c.Name), c.Value)
		if c.Doc != "" {
			line = fmt.Sprintf("%-28s /* %s */", line, c.Doc)
		}
		b.WriteString(line + "\n")
	}
	b.WriteString("};\n\n")
}

func cStatuses(list []abi.Status) string {
	var names []string
	for _, s := range list {
		names = append(names, "WM_"+snake(s.String()))
	}
	return strings.Join(names, ", ")
}

func cDoc(f abi.Function) string {
	doc := f.Doc + " Returns: " + f.Result + "."
	if len(f.Errors) > 0 {
		doc += " Statuses: " + cStatuses(f.Errors) + "."
	}
	return comment("/* ", doc)
}

func cParams(f abi.Function) string {
	var list []string
	for _, p := range f.Params {
		switch p.Kind {
		case abi.In, abi.Text:
			list = append(list, fmt.Sprintf("const void *%s, uint32_t %s_len", p.Name, p.Name))
		case abi.Out:
			list = append(list, fmt.Sprintf("void *%s, uint32_t %s_cap", p.Name, p.Name))
		case abi.U32:
			list = append(list, "uint32_t "+p.Name)
		case abi.S64:
			list = append(list, "int64_t "+p.Name)
		}
	}
	if len(list) == 0 {
		return "void"
	}
	return strings.Join(list, ", ")
}

// cCallsFile returns a function for tests that makes any call by its number.
func cCallsFile() file {
	var b strings.Builder
	b.WriteString("/* " + header + "\n *\n" + wrap(" * ", " * ",
		"call makes the host call of that number, counted from 0 in the order of the SPEC, with arguments as they stand in WebAssembly.", width) + " */\n")
	b.WriteString("#define P(i) ((void *)(uintptr_t)(uint32_t)a[i])\n#define U(i) ((uint32_t)a[i])\n\n")
	b.WriteString("static int64_t call(uint8_t function, const int64_t *a) {\n    switch (function) {\n")
	for i, f := range abi.Functions() {
		fmt.Fprintf(&b, "    case %d: return wm_raw_%s(%s);\n", i, f.Name, flatArgs(f, "P(%d)", "U(%d)", "a[%d]"))
	}
	b.WriteString("    }\n    __builtin_trap();\n}\n")
	return file{"sdk/c/testdata/calls.h", b.String()}
}

// flatArgs are the WebAssembly arguments of f, by their index, as a pointer, a
// u32 or an i64.
func flatArgs(f abi.Function, pointer, u32, i64 string) string {
	var list []string
	add := func(form string) { list = append(list, fmt.Sprintf(form, len(list))) }
	for _, p := range f.Params {
		switch p.Kind {
		case abi.In, abi.Text, abi.Out:
			add(pointer)
			add(u32)
		case abi.U32:
			add(u32)
		case abi.S64:
			add(i64)
		}
	}
	return strings.Join(list, ", ")
}
