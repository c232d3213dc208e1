package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/audit"
)

// chain returns n events after a point, the first old of them from before the chain.
func chain(after audit.Point, old, n int) (lines [][]byte, head audit.Point) {
	head = after
	for i := range n {
		number := head.Number + 1
		if i < old {
			lines = append(lines, fmt.Appendf(nil, `{"format":2,"number":%d,"action":"old"}`, number))
			head = audit.Point{Number: number}
			continue
		}
		line := fmt.Appendf(nil, `{"format":3,"number":%d,"prev":"%s","action":"upload","plugin":"shop"}`, number, head.Prev())
		lines = append(lines, line)
		head = audit.Point{Number: number, Hash: audit.Hash(line)}
	}
	return lines, head
}

func verify(after, head audit.Point, lines [][]byte) error {
	v := audit.New(after)
	for _, line := range lines {
		if err := v.Add(line); err != nil {
			return err
		}
	}
	return v.End(head)
}

func TestAChainVerifies(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  audit.Point
		old, n int
	}{
		{"from its start", audit.Point{}, 0, 5},
		{"empty", audit.Point{}, 0, 0},
		{"after events without a chain", audit.Point{}, 3, 5},
		{"of such events alone", audit.Point{}, 3, 3},
		{"after a prune", audit.Point{Number: 41, Hash: strings.Repeat("ab", 32)}, 0, 5},
		{"after a prune of such events", audit.Point{Number: 41}, 2, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, head := chain(c.after, c.old, c.n)
			if err := verify(c.after, head, lines); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEachChangeOfAChainIsFound flips each bit of each byte of each event, and
// removes, repeats, moves and adds each.
func TestEachChangeOfAChainIsFound(t *testing.T) {
	after := audit.Point{Number: 7, Hash: strings.Repeat("5e", 32)}
	lines, head := chain(after, 0, 6)
	found := func(what string, changed [][]byte) {
		t.Helper()
		err := verify(after, head, changed)
		if broken, ok := errors.AsType[*audit.BreakError](err); !ok || broken.Number <= after.Number {
			t.Errorf("%s: %v, want the place where the chain breaks", what, err)
		}
	}
	for i, line := range lines {
		for at := range line {
			for bit := range 8 {
				changed := slices.Clone(lines)
				changed[i] = bytes.Clone(line)
				changed[i][at] ^= 1 << bit
				found(fmt.Sprintf("event %d, byte %d, bit %d", i, at, bit), changed)
			}
		}
		found(fmt.Sprint("without event ", i), slices.Delete(slices.Clone(lines), i, i+1))
		found(fmt.Sprint("with event twice ", i), slices.Insert(slices.Clone(lines), i, line))
		found(fmt.Sprint("cut off in the middle of event ", i), append(slices.Clone(lines[:i]), line[:len(line)/2]))
		for j := range lines {
			if i != j {
				changed := slices.Clone(lines)
				changed[i], changed[j] = changed[j], changed[i]
				found(fmt.Sprint("reordered ", i, j), changed)
			}
		}
		forged := fmt.Appendf(nil, `{"format":3,"number":%d,"prev":"%s"}`, after.Number+uint64(i)+1, audit.Start)
		found(fmt.Sprint("a forged event instead of ", i), append(append(slices.Clone(lines[:i]), forged), lines[i+1:]...))
		old := fmt.Appendf(nil, `{"format":2,"number":%d}`, after.Number+uint64(i)+1)
		found(fmt.Sprint("an event of an old form instead of ", i), append(append(slices.Clone(lines[:i]), old), lines[i+1:]...))
	}
	for n := range lines {
		found(fmt.Sprint("the end is cut off after ", n), lines[:n])
	}
	more, _ := chain(head, 0, 1)
	found("with an event more at its end", append(slices.Clone(lines), more...))
}

func export(t *testing.T, after audit.Point, lines [][]byte, head audit.Point) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := audit.NewWriter(&out, after)
	for _, line := range lines {
		if err == nil {
			err = w.Add(line)
		}
	}
	if err == nil {
		err = w.End(head)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func verifyFile(data []byte) error {
	var v *audit.Verifier
	return audit.Read(bytes.NewReader(data), func(first bool, p audit.Point) error {
		if first {
			v = audit.New(p)
			return nil
		}
		return v.End(p)
	}, func(line []byte) error { return v.Add(line) })
}

func TestAnExportIsReadAsItWasWritten(t *testing.T) {
	after := audit.Point{Number: 7, Hash: strings.Repeat("5e", 32)}
	lines, head := chain(after, 0, 4)
	file := export(t, after, lines, head)
	if err := verifyFile(file); err != nil {
		t.Errorf("an export does not verify: %v\n%s", err, file)
	}
	all := bytes.SplitAfter(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
	for n := range all {
		if err := verifyFile(bytes.Join(all[:n], nil)); err == nil {
			t.Errorf("the first %d of %d lines verify as a whole export", n, len(all))
		}
		if n > 0 {
			if err := verifyFile(bytes.Join(slices.Delete(slices.Clone(all), n-1, n), nil)); err == nil {
				t.Errorf("an export without line %d verifies", n)
			}
		}
	}
	if err := verifyFile(append(slices.Clone(file), all[0]...)); err == nil {
		t.Error("an export with a line after its end verifies")
	}
	crlf := bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))
	if err := verifyFile(crlf); err == nil || !strings.Contains(err.Error(), `line 1 ends with \r\n`) {
		t.Errorf("an export with other line ends: %v", err)
	}
	for name, changed := range map[string][]byte{
		"one line end":              bytes.Replace(file, []byte("}\n{"), []byte("}\r\n{"), 1),
		"a blank in its first line": bytes.Replace(file, []byte(`,"number"`), []byte(`, "number"`), 1),
		"a blank after its end":     append(slices.Clone(file), ' '),
		"no last line end":          bytes.TrimSuffix(file, []byte("\n")),
		"an empty line":             append(slices.Clone(file), '\n'),
	} {
		if err := verifyFile(changed); err == nil {
			t.Errorf("an export with %s verifies", name)
		}
	}
	if err := verifyFile([]byte("\x00\xff\n")); err == nil {
		t.Error("what is no export verifies")
	}
}

// TestAShellVerifiesAnExport is what the documentation tells an outsider to do.
func TestAShellVerifiesAnExport(t *testing.T) {
	lines, head := chain(audit.Point{}, 0, 4)
	path := filepath.Join(t.TempDir(), "file.jsonl")
	if err := os.WriteFile(path, export(t, audit.Point{}, lines, head), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", `sed -n 3p "$1" | sha256sum`, "sh", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	sum, _, _ := strings.Cut(string(out), " ")
	if !strings.Contains(string(lines[2]), `"prev":"`+sum+`"`) {
		t.Errorf("line 3 has the sum %s, and line 4 is %s", sum, lines[2])
	}
}

func FuzzRead(f *testing.F) {
	lines, head := chain(audit.Point{}, 1, 3)
	var out bytes.Buffer
	w, _ := audit.NewWriter(&out, audit.Point{})
	for _, line := range lines {
		_ = w.Add(line)
	}
	_ = w.End(head)
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) { _ = verifyFile(data) })
}
