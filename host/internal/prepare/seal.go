package prepare

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

const (
	// sealName is the file in an artefact that says what belongs to it: a line
	// with the HMAC-SHA256 of what follows, in hexadecimal, and a JSON object.
	sealName = "SEAL"
	// maxSeal bounds what is read of it.
	maxSeal = 1 << 20
	// maxShared bounds the modules that a seal names. Of those over it the artefact
	// may be removed and built again.
	maxShared = 256
	// maxEntries bounds the files and directories of an artefact.
	maxEntries = 256
)

// seal lists the content of an artefact.
type seal struct {
	Key    string        `json:"key"`
	Digest plugin.Digest `json:"digest"` // of the module that was built first
	Files  []sealedFile  `json:"files"`
	// Shared are the other modules of the same code that were loaded from it, the last
	// ones last.
	Shared []plugin.Digest `json:"shared,omitempty"`
}

// modules returns the digests of the modules that the artefact is kept for.
func (s seal) modules() []plugin.Digest { return append([]plugin.Digest{s.Digest}, s.Shared...) }

// add names a further module, and reports whether it was not named yet.
func (s *seal) add(digest plugin.Digest) bool {
	if slices.Contains(s.modules(), digest) {
		return false
	}
	s.Shared = append(s.Shared, digest)
	s.Shared = s.Shared[max(0, len(s.Shared)-maxShared):]
	return true
}

// write writes the seal into dir.
func (s seal) write(dir string, secret []byte) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, sealName), fmt.Appendf(nil, "%s\n%s", mac(secret, text), text), 0o600)
}

type sealedFile struct {
	Path string `json:"path"` // with slashes
	Size int64  `json:"size"`
	Sum  string `json:"sha256"`
}

// makeSeal seals the files that a build left in dir, which may take size bytes,
// and closes them to other users. The builder is not believed: only directories
// and regular files are taken.
func makeSeal(dir, key string, digest plugin.Digest, size int64, secret []byte) error {
	s := seal{Key: key, Digest: digest}
	err := walk(dir, func(name string, d fs.DirEntry) error {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.Chmod(full, 0o700)
		}
		if name == sealName {
			return errors.New("it has a seal already")
		}
		if err := os.Chmod(full, 0o600); err != nil {
			return err
		}
		file, err := sum(os.Open, full, size)
		file.Path, size = name, size-file.Size
		s.Files = append(s.Files, file)
		return err
	})
	if err != nil {
		return err
	}
	if len(s.Files) == 0 {
		return errors.New("it is empty")
	}
	return s.write(dir, secret)
}

// errTooLarge says that an artefact has more bytes than it may.
var errTooLarge = errors.New("it is too large")

// readSeal returns the seal of an artefact if it is ours.
func readSeal(dir string, secret []byte) (seal, error) {
	var s seal
	name := filepath.Join(dir, sealName)
	info, err := os.Lstat(name)
	if err != nil {
		return s, err
	}
	if err := private(info); err != nil {
		return s, err
	}
	f, err := os.Open(name)
	if err != nil {
		return s, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxSeal))
	if err != nil {
		return s, err
	}
	given, text, _ := bytes.Cut(data, []byte("\n"))
	if !hmac.Equal(given, mac(secret, text)) {
		return s, errors.New("its seal is not ours")
	}
	return s, json.Unmarshal(text, &s)
}

// checkSeal reads every byte of an artefact, and returns its seal, or an error unless
// it is what was sealed under key, no more and no less, and belongs to us alone.
func checkSeal(dir, key string, secret []byte) (seal, error) {
	if err := privateDir(dir); err != nil {
		return seal{}, err
	}
	s, err := readSeal(dir, secret)
	if err != nil {
		return s, err
	}
	if s.Key != key {
		return s, errors.New("it was sealed as another")
	}
	return s, s.checkFiles(dir)
}

// checkFiles compares what is in dir with the seal.
func (s seal) checkFiles(dir string) error {
	want := make(map[string]sealedFile, len(s.Files))
	for _, f := range s.Files {
		want[f.Path] = f
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // only read
	err = walk(dir, func(name string, d fs.DirEntry) error {
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return ownedAlone(info)
		case name == sealName:
			return nil
		}
		if err := private(info); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		expected, ok := want[name]
		if !ok {
			return fmt.Errorf("%s does not belong to it", name)
		}
		delete(want, name)
		return expected.check(root)
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("%d of its files are missing", len(want))
	}
	return err
}

func (f sealedFile) check(root *os.Root) error {
	got, err := sum(root.Open, filepath.FromSlash(f.Path), f.Size)
	got.Path = f.Path
	if err == nil && got != f {
		err = errors.New("its content is another")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}

// sum reads a file of at most max bytes.
func sum(open func(string) (*os.File, error), name string, max int64) (sealedFile, error) {
	f, err := open(name)
	if err != nil {
		return sealedFile{}, err
	}
	defer func() { _ = f.Close() }() // only read
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, max+1))
	if err == nil && n > max {
		err = errTooLarge
	}
	return sealedFile{Size: n, Sum: hex.EncodeToString(h.Sum(nil))}, err
}

// walk calls each for the directories and files below dir, and refuses anything
// else there, and too much of it.
func walk(dir string, each func(name string, d fs.DirEntry) error) error {
	entries := 0
	return filepath.WalkDir(dir, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, full)
		if err != nil || name == "." {
			return err
		}
		name = path.Clean(filepath.ToSlash(name))
		if entries++; entries > maxEntries {
			return fmt.Errorf("it has more than %d files", maxEntries)
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a directory", name)
		}
		return each(name, d)
	})
}

func mac(secret, text []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(text)
	return []byte(hex.EncodeToString(h.Sum(nil)))
}

// private returns an error unless a file is a regular one that only its owner,
// who is us, can reach.
func private(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	return ownedAlone(info)
}

// privateDir is private for a directory.
func privateDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("it is not a directory")
	}
	return ownedAlone(info)
}
