package abi

import (
	"encoding/hex"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func spec(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// table returns the cells of the rows of the table under header.
func table(t *testing.T, text, header string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut(text, header+"\n|---")
	if !found {
		t.Fatalf("SPEC.md has no table %q", header)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	var rows [][]string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestSpecListsTheFunctions(t *testing.T) {
	rows := table(t, spec(t), "| function | parameters | WebAssembly type | result | other statuses |")
	functions := Functions()
	for i := range max(len(rows), len(functions)) {
		if i >= len(rows) || i >= len(functions) {
			t.Fatalf("SPEC.md lists %d functions, the package %d", len(rows), len(functions))
		}
		f := functions[i]
		want := []string{"`" + f.Name + "`", parameters(f), "`" + signature(f) + "`"}
		if got := rows[i][:3]; !slices.Equal(got, want) {
			t.Errorf("row %d of SPEC.md is %q, want %q", i+1, got, want)
		}
	}
}

func parameters(f Function) string {
	kinds := map[Kind]string{In: "in", Text: "in", Out: "out", U32: "u32", S64: "s64"}
	var list []string
	for _, p := range f.Params {
		list = append(list, p.Name+": "+kinds[p.Kind])
	}
	return strings.Join(list, ", ")
}

func signature(f Function) string {
	var list []string
	for _, typ := range f.Types() {
		list = append(list, map[Type]string{I32: "i32", I64: "i64"}[typ])
	}
	return "(" + strings.Join(list, ", ") + ") -> i64"
}

// TestSpecExplainsTheFunctions finds a paragraph for each, and no status in the
// table that does not exist.
func TestSpecExplainsTheFunctions(t *testing.T) {
	text := spec(t)
	names := map[string]bool{"": true}
	for _, row := range table(t, text, "| status | name | meaning |") {
		names[row[1]] = true
	}
	for _, row := range table(t, text, "| function | parameters | WebAssembly type | result | other statuses |") {
		name := strings.Trim(row[0], "`")
		if !strings.Contains(text, "\n**`"+name+"(") {
			t.Errorf("SPEC.md does not explain %s", name)
		}
		for status := range strings.SplitSeq(row[4], ", ") {
			if !names[status] {
				t.Errorf("%s returns %q, which is no status", name, status)
			}
		}
	}
}

func TestSpecListsTheStatuses(t *testing.T) {
	rows := table(t, spec(t), "| status | name | meaning |")
	if len(rows) != len(statusNames) {
		t.Errorf("SPEC.md lists %d statuses, the package %d", len(rows), len(statusNames))
	}
	for i, row := range rows {
		if want := Status(-i); row[0] != strconv.Itoa(-i) || row[1] != want.String() {
			t.Errorf("row %d of SPEC.md is %q, want %d %v", i+1, row[:2], -i, want)
		}
	}
	if got, want := Unreachable, Status(1-len(statusNames)); got != want {
		t.Errorf("the last status is %d, want %d", got, want)
	}
	for _, s := range []Status{1, Unreachable - 1, -1 << 63} {
		if s.String() != "unknown status" {
			t.Errorf("Status(%d) = %q", int64(s), s)
		}
	}
}

func TestSpecListsTheExports(t *testing.T) {
	rows := table(t, spec(t), "| export | type | |")
	var got []string
	for _, row := range rows {
		got = append(got, strings.Trim(row[0], "`"))
	}
	if want := []string{ExportMemory, ExportHandle, ExportInitialize}; !slices.Equal(got, want) {
		t.Errorf("SPEC.md lists the exports %q, want %q", got, want)
	}
	for _, name := range []string{Module, ManifestSection} {
		if !strings.Contains(spec(t), "`"+name+"`") {
			t.Errorf("SPEC.md does not name %s", name)
		}
	}
}

// TestSpecExamples compares the bytes shown with the vectors.
func TestSpecExamples(t *testing.T) {
	const mark = "<!-- vector: "
	examples := strings.Split(spec(t), mark)[1:]
	if len(examples) < 3 {
		t.Fatalf("SPEC.md shows %d examples", len(examples))
	}
	for _, example := range examples {
		name, rest, _ := strings.Cut(example, " -->\n```\n")
		block, _, _ := strings.Cut(rest, "```")
		layout, item, _ := strings.Cut(name, "/")
		list := vectors(t, layout)
		i := slices.IndexFunc(list, func(v vector) bool { return v.Name == item })
		if i < 0 {
			t.Errorf("SPEC.md shows %s, which is no vector", name)
			continue
		}
		if got := dump(t, block); got != list[i].Hex {
			t.Errorf("SPEC.md shows %s as %s, want %s", name, got, list[i].Hex)
		}
	}
}

// dump returns the hex digits in the first 60 columns of each line.
func dump(t *testing.T, block string) string {
	t.Helper()
	var digits string
	for line := range strings.Lines(block) {
		digits += strings.ReplaceAll(line[:min(60, len(line))], " ", "")
	}
	if _, err := hex.DecodeString(digits); err != nil {
		t.Fatalf("SPEC.md shows %q: %v", digits, err)
	}
	return digits
}

// TestImports keeps guests small: what is imported here is in each of them.
// fmt, reflect, encoding/* and net/* would multiply their size.
func TestImports(t *testing.T) {
	allowed := map[string][]string{
		".":       nil,
		"limits":  nil,
		"field":   {"slices", "strings", "github.com/wasmoor/wasmoor/abi"},
		"pattern": {"slices", "strconv", "strings", "unicode", "github.com/wasmoor/wasmoor/abi"},
	}
	for dir, want := range allowed {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				if !slices.Contains(want, path) {
					t.Errorf("%s imports %s; every guest would carry it", file, path)
				}
			}
		}
	}
}
