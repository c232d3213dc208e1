package scaffold

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the SDK is part of the binary
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// sdkSources are the sources of abi and sdk.
//
//go:embed sdk.txtar
var sdkSources []byte

// What a project knows the SDK by.
const (
	Module = "github.com/wasmoor/wasmoor"
	Folder = "wasmoor-sdk" // where a new project has its copy

	// noVersion is what go.mod requires: what is there in its place decides.
	noVersion = "v0.0.0"
)

// Copy says which SDK a copy is.
type Copy struct {
	Version string // of the wasmoor that wrote it
	Digest  string // SHA-256 of its sources, in hexadecimal
}

// String returns the version and the start of the digest.
func (c Copy) String() string { return fmt.Sprintf("%s (sha256:%.12s)", c.Version, c.Digest) }

// sdk is a copy with its files.
type sdk struct {
	Copy
	goVersion string
	files     map[string][]byte // by their slash-separated path
}

// current returns the SDK of this program, of that version.
func current(version string) *sdk {
	archive := txtar.Parse(sdkSources)
	_, after, _ := strings.Cut(string(archive.Comment), "\ngo ")
	s := &sdk{goVersion: strings.TrimSpace(after), files: map[string][]byte{}}
	for _, f := range archive.Files {
		s.files[f.Name] = f.Data
	}
	s.Copy = Copy{Version: version, Digest: digestOf(s.files)}
	s.files[goMod] = fmt.Appendf(nil, "// %s %s sha256:%s\n// Do not edit what is in this folder: `wasmoor sdk update` replaces it.\nmodule %s\n\ngo %s\n",
		marker, version, s.Digest, Module, s.goVersion)
	return s
}

const (
	goMod  = "go.mod"
	marker = "The SDK of wasmoor,"
)

var marked = regexp.MustCompile(`^// ` + marker + ` (\S+) sha256:([0-9a-f]{64})\n`)

// digestOf returns the digest of the Go sources among files.
func digestOf(files map[string][]byte) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) == ".go" {
			fmt.Fprintf(sum, "%d:%s%d:%s", len(name), name, len(files[name]), files[name])
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// errNoCopy says that a folder is not one that wasmoor wrote.
var errNoCopy = errors.New("it is not a copy of the SDK that wasmoor wrote")

// maxSource bounds a file of a copy, in bytes: ours have less than a hundredth.
const maxSource = 4 << 20

// readCopy returns the copy in a folder: what it was written as, and the sources
// that are there now. The error is errNoCopy or the system's.
func readCopy(dir string) (written Copy, sources map[string][]byte, err error) {
	mod, err := readSource(filepath.Join(dir, goMod))
	if err != nil {
		return written, nil, err
	}
	mod = bytes.ReplaceAll(mod, []byte("\r\n"), []byte("\n")) // as git checks out on Windows
	match := marked.FindSubmatch(mod)
	if match == nil {
		return written, nil, errNoCopy
	}
	sources, err = sourcesIn(dir)
	return Copy{Version: string(match[1]), Digest: string(match[2])}, sources, err
}

// sourcesIn returns the Go sources in a folder and below it, by their paths with
// slashes, and with the line ends that they were written with.
func sourcesIn(dir string) (map[string][]byte, error) {
	sources := map[string][]byte{}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Ext(file) != ".go" {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		data, err := readSource(file)
		sources[filepath.ToSlash(name)] = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
		return err
	})
	return sources, err
}

func readSource(file string) ([]byte, error) {
	info, err := os.Stat(file) //nolint:gosec // below the folder that its user names
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSource {
		return nil, &os.PathError{Op: "read", Path: file, Err: errNoCopy}
	}
	return os.ReadFile(file) //nolint:gosec // as above
}
