package manifest

import (
	"bytes"
	"errors"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Bounds of keys, far above what any manifest has: paths are built from them, so
// that without bounds a small text makes gigabytes of paths.
const (
	maxDepth = 8
	maxKey   = 64 // bytes
)

// document is a manifest's text as a tree of map[string]any, []any, string,
// bool, int64, float64 and others, the same for TOML and JSON, and the place of
// each key by its path.
type document struct {
	file   string
	json   bool
	root   map[string]any
	places map[string]position
}

// read parses the syntax of data. Problems are those of the syntax.
func read(data []byte, file string) (*document, *problem) {
	if strings.EqualFold(filepath.Ext(file), ".json") || bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return readJSON(data, file)
	}
	return readTOML(data, file)
}

func readTOML(data []byte, file string) (*document, *problem) {
	index := tomlIndex{places: map[string]position{}, lines: lineStarts(data), arrays: map[string]int{}}
	if p := index.read(data); p != nil {
		return nil, p
	}
	doc := &document{file: file, root: map[string]any{}, places: index.places}
	if err := toml.Unmarshal(data, &doc.root); err != nil {
		return nil, tomlProblem(err, data)
	}
	return doc, nil
}

func tomlProblem(err error, data []byte) *problem {
	p := &problem{text: strings.TrimPrefix(err.Error(), "toml: ")}
	if de, ok := errors.AsType[*toml.DecodeError](err); ok {
		p.at.line, p.at.column = de.Position()
		p.text += syntaxMeant(p.text, lineAt(data, p.at.line))
	}
	return p
}

// syntaxMeant says what to write in place of a line that the decoder refuses.
func syntaxMeant(says, line string) string {
	for _, of := range []string{"start of value", "must be quoted", "expected '=' after key"} {
		if meant := lineMeant(line); strings.Contains(says, of) && meant != "" {
			return "; write " + meant
		}
	}
	return ""
}

// lineAt returns the line with a number, counted from 1, without its end.
func lineAt(data []byte, number int) string {
	for line := range bytes.Lines(data) {
		if number--; number == 0 {
			return strings.TrimRight(string(line), "\r\n")
		}
	}
	return ""
}

// join returns the path of key below path. A key that is not bare is quoted, so
// that different keys have different paths.
func join(path, key string) string {
	if !bare(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func bare(key string) bool {
	for i := range len(key) {
		c := key[i]
		alnum := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !alnum && c != '-' && c != '_' {
			return false
		}
	}
	return key != ""
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// tomlIndex finds the place of each key of a TOML text: the decoder gives values
// without places. It knows the syntax only; a text the decoder refuses has a
// meaningless index.
type tomlIndex struct {
	parser  unstable.Parser
	places  map[string]position
	lines   []int          // offset of each line's start
	table   string         // path of the table that is open
	depth   int            // of that path
	arrays  map[string]int // elements of each array of tables so far
	problem *problem       // the first key out of bounds
}

// read fills the index. A syntax error ends it early: the decoder finds it too.
func (x *tomlIndex) read(data []byte) *problem {
	x.parser.Reset(data)
	for x.problem == nil && x.parser.NextExpression() {
		switch n := x.parser.Expression(); n.Kind {
		case unstable.Table:
			x.header(n.Key(), false)
		case unstable.ArrayTable:
			x.header(n.Key(), true)
		case unstable.KeyValue:
			x.keyValue(x.table, x.depth, n)
		}
	}
	return x.problem
}

// header opens [a.b] or [[a.b]]: a part that is an array of tables stands for
// its newest element.
func (x *tomlIndex) header(key unstable.Iterator, array bool) {
	x.table, x.depth = "", 0
	for key.Next() {
		var ok bool
		if x.table, ok = x.step(x.table, x.depth, key.Node()); !ok {
			return
		}
		x.depth++
		if array && key.IsLast() {
			x.arrays[x.table]++
		}
		if n := x.arrays[x.table]; n > 0 {
			x.table = element(x.table, n-1)
			x.note(x.table, key.Node())
		}
	}
}

func (x *tomlIndex) keyValue(path string, depth int, n *unstable.Node) {
	for key := n.Key(); key.Next(); depth++ {
		var ok bool
		if path, ok = x.step(path, depth, key.Node()); !ok {
			return
		}
	}
	x.value(path, depth, n.Value())
}

func (x *tomlIndex) value(path string, depth int, n *unstable.Node) {
	if n.Kind == unstable.InlineTable {
		for it := n.Children(); it.Next(); {
			x.keyValue(path, depth, it.Node())
		}
	}
	if n.Kind != unstable.Array || depth > maxDepth {
		return
	}
	i := 0
	for it := n.Children(); it.Next(); {
		if it.Node().Kind != unstable.Comment {
			x.value(element(path, i), depth+1, it.Node())
			i++
		}
	}
}

// step notes the place of a key below path and returns the path of the key.
func (x *tomlIndex) step(path string, depth int, key *unstable.Node) (string, bool) {
	at := place(x.lines, int(key.Raw.Offset))
	if rule := bounded(string(key.Data), depth); rule != "" {
		x.problem = &problem{at: at, text: rule}
		return "", false
	}
	path = join(path, string(key.Data))
	x.note(path, key)
	return path, true
}

// bounded returns what is wrong with a key at a depth, or "".
func bounded(key string, depth int) string {
	switch {
	case depth >= maxDepth:
		return "more than " + strconv.Itoa(maxDepth) + " levels of nesting"
	case len(key) > maxKey:
		return "the key " + strconv.Quote(shorten(key)) + " is longer than " + strconv.Itoa(maxKey) + " bytes"
	}
	return ""
}

// note keeps the first place of a path.
func (x *tomlIndex) note(path string, n *unstable.Node) {
	if _, known := x.places[path]; !known {
		x.places[path] = place(x.lines, int(n.Raw.Offset))
	}
}

func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func place(starts []int, offset int) position {
	line := sort.SearchInts(starts, offset+1)
	return position{line: line, column: offset - starts[line-1] + 1}
}
