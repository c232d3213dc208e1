package invoke

import (
	"io"
	"os"
)

// Body is the body of a request: bytes in memory, or a part of a file when it is
// too large for that. It may be read any number of times, each attempt from its
// start, and by many goroutines. The zero Body is empty. Whoever made it owns
// the memory or the file; it is valid until the invocation is over.
type Body struct {
	bytes []byte
	file  io.ReaderAt
	size  int64
	sum   [32]byte // with BodyOfFile
}

// BodyOf returns a Body of b, which it does not copy.
func BodyOf(b []byte) Body { return Body{bytes: b, size: int64(len(b))} }

// BodyIn returns a Body of the first size bytes of file.
func BodyIn(file io.ReaderAt, size int64) Body { return Body{file: file, size: size} }

// BodyOfFile is BodyIn for the whole of a file that has a name and is not written to
// again; sum is the SHA-256 of its bytes.
func BodyOfFile(file *os.File, size int64, sum [32]byte) Body {
	return Body{file: file, size: size, sum: sum}
}

// File returns what BodyOfFile was given, nil for another body.
func (b *Body) File() (file *os.File, sum [32]byte) {
	file, _ = b.file.(*os.File)
	return file, b.sum
}

// Size returns how many bytes the body has.
func (b *Body) Size() int64 { return b.size }

// ReadAt implements io.ReaderAt. An error other than io.EOF is that of the file.
func (b *Body) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= b.size {
		return 0, io.EOF
	}
	left := b.size - offset
	short := int64(len(p)) > left
	if short {
		p = p[:left]
	}
	var n int
	if b.file == nil {
		n = copy(p, b.bytes[offset:])
	} else if got, err := b.file.ReadAt(p, offset); got < len(p) {
		return got, unexpected(err)
	} else {
		n = got
	}
	if short {
		return n, io.EOF
	}
	return n, nil
}

// unexpected is what an end of the file before that of the body is.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // io.ReaderAt returns it as it is
		return io.ErrUnexpectedEOF
	}
	return err
}

// InMemory returns the bytes of a body that is in memory, without copying them.
func (b *Body) InMemory() ([]byte, bool) { return b.bytes, b.file == nil }

// WriteTo implements io.WriterTo, from the start each time.
func (b *Body) WriteTo(w io.Writer) (int64, error) {
	if b.file == nil {
		n, err := w.Write(b.bytes)
		return int64(n), err
	}
	return io.Copy(w, io.NewSectionReader(b, 0, b.size))
}
