// Package blobs keeps bytes too large for a value, of any size, under names of the plugin:
// uploads, pictures, exports. Plugins import it; the manifest asks for it with a line
// [blobs]. Names are a part of the request's transaction: a name is there if the request
// commits, and not at all if it does not. What a name holds does not change; another put
// replaces it.
//
//	routes.HandleFunc("PUT /photos/{id}", func(w *sdk.Response, r *sdk.Request) error {
//		kind := r.Header("content-type")
//		if kind != "image/jpeg" && kind != "image/png" { // no text/html, which browsers run
//			return sdk.Error(415, "a photo is a JPEG or a PNG")
//		}
//		_, err := blobs.PutBody("photos/"+r.PathValue("id"), blobs.Options{Type: kind})
//		return err
//	})
//	routes.HandleFunc("GET /photos/{id}", func(w *sdk.Response, r *sdk.Request) error {
//		return blobs.Answer("photos/"+r.PathValue("id"), "")
//	})
//
// The bytes of a request's body, of a response of package fetch and of an answer do not
// pass through the plugin's memory.
//
// Errors are of type *Error and wrap an abi.Status.
package blobs

import (
	"io"
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors, for errors.Is.
const (
	// ErrInvalid: a name is empty or no UTF-8, or a type or a disposition has control
	// characters.
	ErrInvalid = abi.Invalid
	// ErrNotFound: there is no blob of the name.
	ErrNotFound = abi.NotFound
	// ErrUnavailable: no request is being served, or the host's place for blobs is full or
	// not reached; nothing was done.
	ErrUnavailable = abi.Unavailable
	// ErrDenied: the manifest has no [blobs].
	ErrDenied = abi.Denied
	// ErrLimit: the quota of [blobs] is used up, a name has more than 512 bytes, a type more
	// than 255, metadata more than 2 KiB, a disposition more than 1 KiB, or 8 writers have not ended.
	ErrLimit = abi.Limit
)

// Error is a refused call.
type Error struct {
	Op     string // "put", "stat", ...
	Name   string
	Status abi.Status // below zero
	sizes  string     // what else may be too long
}

// Error names the call, the name and the reason.
func (e *Error) Error() string {
	s := "blob " + e.Op + ` "` + e.Name[:min(len(e.Name), shown)] + `": ` + e.Status.String()
	switch e.Status {
	case ErrDenied:
		s += ": the manifest has no [blobs]; add the line [blobs] to wasmoor.toml"
	case ErrUnavailable:
		s += ": no request is being handled, or the host cannot keep blobs at the moment; its log says why"
	case ErrLimit:
		s += ": " + e.limit()
	}
	return s
}

// shown is how many bytes of a name an error shows.
const shown = 100

// limit says what can be over a limit. Which limits there are, the host knows.
func (e *Error) limit() string {
	switch {
	case e.sizes != "":
		return e.sizes + " is too long"
	case e.Op == "create":
		return "too many writers have not ended: end each with Put or Drop"
	case e.Op == "write" || e.Op == "fetch":
		return "the quota of [blobs] is used up"
	}
	return "the name is too long"
}

// sized says how long something is.
func sized[T string | []byte](what string, value T) string {
	return what + " with " + strconv.Itoa(len(value)) + " bytes"
}

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

func check(op, name string, result int64) error { return checkSizes(op, name, result, "") }

func checkSizes(op, name string, result int64, sizes string) error {
	if result >= 0 {
		return nil
	}
	return &Error{Op: op, Name: name, Status: abi.Status(result), sizes: sizes}
}

func checkPut(name string, o Options, result int64) error {
	if result >= 0 {
		return nil
	}
	return checkSizes("put", name, result, "the quota of [blobs] is used up, or "+sized("the name", name)+", "+sized("the type", o.Type)+" or "+sized("the metadata", o.Metadata))
}

// Options are what else a name has.
type Options struct {
	Type     string // media type, e.g. "image/png"
	Metadata []byte // at most 2 KiB of the plugin's own
}

// Put puts bytes under a name, in place of the blob that has it.
func Put(name string, data []byte, o Options) error {
	w, err := Create()
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		w.Drop()
		return err
	}
	_, err = w.putOrDrop(name, o)
	return err
}

