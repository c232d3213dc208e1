package ring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzFile: whatever a file of a ring holds, what is read of it is bounded text, the
// next line can be kept, and is read after what was read before.
func FuzzFile(f *testing.F) {
	whole := appendLine(nil, &Line{
		Cursor: Cursor{1, 1}, Time: time.Unix(1, 2), Version: 3, RequestID: "r", Message: "hello", Level: 4,
		Attrs: []Attr{{"k", "v", true}, {"plugin", "shop", false}},
	})
	dropped := appendLine(nil, &Line{Cursor: Cursor{1, 9}, Dropped: 8, From: time.Unix(1, 0)})
	f.Add(whole)
	f.Add(whole[headSize:])
	f.Add(append(append([]byte{}, whole...), dropped...))
	f.Add(append(append([]byte{}, dropped...), whole...)) // numbers that go back
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0, 1})
	f.Add(appendLine(nil, &Line{Cursor: Cursor{1 << 63, 1 << 63}, Dropped: 1 << 62, Message: "\xff\x00", Version: -1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, ok := decode(data); ok { // as if the checksum were right
			checkLine(t, &l)
		}
		dir := t.TempDir()
		for _, name := range []string{currentFile, previousFile} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := &segments{dir: dir, half: Size / 2, size: -1}
		last := appendLine(nil, &Line{Cursor: Cursor{1<<64 - 1, 1}, Message: "the last"})
		if err := s.write(last); err != nil {
			t.Fatal(err)
		}
		r := &Ring{folder: &Folder{}, segments: *s}
		page, err := r.Read(Query{Level: -1 << 20})
		if err != nil || len(page.Lines) == 0 || page.Lines[len(page.Lines)-1].Message != "the last" {
			t.Fatalf("%v; %d lines were read without the last one", err, len(page.Lines))
		}
		for _, l := range page.Lines {
			checkLine(t, &l)
		}
	})
}

func checkLine(t *testing.T, l *Line) {
	t.Helper()
	if l.Dropped < 0 || l.Version < 0 {
		t.Errorf("the line at %s has %d dropped and version %d", l.Cursor, l.Dropped, l.Version)
	}
	texts := []string{l.RequestID, l.Message}
	for _, a := range l.Attrs {
		texts = append(texts, a.Name, a.Value)
	}
	if text := strings.Join(texts, ""); !utf8.ValidString(text) || len(text) > 3*maxBody {
		t.Errorf("the line at %s has %d bytes of text, valid %v", l.Cursor, len(text), utf8.ValidString(text))
	}
	if again, ok := ParseCursor(l.Cursor.String()); !ok || again != l.Cursor {
		t.Errorf("the cursor %s is not read again", l.Cursor)
	}
}
