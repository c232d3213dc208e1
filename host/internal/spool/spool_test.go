package spool

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func open(t *testing.T, cfg Config) *Spool {
	t.Helper()
	cfg.Dir = filepath.Join(t.TempDir(), "spool")
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkCode wants an error of a code, "" = none.
func checkCode(t *testing.T, what string, err error, want fault.Code) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && fault.CodeOf(err) != want {
		t.Errorf("%s: %v, want the code %q", what, err, want)
	}
}

func write(f *File, n int) error {
	_, err := f.Write(make([]byte, n))
	return err
}

// TestShared: what others hold comes free, which is worth another attempt; what is over
// the part of one owner never fits.
func TestShared(t *testing.T) {
	s := open(t, Config{Max: 4 << 20})
	one, two, other := s.New("one"), s.New("one"), s.New("other")
	for _, step := range []struct {
		what string
		file *File
		mib  int
		want fault.Code
	}{
		{"a piece", &one, 2, ""},
		{"the rest of the part", &two, 1, ""},
		{"over the part of the owner", &two, 1, fault.Unavailable},
		{"alone over the part", &one, 2, fault.TooLarge},
		{"of another", &other, 1, ""},
		{"over all", &other, 1, fault.Unavailable},
	} {
		checkCode(t, step.what, write(step.file, step.mib<<20), step.want)
	}
	checkCode(t, "a claim over the rest", s.Admit("other", 1<<20), fault.Unavailable)
	checkCode(t, "a claim over the part", s.Admit("other", 3<<20+1), fault.TooLarge)
	one.Close()
	checkCode(t, "a claim of what was given back", s.Admit("other", 2<<20), "")
	checkCode(t, "a claim over the owner's rest", s.Admit("one", 2<<20+1), fault.Unavailable)
	two.Close()
	other.Close()
	if left := s.Room().Left(); left != 4<<20 || len(s.owners) > 0 {
		t.Errorf("%d bytes are left, held: %v", left, s.owners)
	}
}

// TestAdmitTakesNothing: claims keep nobody from sending.
func TestAdmitTakesNothing(t *testing.T) {
	s := open(t, Config{Max: 4 << 20})
	for range 100 {
		checkCode(t, "a claim", s.Admit("one", 3<<20), "")
	}
	f := s.New("one")
	checkCode(t, "a body", write(&f, 3<<20), "")
	f.Close()
}

// TestFullDisk refuses before anything is read, and while it is.
func TestFullDisk(t *testing.T) {
	var health error
	s := open(t, Config{Health: func() error { return health }})
	checkCode(t, "over the disk's room", open(t, Config{Max: 1 << 62}).Admit("one", 1<<61), fault.Exhausted)
	f := s.New("one")
	checkCode(t, "a piece", write(&f, 1), "")
	health = fault.New(fault.Exhausted, "", "full")
	checkCode(t, "a claim", s.Admit("one", 1), fault.Exhausted)
	checkCode(t, "another piece", write(&f, 1), fault.Exhausted)
	health = fault.New(fault.Unavailable, "", "another fault")
	checkCode(t, "a fault of something else", write(&f, 1), "")
	f.Close()
}

func TestFile(t *testing.T) {
	s := open(t, Config{})
	f := s.New("one")
	if file, size := f.Open(); file != nil || size != 0 || !f.Takes() {
		t.Errorf("before the first write: %v of %d bytes", file, size)
	}
	for _, part := range []string{"some ", "text"} {
		if n, err := f.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	file, size := f.Open()
	text, err := io.ReadAll(io.NewSectionReader(file, 0, size+1))
	if string(text) != "some text" || err != nil || f.Sum() != sha256.Sum256(text) {
		t.Errorf("read %q, %v, with the sum %x", text, err, f.Sum())
	}
	f.Close()
	f.Close()
	if f.Takes() || s.Room().Left() != s.Room().Size() {
		t.Error("it is not over")
	}
	if none := (*Spool)(nil).New("one"); none.Takes() {
		t.Error("a file of no spool takes something")
	}
}

func TestOpenEmptiesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "body-1"), []byte("left behind"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: file}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a file in place of the directory: %v", err)
	}
}
