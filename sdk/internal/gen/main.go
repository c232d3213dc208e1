// Command gen writes the bindings of the host functions in each language, and
// their table in SPEC.md, from the lists of package abi. go generate runs it in
// the folder of that package. Its output has no hand-written parts, and depends
// on the lists alone.
package main

import (
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// moduleRoot is seen from the folder of package abi, where go generate runs the
// command.
const moduleRoot = ".."

// width is how long a line of C or AssemblyScript may be.
const width = 118

const header = "Code generated from the lists of package abi by go generate. DO NOT EDIT."

func main() {
	log.SetFlags(0)
	files, err := generate(moduleRoot)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(moduleRoot, f.name), []byte(f.text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// file is one that is written: its path from the root of the module, and all of
// its text.
type file struct{ name, text string }

// generate returns every file that the lists decide.
func generate(root string) ([]file, error) {
	files, err := goFiles()
	if err != nil {
		return nil, err
	}
	spec, err := specFile(root)
	if err != nil {
		return nil, err
	}
	return append(files, cFile(), cCallsFile(), asFile(), asCallsFile(), spec), nil
}

// camel writes words as CamelCase, with initialisms of Go where it is upper.
func camel(words []string, initialisms ...string) string {
	var b strings.Builder
	for _, w := range words {
		upper := strings.ToUpper(w)
		switch {
		case slices.Contains(initialisms, upper):
			b.WriteString(upper)
		default:
			b.WriteString(upper[:1] + w[1:])
		}
	}
	return b.String()
}

// lowerFirst writes a name or a sentence with a small first letter.
func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// snake writes words in capitals with underscores between them.
func snake(words string) string { return strings.ToUpper(strings.ReplaceAll(words, " ", "_")) }

// comment wraps text as a comment between /* or /** and */.
func comment(start, text string) string {
	return strings.TrimSuffix(wrap(start, " * ", text, width-len(" */")), "\n") + " */\n"
}

// wrap breaks text into lines of at most width bytes, the first after prefix and
// the others after indent.
func wrap(prefix, indent, text string, width int) string {
	var b strings.Builder
	line := prefix
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == prefix || line == indent:
			line += word
		case len(line)+1+len(word) > width:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}