// putOrDrop is Put for a writer that nobody else has: one whose name is refused goes on.
func (w *Writer) putOrDrop(name string, o Options) (size int64, err error) {
	if size, err = w.Put(name, o); err != nil {
		w.Drop()
	}
	return size, err
}

// PutFrom puts what a reader gives to its end, and returns the size. The body of a
// response of package fetch does not pass through the plugin's memory.
func PutFrom(name string, r io.Reader, o Options) (size int64, err error) {
	w, err := Create()
	if err != nil {
		return 0, err
	}
	if _, err := w.ReadFrom(r); err != nil {
		w.Drop()
		return 0, err
	}
	return w.putOrDrop(name, o)
}

// PutBody puts the body of the request, whatever was read of it, and returns the size.
func PutBody(name string, o Options) (size int64, err error) {
	size = hostcall.BlobPut(0, name, o.Type, o.Metadata)
	return max(size, 0), checkPut(name, o, size)
}

// Writer is a blob of pieces. It ends with Put, with Drop, or with the request.
type Writer struct{ handle uint32 }

// Create begins a blob.
func Create() (*Writer, error) {
	handle := hostcall.BlobCreate()
	if err := check("create", "", handle); err != nil {
		return nil, err
	}
	return &Writer{uint32(handle)}, nil
}

// Write appends p.
func (w *Writer) Write(p []byte) (int, error) {
	if err := check("write", "", hostcall.BlobWrite(w.handle, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// piece is how much of a reader is in memory.
const piece = 32 << 10

// ReadFrom appends what r gives to its end.
func (w *Writer) ReadFrom(r io.Reader) (n int64, err error) {
	if call, ok := r.(interface{ CallHandle() uint32 }); ok {
		n = hostcall.BlobFetch(w.handle, call.CallHandle())
		return max(n, 0), check("fetch", "", n)
	}
	buf := make([]byte, piece)
	for {
		got, err := r.Read(buf)
		if got > 0 {
			if _, err := w.Write(buf[:got]); err != nil {
				return n, err
			}
			n += int64(got)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Put ends the blob and gives it a name, in place of the blob that has it. It returns the
// size.
func (w *Writer) Put(name string, o Options) (size int64, err error) {
	size = hostcall.BlobPut(w.handle, name, o.Type, o.Metadata)
	return max(size, 0), checkPut(name, o, size)
}

// Drop gives the blob up.
func (w *Writer) Drop() { hostcall.BlobDrop(w.handle) }

// Info is what is known of the blob of a name.
type Info struct {
	Name     string
	Size     int64
	Type     string // "" = not known
	Metadata []byte
	Digest   [32]byte // SHA-256 of the bytes
	Created  time.Time
}

func infoOf(name string, b *abi.Blob) Info {
	i := Info{Name: name, Size: int64(b.Size), Type: b.Type, Metadata: []byte(b.Metadata), Created: time.UnixMilli(b.Created)}
	copy(i.Digest[:], b.Digest)
	return i
}

// Stat returns what is known of the blob of a name; false if there is none.
func Stat(name string) (Info, bool, error) {
	b, status := hostcall.Read(func(buf []byte) int64 { return hostcall.BlobStat(name, buf) })
	var head abi.Blob
	switch {
	case status == abi.NotFound:
		return Info{}, false, nil
	case status >= 0 && !abi.DecodeBlob(string(b), &head):
		status = abi.Internal
	}
	if status < 0 {
		return Info{}, false, &Error{Op: "stat", Name: name, Status: status}
	}
	return infoOf(name, &head), true, nil
}

// Delete removes a name, present or not.
func Delete(name string) error { return check("delete", name, hostcall.BlobDelete(name)) }

// Answer makes the blob of a name the body of the response. The status and header are
// those of sdk.Response; the host adds what they do not say: the blob's type, an ETag, and
// the disposition, if that is not empty. It serves ranges and conditional requests. Write
// no body besides.
func Answer(name, disposition string) error {
	result := hostcall.BlobAnswer(name, disposition)
	if result >= 0 {
		return nil
	}
	return checkSizes("answer", name, result, sized("the name", name)+" or "+sized("the disposition", disposition))
}

// Attachment returns a disposition that has a browser save the answer as a file of that
// name.
func Attachment(filename string) string {
	const hex = "0123456789ABCDEF"
	b := []byte("attachment; filename*=UTF-8''")
	for _, c := range []byte(filename) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
