package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGeneratedFilesAreCurrent fails when a list of package abi, or this command,
// has changed and its output has not.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.name)))
		if err != nil || string(got) != f.text {
			t.Errorf("%s is not what package abi says (%v): run go generate ./... and commit it", f.name, err)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "/* \n"},
		{"a b", "/* a b\n"},
		{"aaaa bbbb cccc", "/* aaaa\n * bbbb\n * cccc\n"},
		{"longer-than-a-line b", "/* longer-than-a-line\n * b\n"},
	} {
		if got := wrap("/* ", " * ", c.text, 10); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}
