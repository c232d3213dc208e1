package manifest

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Page is a unit of memory.
const Page = page

// With returns m with what only Parse sets.
func (m Manifest) With(l limit.Limits, ask plugin.Grant, settings map[string]any) *Manifest {
	m.limits, m.ask, m.settings = l, ask, settings
	return &m
}

// CheckPlaces checks that every key of a text that can be read has a place.
func CheckPlaces(t *testing.T, data []byte) {
	t.Helper()
	doc, problem := read(data, FileName)
	if problem == nil {
		checkPlaces(t, doc, "", doc.root, strings.Count(string(data), "\n")+1, 0)
	}
}

func checkPlaces(t *testing.T, doc *document, path string, value any, lines, depth int) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			below := join(path, key)
			at, ok := doc.places[below]
			if !ok || at.line < 1 || at.line > lines || at.column < 1 {
				t.Fatalf("the place of %s is %v", below, at)
			}
			checkPlaces(t, doc, below, v, lines, depth+1)
		}
	case []any:
		for i, v := range value {
			if depth < maxDepth {
				checkPlaces(t, doc, element(path, i), v, lines, depth+1)
			}
		}
	}
}
