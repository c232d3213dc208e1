package project

import (
	"strings"
	"testing"
)

func TestHint(t *testing.T) {
	for _, c := range []struct{ output, says string }{
		{"sh: 1: go: not found\n", "install Go from https://go.dev/dl"},
		{"bash: line 1: go: command not found\n", "install Go from https://go.dev/dl"},
		{"'go' is not recognized as an internal or external command,\r\n", "install Go from https://go.dev/dl"},
		{"sh: 1: tinygo: not found\n", "install tinygo, or change the command under [build]"},
		{"go: go.mod requires go >= 1.99.0 (running go 1.26.8; GOTOOLCHAIN=local)\n", "install Go 1.99.0 or newer"},
		{"go: module . listed in go.work file requires go >= 1.26.0, but go.work lists go 1.26; to update it:\n\tgo work use\n", "in the folder of go.work, run: go work use"},
		{"-buildmode=c-shared requires exactly one main package\n", "begin with `package main`"},
		{"runtime.main_main·f: function main is undeclared in the main package\n", "put `func main() {}`"},
		{"no Go files in /home/ada/shop\n", "put main.go into"},
		{"go: go.mod file not found in current directory or any parent directory; see 'go help modules'\n", "go mod init"},
		{"main.go:7:2: no required module provides package github.com/wasmoor/wasmoor/sdk; to add it:\n", "wasmoor sdk update"},
		{"./main.go:9:2: undefined: x\n", ""},
		{"", ""},
	} {
		if got := hint([]byte(c.output)); !strings.Contains(got, c.says) || (c.says == "") != (got == "") {
			t.Errorf("%q: got %q, want it to say %q", c.output, got, c.says)
		}
	}
}
