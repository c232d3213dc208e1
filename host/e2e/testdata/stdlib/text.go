package main

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"container/list"
	"container/ring"
	"encoding"
	"encoding/ascii85"
	"encoding/asn1"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	htmltemplate "html/template"
	"index/suffixarray"
	"io"
	"io/ioutil"
	"iter"
	"maps"
	"math"
	"math/big"
	"math/bits"
	"math/cmplx"
	"math/rand"
	randv2 "math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"sort"
	"strconv"
	"strings"
	"structs"
	"sync"
	"sync/atomic"
	"text/scanner"
	"text/tabwriter"
	"text/template"
	"text/template/parse"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
	"unique"
	"unsafe"
	"weak"
)

type point struct {
	X, Y int
}

func encoded[T any](marshal func(any) ([]byte, error), unmarshal func([]byte, any) error, in T) error {
	b, err := marshal(in)
	if err != nil {
		return err
	}
	var out T
	return first(unmarshal(b, &out), same(out, in))
}

func init() {
	use(map[string]func() error{
		"bufio": func() error {
			line, err := bufio.NewReader(strings.NewReader("a\nb")).ReadString('\n')
			return first(err, same(line, "a\n"))
		},
		"bytes": func() error { return same(bytes.ToUpper([]byte("a")), []byte("A")) },
		"cmp":   func() error { return same(cmp.Compare(1, 2), -1) },
		"container/heap": func() error {
			h := &ints{3, 1, 2}
			heap.Init(h)
			return same(heap.Pop(h), 1)
		},
		"container/list": func() error {
			l := list.New()
			l.PushBack(1)
			return same(l.Len(), 1)
		},
		"container/ring": func() error { return same(ring.New(3).Len(), 3) },
		"encoding": func() error {
			var m encoding.TextMarshaler = big.NewInt(7)
			b, err := m.MarshalText()
			return first(err, same(string(b), "7"))
		},
		"encoding/ascii85": func() error { return same(ascii85.MaxEncodedLen(4), 5) },
		"encoding/asn1": func() error {
			b, err := asn1.Marshal(5)
			return first(err, same(b, []byte{2, 1, 5}))
		},
		"encoding/base32": func() error { return same(base32.StdEncoding.EncodeToString([]byte("a")), "ME======") },
		"encoding/base64": func() error { return same(base64.StdEncoding.EncodeToString([]byte("a")), "YQ==") },
		"encoding/binary": func() error { return same(binary.BigEndian.Uint16([]byte{1, 2}), 258) },
		"encoding/csv": func() error {
			rows, err := csv.NewReader(strings.NewReader("a,\"b,c\"\n")).ReadAll()
			return first(err, same(rows, "[[a b,c]]"))
		},
		"encoding/gob": func() error {
			var b bytes.Buffer
			var out point
			return first(gob.NewEncoder(&b).Encode(point{X: 1}), gob.NewDecoder(&b).Decode(&out), same(out.X, 1))
		},
		"encoding/hex": func() error { return same(hex.EncodeToString([]byte{255}), "ff") },
		"encoding/json": func() error {
			return encoded(json.Marshal, json.Unmarshal, map[string]any{"a": []any{1.5, "x", nil}})
		},
		"encoding/pem": func() error {
			block, _ := pem.Decode(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: []byte("a")}))
			return same(string(block.Bytes), "a")
		},
		"encoding/xml": func() error {
			return encoded(xml.Marshal, xml.Unmarshal, struct {
				XMLName xml.Name `xml:"a"`
				B       int      `xml:"b"`
			}{xml.Name{Local: "a"}, 5})
		},
		"errors": func() error { return same(errors.Is(fmt.Errorf("a: %w", io.EOF), io.EOF), true) },
		"fmt": func() error {
			var n int
			_, err := fmt.Sscanf("a 5", "a %d", &n)
			return first(err, same(fmt.Sprintf("%05.1f %+v", math.Pi, n), "003.1 5"))
		},
		"html": func() error { return same(html.UnescapeString("&eacute;"), "é") },
		"html/template": func() error {
			var b strings.Builder
			err := htmltemplate.Must(htmltemplate.New("").Parse("<a title='{{.}}'>")).Execute(&b, "'")
			return first(err, same(b.String(), "<a title='&#39;'>"))
		},
		"index/suffixarray": func() error { return same(suffixarray.New([]byte("banana")).Lookup([]byte("nan"), 1), []int{2}) },
		"io":                func() error { _, err := io.ReadAll(strings.NewReader("a")); return err },
		"io/ioutil":         func() error { _, err := ioutil.ReadAll(strings.NewReader("a")); return err },
		"iter": func() error {
			next, stop := iter.Pull(slices.Values([]int{4}))
			defer stop()
			n, _ := next()
			return same(n, 4)
		},
		"maps": func() error { return same(slices.Collect(maps.Keys(map[int]int{1: 2})), []int{1}) },
		"math": func() error { return same(math.Sqrt(16), 4) },
		"math/big": func() error {
			return same(new(big.Int).Exp(big.NewInt(2), big.NewInt(70), nil), "1180591620717411303424")
		},
		"math/bits":  func() error { return same(bits.LeadingZeros32(1), 31) },
		"math/cmplx": func() error { return same(cmplx.Abs(3+4i), 5) },
		"math/rand":  func() error { return same(rand.New(rand.NewSource(1)).Intn(100), 81) },
		"math/rand/v2": func() error {
			return same(randv2.N(10) < 10, true)
		},
		"mime":                 func() error { return same(mime.TypeByExtension(".css"), "text/css; charset=utf-8") },
		"mime/quotedprintable": func() error { _, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader("=41"))); return err },
		"path":                 func() error { return same(path.Join("a", "../b"), "b") },
		"path/filepath":        func() error { return same(filepath.Base("/a/b"), "b") },
		"reflect":              func() error { return same(reflect.TypeOf(point{}).Field(0).Name, "X") },
		"regexp":               func() error { return same(regexp.MustCompile(`(\w+)@`).FindStringSubmatch("ada@x")[1], "ada") },
		"regexp/syntax":        func() error { _, err := syntax.Parse("a+", syntax.Perl); return err },
		"slices":               func() error { return same(slices.Sorted(slices.Values([]int{2, 1})), []int{1, 2}) },
		"sort":                 func() error { return same(sort.SearchInts([]int{1, 3}, 2), 1) },
		"strconv":              func() error { return same(strconv.Quote("\n"), `"\n"`) },
		"strings":              func() error { return same(strings.Fields(" a b "), "[a b]") },
		"structs": func() error {
			return same(unsafe.Sizeof(struct {
				_ structs.HostLayout
				a int32
			}{}), 4)
		},
		"sync": func() error {
			var wait sync.WaitGroup
			var mu sync.Mutex
			n := 0
			for range 10 {
				wait.Go(func() {
					mu.Lock()
					defer mu.Unlock()
					n++
				})
			}
			wait.Wait()
			return same(n, 10)
		},
		"sync/atomic":  func() error { return same(new(atomic.Int64).Add(2), 2) },
		"text/scanner": func() error { return same(string(new(scanner.Scanner).Init(strings.NewReader("a")).Next()), "a") },
		"text/tabwriter": func() error {
			var b strings.Builder
			w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
			fmt.Fprint(w, "a\tb\nccc\td\n")
			return first(w.Flush(), same(b.String(), "a   b\nccc d\n"))
		},
		"text/template": func() error {
			var b strings.Builder
			err := template.Must(template.New("").Parse("{{range .}}{{.}},{{end}}")).Execute(&b, []int{1, 2})
			return first(err, same(b.String(), "1,2,"))
		},
		"text/template/parse": func() error { _, err := parse.Parse("", "{{.}}", "", ""); return err },
		"unicode":             func() error { return same(unicode.IsUpper('Ä'), true) },
		"unicode/utf16":       func() error { return same(utf16.Encode([]rune("a")), []uint16{97}) },
		"unicode/utf8":        func() error { return same(utf8.RuneCountInString("äö"), 2) },
		"unique":              func() error { return same(unique.Make("a") == unique.Make("a"), true) },
		"unsafe":              func() error { return same(unsafe.Sizeof(int32(0)), 4) },
		"weak":                func() error { p := new(int); return same(*weak.Make(p).Value(), *p) },
	})
}

type ints []int

func (h ints) Len() int           { return len(h) }
func (h ints) Less(i, j int) bool { return h[i] < h[j] }
func (h ints) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *ints) Push(x any)        { *h = append(*h, x.(int)) }
func (h *ints) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
