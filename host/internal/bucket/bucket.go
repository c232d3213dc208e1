// Package bucket keeps objects under keys, in a local folder or in S3 and what
// speaks like it. Backups and shipped commits go there. An object appears whole or
// not at all, and lasts once Put has returned.
package bucket

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Bucket is a place for objects. It is safe for concurrent use. Errors by fault
// code: Invalid (a key that breaks the rules of ValidKey), NotFound (no such
// object or bucket), Denied (credentials that are wrong or may not),
// Deadline (ctx), Exhausted (the disk is full), TooLarge, Unavailable (anything
// else that may work later; it was tried again where that helps).
type Bucket interface {
	// Put stores what r gives under key, in place of an object that is there. Size
	// is how much that is, or -1 for as much as there is. When it fails the object
	// is what it was before. An error of r is returned as it is.
	Put(ctx context.Context, key string, r io.Reader, size int64) error
	// Get reads length bytes of an object from offset on; all that follow when
	// length is below 0. An object that ends before offset+length gives less, one
	// that ends before offset nothing. Close it.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// List gives the objects whose keys start with prefix and come after after, in
	// the order of their keys' bytes. It ends after an error. A folder that is not
	// there holds nothing.
	List(ctx context.Context, prefix, after string) iter.Seq2[Object, error]
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Sweep removes what uploads below prefix left that began before then and
	// never ended, and returns how many. Only one who knows that none of them is
	// still under way calls it.
	Sweep(ctx context.Context, prefix string, before time.Time) (int, error)
	// String says where the bucket is, without credentials.
	String() string
}

// Object is one entry of a list.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time // when it was put, by the clock of the place
}

// MaxKey bounds the length of a key.
const MaxKey = 512

// ValidKey returns an Invalid fault unless key is one or more names of letters,
// digits, '.', '_', '-', '+' and '=' with '/' between them, none of which starts with a
// dot: it means the same in a folder and in S3.
func ValidKey(key string) error {
	if len(key) <= MaxKey && validNames(key) {
		return nil
	}
	return fault.New(fault.Invalid, "name an object", fmt.Sprintf("%.80q is no key", key))
}

func validNames(key string) bool {
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || name[0] == '.' {
			return false
		}
		for _, c := range []byte(name) {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._-+=", c) >= 0) {
				return false
			}
		}
	}
	return true
}

// Open returns the bucket that place names:
//
//	/path or file:///path          a folder, which the first Put makes
//	s3://bucket/prefix             S3; keys are below prefix
//	?endpoint=https://host:port    of what speaks like S3; http:// only when it says so
//	&region=name                   asked of the service when it is not given
//
// It takes credentials for S3 from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN, or from the file of AWS_SHARED_CREDENTIALS_FILE or
// ~/.aws/credentials with AWS_PROFILE. Nothing is reached yet. Errors: Invalid.
func Open(place string) (Bucket, error) { return open(place, defaults) }

func open(place string, o options) (Bucket, error) {
	if filepath.IsAbs(place) {
		return &folder{path: filepath.Clean(place)}, nil
	}
	u, err := url.Parse(place)
	switch {
	case err != nil:
		return nil, invalid("%.200q is no URL", place) // err may quote a password
	case u.User != nil:
		return nil, invalid("a place holds no credentials; give them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case u.Scheme == "file" && u.Host == "" && u.RawQuery == "" && filepath.IsAbs(u.Path):
		return &folder{path: filepath.Clean(u.Path)}, nil
	case u.Scheme == "s3":
		return openS3(u, o)
	}
	return nil, invalid("%.200q is neither an absolute path, nor file:///path, nor s3://bucket/prefix", place)
}

// IsPlace reports whether text names a bucket rather than a file's path that is
// not absolute.
func IsPlace(text string) bool {
	return strings.HasPrefix(text, "s3://") || strings.HasPrefix(text, "file://")
}

// Folder returns the path of a bucket that is a folder.
func Folder(b Bucket) (path string, ok bool) {
	f, ok := b.(*folder)
	if !ok {
		return "", false
	}
	return f.path, true
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "open a bucket", fmt.Sprintf(format, args...))
}
