package main

import (
	"fmt"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// asFile returns the numbers and imports for AssemblyScript.
func asFile() file {
	var b strings.Builder
	b.WriteString("// " + header + "\n//\n" + wrap("// ", "// ",
		"The numbers of the ABI (abi/SPEC.md) and its host functions as they are. A function returns a size, a count or a time if that is "+
			"0 or more, and else a status: those listed with it, or one of "+
			asStatuses(abi.Function{Params: []abi.Param{{Name: "", Kind: abi.In}}}.Always())+". Pointers are addresses, lengths and capacities bytes.", width))
	writeASNumbers(&b, abi.Constants{Doc: "statuses", List: abi.Statuses()}, "i64")
	for _, group := range abi.Numbers() {
		writeASNumbers(&b, group, "u32")
	}
	for _, f := range abi.Functions() {
		b.WriteString("\n" + asDoc(f))
		fmt.Fprintf(&b, "@external(%q, %q)\n", abi.Module, f.Name)
		b.WriteString(wrap("export declare function "+asName(f)+"(", "  ", asParams(f)+"): i64;", width))
	}
	return file{"examples/counter-as/assembly/abi.ts", b.String()}
}

func writeASNumbers(b *strings.Builder, group abi.Constants, typ string) {
	b.WriteString("\n// " + strings.ToUpper(group.Doc[:1]) + group.Doc[1:] + ".\n")
	for _, c := range group.List {
		line := fmt.Sprintf("export const %s: %s = %d;", snake(c.Name), typ, c.Value)
		if c.Doc != "" {
			line = fmt.Sprintf("%-40s // %s", line, c.Doc)
		}
		b.WriteString(line + "\n")
	}
}

func asStatuses(list []abi.Status) string {
	var names []string
	for _, s := range list {
		names = append(names, snake(s.String()))
	}
	return strings.Join(names, ", ")
}

func asName(f abi.Function) string { return "raw" + camel(strings.Split(f.Name, "_")) }

func asDoc(f abi.Function) string {
	doc := f.Doc + " Returns: " + f.Result + "."
	if len(f.Errors) > 0 {
		doc += " Statuses: " + asStatuses(f.Errors) + "."
	}
	return comment("/** ", doc)
}

func asParams(f abi.Function) string {
	var list []string
	for _, p := range f.Params {
		name := lowerFirst(camel(strings.Split(p.Name, "_")))
		switch p.Kind {
		case abi.In, abi.Text:
			list = append(list, name+": usize, "+name+"Len: u32")
		case abi.Out:
			list = append(list, name+": usize, "+name+"Cap: u32")
		case abi.U32:
			list = append(list, name+": u32")
		case abi.S64:
			list = append(list, name+": i64")
		}
	}
	return strings.Join(list, ", ")
}

// asCallsFile returns a function for tests that makes any call by its number.
func asCallsFile() file {
	var b strings.Builder
	b.WriteString("// " + header + "\nimport * as raw from \"./abi\";\n\n")
	b.WriteString(comment("/** ", "call makes the host call of that number, counted from 0 in the order of the SPEC, with arguments as "+
		"they stand in WebAssembly."))
	b.WriteString("export function call(n: u32, a: StaticArray<i64>): i64 {\n  switch (n) {\n")
	for i, f := range abi.Functions() {
		fmt.Fprintf(&b, "    case %d: return raw.%s(%s);\n", i, asName(f), flatArgs(f, "<usize>a[%d]", "<u32>a[%d]", "a[%d]"))
	}
	b.WriteString("  }\n  unreachable();\n  return 0;\n}\n")
	return file{"host/e2e/testdata/scripts-as/calls.ts", b.String()}
}
