package project

import (
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// hints are what to do about what a failed build prints. The first that fits is
// given; $1 is what its expression has found.
var hints = []struct {
	says *regexp.Regexp
	do   string
}{
	{regexp.MustCompile(`(?m)(?:^|: |')go(?:: (?:command )?not found$|' is not recognized)`), "install Go from https://go.dev/dl, or put the folder of its programs into PATH"},
	{regexp.MustCompile(`(?m)(?:^|: )(\S+): (?:command )?not found$`), "install $1, or change the command under [build] in wasmoor.toml"},
	{regexp.MustCompile(`but go\.work lists go`), "in the folder of go.work, run: go work use"},
	{regexp.MustCompile(`requires go >= ([0-9a-z.]+)`), "install Go $1 or newer from https://go.dev/dl, or unset GOTOOLCHAIN, so that the go command fetches it"},
	{regexp.MustCompile(`requires exactly one main package`), "a plugin is a package main: let its files begin with `package main`, and put `func main() {}` into one"},
	{regexp.MustCompile(`function main is undeclared in the main package`), "put `func main() {}` into main.go; it never runs"},
	{regexp.MustCompile(`no Go files in`), "put main.go into the project's folder, or name the folder of the package at the end of the command, like ./cmd/plugin"},
	{regexp.MustCompile(`go\.mod file not found|cannot find main module`), "run: go mod init example/plugin"},
	{regexp.MustCompile(`no required module provides package github\.com/wasmoor/wasmoor/|replacement directory \./wasmoor-sdk does not exist`), "run: wasmoor sdk update"},
	{regexp.MustCompile(`c-shared not supported|unsupported GOOS/GOARCH pair`), "let the command begin with GOOS=wasip1 GOARCH=wasm"},
}

// hint returns what to do about a failed build, after a semicolon; "" when its
// output has to do.
func hint(output []byte) string {
	for _, h := range hints {
		if at := h.says.FindSubmatchIndex(output); at != nil {
			return "; " + string(h.says.Expand(nil, []byte(h.do), output, at))
		}
	}
	return ""
}

// makeOne says how a folder without a manifest comes to one.
func makeOne(dir string) string {
	if below, err := filepath.Glob(filepath.Join(dir, "*", manifest.FileName)); err == nil && len(below) > 0 {
		return fmt.Sprintf("did you mean %s?", filepath.Dir(below[0]))
	}
	if modules, err := filepath.Glob(filepath.Join(dir, "*.wasm")); err == nil && len(modules) > 0 {
		return fmt.Sprintf("name the module %s, or write a manifest next to it", modules[0])
	}
	if sources, err := filepath.Glob(filepath.Join(dir, "*.go")); err != nil || len(sources) > 0 {
		return "make one with `wasmoor new NAME`"
	}
	return fmt.Sprintf("make one with `wasmoor new NAME`, or here with `wasmoor new %s`", dir)
}
