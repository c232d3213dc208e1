package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

const specName = "abi/SPEC.md"

// specFile returns SPEC.md with its tables of statuses and functions, which
// stand between comments, in place of what is there.
func specFile(root string) (file, error) {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(specName)))
	if err != nil {
		return file{}, err
	}
	text := string(data)
	for mark, table := range map[string]string{"statuses": specStatuses(), "functions": specFunctions()} {
		begin, end := "<!-- generated: "+mark+" -->\n", "<!-- end: "+mark+" -->\n"
		before, rest, found := strings.Cut(text, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			return file{}, fmt.Errorf("%s has no place for the %s", specName, mark)
		}
		text = before + begin + table + end + after
	}
	return file{specName, text}, nil
}

func specStatuses() string {
	var b strings.Builder
	b.WriteString("| status | name | meaning |\n|---|---|---|\n")
	for _, s := range abi.Statuses() {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", s.Value, s.Name, s.Doc)
	}
	return b.String()
}

func specFunctions() string {
	var b strings.Builder
	b.WriteString("| function | parameters | WebAssembly type | result | other statuses |\n|---|---|---|---|---|\n")
	for _, f := range abi.Functions() {
		var statuses []string
		for _, s := range f.Errors {
			statuses = append(statuses, s.String())
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n",
			f.Name, specParams(f), specSignature(f), f.Result, strings.Join(statuses, ", "))
	}
	return strings.ReplaceAll(b.String(), "|  |", "| |")
}

func specParams(f abi.Function) string {
	kinds := map[abi.Kind]string{abi.In: "in", abi.Text: "in", abi.Out: "out", abi.U32: "u32", abi.S64: "s64"}
	var list []string
	for _, p := range f.Params {
		list = append(list, p.Name+": "+kinds[p.Kind])
	}
	return strings.Join(list, ", ")
}

func specSignature(f abi.Function) string {
	types := map[abi.Type]string{abi.I32: "i32", abi.I64: "i64"}
	var list []string
	for _, t := range f.Types() {
		list = append(list, types[t])
	}
	return "(" + strings.Join(list, ", ") + ") -> i64"
}
