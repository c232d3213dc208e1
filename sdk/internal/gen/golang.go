package main

import (
	"fmt"
	"go/format"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

const hostcall = "sdk/internal/hostcall/"

// goFiles returns the parts of package hostcall that the list decides: the
// interface of a native host, the functions that ask it, and the imports of a
// guest.
func goFiles() ([]file, error) {
	var files []file
	for _, f := range []struct {
		name, constraint string
		body             func(abi.Function) string
		before, after    string
	}{
		{"generated.go", "", goMethod, goInterface, "}\n"},
		{"generated_native.go", "!wasip1", goAsk, "", ""},
		{"generated_wasip1.go", "wasip1", goImport, "import \"unsafe\"\n", ""},
	} {
		var b strings.Builder
		b.WriteString("// " + header + "\n\n")
		if f.constraint != "" {
			b.WriteString("//go:build " + f.constraint + "\n\n")
		}
		b.WriteString("package hostcall\n\n" + f.before)
		for _, fn := range abi.Functions() {
			b.WriteString(f.body(fn))
		}
		text, err := format.Source([]byte(b.String() + f.after))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		files = append(files, file{hostcall + f.name, string(text)})
	}
	return files, nil
}

const goInterface = `// Host answers the host functions in a native test. The methods mean what the
// functions of the same name do; slices are valid within the call only.
type Host interface {
`

func goName(f abi.Function) string { return camel(strings.Split(f.Name, "_"), "KV", "HTTP", "SQL") }

func goParam(p abi.Param) string {
	return lowerFirst(camel(strings.Split(p.Name, "_"), "MS"))
}

// goTypes are what a caller passes for a parameter.
var goTypes = map[abi.Kind]string{
	abi.In: "[]byte", abi.Text: "string", abi.Out: "[]byte", abi.U32: "uint32", abi.S64: "int64",
}

func goParams(f abi.Function) string {
	var list []string
	for _, p := range f.Params {
		list = append(list, goParam(p)+" "+goTypes[p.Kind])
	}
	return strings.Join(list, ", ")
}

func goArgs(f abi.Function) string {
	var list []string
	for _, p := range f.Params {
		list = append(list, goParam(p))
	}
	return strings.Join(list, ", ")
}

// goDoc is the comment of a function.
func goDoc(f abi.Function) string {
	doc := goName(f) + " " + lowerFirst(f.Doc) + " It returns: " + f.Result + "."
	if len(f.Errors) > 0 {
		var names []string
		for _, s := range f.Errors {
			names = append(names, "abi."+camel(strings.Fields(s.String())))
		}
		doc += " Errors: " + strings.Join(names, ", ") + "."
	}
	return wrap("// ", "// ", doc, 80)
}

func goMethod(f abi.Function) string {
	return goDoc(f) + fmt.Sprintf("%s(%s) int64\n", goName(f), goParams(f))
}

func goAsk(f abi.Function) string {
	return fmt.Sprintf("\n%sfunc %s(%s) int64 {\nreturn ask(func(h Host) int64 { return h.%s(%s) })\n}\n",
		goDoc(f), goName(f), goParams(f), goName(f), goArgs(f))
}

// goImport is the import, which takes bytes as a pointer and a length, and the
// function around it. The host keeps no pointer, so that nothing escapes.
func goImport(f abi.Function) string {
	var params, args []string
	var before strings.Builder
	ranges := false
	for _, p := range f.Params {
		name := goParam(p)
		switch p.Kind {
		case abi.In, abi.Out:
			params = append(params, fmt.Sprintf("%s unsafe.Pointer, %sLen uint32", name, name))
			fmt.Fprintf(&before, "%sPtr, %sLen := pointer(%s)\n", name, name, name)
			args = append(args, name+"Ptr", name+"Len")
		default:
			params = append(params, name+" "+goTypes[p.Kind])
			args = append(args, name)
		}
		ranges = ranges || p.Kind == abi.In || p.Kind == abi.Out || p.Kind == abi.Text
	}
	raw := lowerFirst(goName(f))
	if strings.HasPrefix(goName(f), "KV") || strings.HasPrefix(goName(f), "HTTP") || strings.HasPrefix(goName(f), "SQL") {
		raw = lowerFirst(camel(strings.Split(f.Name, "_")))
	}
	noescape := ""
	if ranges {
		noescape = "//go:noescape\n"
	}
	return fmt.Sprintf("\n//go:wasmimport %s %s\n%sfunc %s(%s) int64\n\n%sfunc %s(%s) int64 {\n%sreturn %s(%s)\n}\n",
		abi.Module, f.Name, noescape, raw, strings.Join(params, ", "),
		goDoc(f), goName(f), goParams(f), before.String(), raw, strings.Join(args, ", "))
}
