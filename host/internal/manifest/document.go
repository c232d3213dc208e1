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

// document is a manifest's text as a tree of map[string]any, []any, string,
// bool, int64, float64 and others, the same for TOML and JSON, and the place of
// each key by its path.
type document struct {
	file   string
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
	doc := &document{file: file, places: map[string]position{}}
	if err := toml.Unmarshal(data, &doc.root); err != nil {
		return nil, tomlProblem(err)
	}
	if doc.root == nil {
		doc.root = map[string]any{}
	}
	index := tomlIndex{places: doc.places, lines: lineStarts(data), arrays: map[string]int{}}
	index.parser.Reset(data)
	for index.parser.NextExpression() {
		index.expression(index.parser.Expression())
	}
	return doc, nil
}

func tomlProblem(err error) *problem {
	p := &problem{text: strings.TrimPrefix(err.Error(), "toml: ")}
	if de, ok := errors.AsType[*toml.DecodeError](err); ok {
		p.at.line, p.at.column = de.Position()
	}
	return p
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
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return key != ""
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// tomlIndex finds the place of each key of a valid TOML text: the decoder gives
// values without places.
type tomlIndex struct {
	parser unstable.Parser
	places map[string]position
	lines  []int          // offset of each line's start
	table  string         // path of the table that is open
	arrays map[string]int // elements of each array of tables so far
}

func (x *tomlIndex) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table:
		x.table = x.header(n.Key(), false)
	case unstable.ArrayTable:
		x.table = x.header(n.Key(), true)
	case unstable.KeyValue:
		x.keyValue(x.table, n)
	}
}

// header returns the path of [a.b] or [[a.b]]: a part that is an array of
// tables stands for its newest element.
func (x *tomlIndex) header(key unstable.Iterator, array bool) string {
	path := ""
	for key.Next() {
		path = join(path, string(key.Node().Data))
		x.note(path, key.Node())
		last := key.IsLast()
		if last && array {
			x.arrays[path]++
		}
		if n := x.arrays[path]; n > 0 {
			path = element(path, n-1)
			x.note(path, key.Node())
		}
	}
	return path
}

func (x *tomlIndex) keyValue(path string, n *unstable.Node) {
	for key := n.Key(); key.Next(); {
		path = join(path, string(key.Node().Data))
		x.note(path, key.Node())
	}
	x.value(path, n.Value())
}

func (x *tomlIndex) value(path string, n *unstable.Node) {
	switch n.Kind {
	case unstable.InlineTable:
		for it := n.Children(); it.Next(); {
			x.keyValue(path, it.Node())
		}
	case unstable.Array:
		i := 0
		for it := n.Children(); it.Next(); {
			if it.Node().Kind != unstable.Comment {
				x.value(element(path, i), it.Node())
				i++
			}
		}
	}
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
