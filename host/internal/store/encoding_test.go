package store

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

var update = flag.Bool("update", false, "write golden files")

// golden is a commit in which every member of the encoding has a value.
var golden = struct {
	revision Revision
	effects  *Effects
}{1 << 40, &Effects{
	Read: 300, Now: time.Date(2026, 11, 28, 12, 0, 0, 123456789, time.UTC),
	Parts: []Part{
		{
			Space: 17, Quota: Quota{Keys: 1_000_000, Bytes: 1 << 30, Shared: &Shared{Name: "shop", Bytes: 1 << 31, Spaces: []Space{17, 300}}},
			Keys:   [][]byte{[]byte("a"), []byte("b\x00")},
			Ranges: []Range{{From: []byte("c"), To: []byte("d")}, {From: []byte("x")}, {From: []byte{}, To: []byte{}}},
			Ops: []Op{
				{Kind: OpSet, Key: []byte("a"), Value: Value{Data: []byte("value"), Expires: 1_700_000_000_000}},
				{Kind: OpDelete, Key: []byte("b")},
				{Kind: OpAdd, Key: []byte("n"), Delta: -3},
				{Kind: OpSet, Key: []byte("v"), Value: Value{Data: []byte("at 12345678")}, ValueStamp: 4},
				{Kind: OpSet, Key: []byte("z"), Value: Value{Data: []byte{}}},
			},
			Stamped: []Op{
				{Kind: OpSet, Key: []byte("event/12345678/2"), KeyStamp: 7, Value: Value{Data: []byte("12345678"), Expires: 1}, ValueStamp: 1},
				{Kind: OpSet, Key: []byte("12345678"), KeyStamp: 1, Value: Value{Data: []byte{}}},
			},
			Records: []Op{
				{Kind: OpDelete, Key: []byte("queue/1")},
				{Kind: OpSet, Key: []byte("queue/2"), Value: Value{Data: []byte("r")}},
			},
		},
		{Space: 18},
		{Space: Space(17).In(AreaSQL), Ops: []Op{{Kind: OpAdd, Key: []byte("pages"), Delta: math.MinInt64}}},
	},
}}

func TestGoldenCommit(t *testing.T) {
	file := filepath.Join("testdata", "commit-v3.hex")
	got := AppendCommit(nil, golden.revision, golden.effects)
	if *update {
		if err := os.WriteFile(file, []byte(hex.EncodeToString(got)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("a commit is encoded as\n%x, want\n%x", got, want)
	}
	revision, e, err := DecodeCommit(want)
	if err != nil || revision != golden.revision {
		t.Fatalf("revision %d, %v", revision, err)
	}
	if diff := cmp.Diff(golden.effects, e); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDecodeCommitRefuses(t *testing.T) {
	whole := AppendCommit(nil, golden.revision, golden.effects)
	for n := range whole {
		if _, _, err := DecodeCommit(whole[:n]); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("the first %d of %d bytes: %v", n, len(whole), err)
		}
	}
	for name, b := range map[string][]byte{
		"a byte too many":            append(bytes.Clone(whole), 0),
		"another version":            append([]byte{EncodingVersion + 1}, whole[1:]...),
		"a long varint":              {EncodingVersion, 0x81, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"many parts":                 {EncodingVersion, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f},
		"parts out of order":         AppendCommit(nil, 1, &Effects{Parts: []Part{{Space: 2}, {Space: 1}}}),
		"a stamp beyond its key":     AppendCommit(nil, 1, &Effects{Parts: []Part{{Space: 1, Stamped: []Op{{Key: []byte("1234567"), KeyStamp: 1}}}}}),
		"no stamp where one belongs": AppendCommit(nil, 1, &Effects{Parts: []Part{{Space: 1, Stamped: []Op{{Key: []byte("12345678")}}}}}),
		"a stamped delete":           AppendCommit(nil, 1, &Effects{Parts: []Part{{Space: 1, Stamped: []Op{{Kind: OpDelete, Key: []byte("12345678"), KeyStamp: 1}}}}}),
		"a stamp beyond its value":   AppendCommit(nil, 1, &Effects{Parts: []Part{{Space: 1, Ops: []Op{{Key: []byte("k"), ValueStamp: 2, Value: Value{Data: []byte("12345678")}}}}}}),
		"an unknown area":            AppendCommit(nil, 1, &Effects{Parts: []Part{{Space: 1 << 60}}}),
	} {
		if _, _, err := DecodeCommit(b); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecodeCommit: what is taken has one encoding.
func FuzzDecodeCommit(f *testing.F) {
	f.Add(AppendCommit(nil, golden.revision, golden.effects))
	f.Add(AppendCommit(nil, 0, &Effects{}))
	f.Add([]byte{EncodingVersion, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 0, 1, 5, 'k'})
	f.Fuzz(func(t *testing.T, b []byte) {
		revision, e, err := DecodeCommit(b)
		if err != nil {
			return
		}
		if again := AppendCommit(nil, revision, e); !bytes.Equal(again, b) {
			t.Fatalf("%x is taken, and encoded as %x", b, again)
		}
	})
}
