// Package archive is the form of a backup: one stream that standard tools open. It is
// a tar archive, compressed with zstd, and perhaps encrypted with age:
//
//	backup.json        the Header
//	settings.toml      what the server was told, for a person
//	modules/HEX.wasm   each module by its digest
//	store/NNNNNNNN     pieces of the store, a stream of package store/stream
//	blobs/NNNNNNNN     pieces of the bytes of blobs, another such stream, if there are any
//	index.json         the revision, and the size and SHA-256 of each part before
//
// After the last zstd frame comes a skippable frame with the SHA-256 of all bytes
// before it, so that a byte that was flipped or cut off is found wherever it was.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Format is that of the archive: of its parts and their names. A program reads all
// up to its own. Format 1 had no blobs; the data of a plugin still is of that format.
const Format = 2

// Header says what an archive is, before all else.
type Header struct {
	Format  int       `json:"format"`  // of the archive
	Program string    `json:"program"` // version of the program that wrote it
	Created time.Time `json:"created"`
	Store   string    `json:"store"`  // id of the store
	Layout  int       `json:"layout"` // format of the store
	Records int       `json:"records"`
	ABI     int       `json:"abi"`
	Plugin  string    `json:"plugin,omitempty"` // whose data alone it is; "" = it is of a whole server
}

// Part is one file of the archive.
type Part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Blobs says what an archive has of the blobs that its store names.
type Blobs struct {
	Count   int64  `json:"count"`           // whose bytes are in the archive
	Bytes   int64  `json:"bytes"`           // of these
	Missing int64  `json:"missing"`         // whose bytes were not there, or damaged
	Place   string `json:"place,omitempty"` // that keeps the bytes, none of which are in the archive then
}

// index ends an archive.
type index struct {
	Revision uint64 `json:"revision"`
	Entries  int64  `json:"entries"`
	Blobs    Blobs  `json:"blobs,omitzero"`
	Parts    []Part `json:"parts"`
}

// Info is what is known of a whole archive.
type Info struct {
	Header

	Revision  uint64 `json:"revision"` // all its records are those of this revision
	Entries   int64  `json:"entries"`  // of the store
	Blobs     Blobs  `json:"blobs,omitzero"`
	Modules   int    `json:"modules"`
	Content   int64  `json:"content"` // bytes of its parts
	Size      int64  `json:"size"`    // bytes of the archive
	SHA256    string `json:"sha256"`  // of the archive, as sha256sum has it
	Encrypted bool   `json:"encrypted"`
}

const (
	headerName   = "backup.json"
	settingsName = "settings.toml"
	modulePrefix = "modules/"
	moduleSuffix = ".wasm"
	storePrefix  = "store/"
	blobsPrefix  = "blobs/"
	indexName    = "index.json"

	// pieceSize is how much of the store or of blobs is in memory before it is written.
	pieceSize = 4 << 20
)

// trailer begins a skippable frame of zstd (RFC 8878, 3.1.2) of a sum's length.
var trailer = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 0x184D2A57), sha256.Size)

// trailerSize is that of the whole frame.
var trailerSize = len(trailer) + sha256.Size

// Writer writes an archive. Not safe for concurrent use.
type Writer struct {
	info  Info
	tar   *tar.Writer
	zstd  *zstd.Encoder
	out   *summing // what the trailer is about
	whole *summing // what leaves
	age   io.WriteCloser
	index index
}

// summing passes on bytes, with their hash and count.
type summing struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func newSumming(w io.Writer) *summing { return &summing{w: w, sum: sha256.New()} }

func (s *summing) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum.Write(p[:n])
	s.n += int64(n)
	return n, err
}

func (s *summing) hex() string { return hex.EncodeToString(s.sum.Sum(nil)) }

// NewWriter begins an archive on w, for recipients when there are any. Finish it.
// Errors are those of w.
func NewWriter(w io.Writer, h Header, recipients ...age.Recipient) (*Writer, error) {
	h.Format = Format
	if h.Plugin != "" {
		h.Format = 1
	}
	a := &Writer{info: Info{Header: h, Encrypted: len(recipients) > 0}, whole: newSumming(w)}
	var out io.Writer = a.whole
	if len(recipients) > 0 {
		sealed, err := age.Encrypt(a.whole, recipients...)
		if err != nil {
			return nil, err
		}
		a.age, out = sealed, sealed
	}
	a.out = newSumming(out)
	var err error
	if a.zstd, err = zstd.NewWriter(a.out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20)); err != nil {
		return nil, err
	}
	a.tar = tar.NewWriter(a.zstd)
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, err
	}
	return a, a.part(headerName, text)
}

func (a *Writer) part(name string, data []byte) error {
	sum := sha256.Sum256(data)
	a.index.Parts = append(a.index.Parts, Part{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
	a.info.Content += int64(len(data))
	return a.file(name, data)
}

func (a *Writer) file(name string, data []byte) error {
	err := a.tar.WriteHeader(&tar.Header{
		Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: a.info.Created.Truncate(time.Second), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
	})
	if err != nil {
		return err
	}
	_, err = a.tar.Write(data)
	return err
}

// Settings adds what the server was told.
func (a *Writer) Settings(text []byte) error { return a.part(settingsName, text) }

// Module adds a module whose digest has these digits.
func (a *Writer) Module(digits string, module []byte) error {
	a.info.Modules++
	return a.part(modulePrefix+digits+moduleSuffix, module)
}

// Store adds the store, as write writes it. Call it once, after all modules.
func (a *Writer) Store(write func(io.Writer) error) error { return a.pieces(storePrefix, write) }

// Blobs adds the bytes of blobs, as write writes them, and what it says of them. Call it at
// most once, after Store.
func (a *Writer) Blobs(write func(io.Writer) (Blobs, error)) error {
	return a.pieces(blobsPrefix, func(w io.Writer) (err error) {
		a.index.Blobs, err = write(w)
		a.info.Blobs = a.index.Blobs
		return err
	})
}

func (a *Writer) pieces(prefix string, write func(io.Writer) error) error {
	p := &pieces{archive: a, prefix: prefix}
	if err := write(p); err != nil {
		return err
	}
	return p.flush()
}

// pieces cuts a stream of unknown length into parts.
type pieces struct {
	archive *Writer
	prefix  string
	buf     bytes.Buffer
	n       int
}

func (p *pieces) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		take := min(len(b), pieceSize-p.buf.Len())
		_, _ = p.buf.Write(b[:take])
		n, b = n+take, b[take:]
		if p.buf.Len() == pieceSize {
			if err := p.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (p *pieces) flush() error {
	if p.buf.Len() == 0 {
		return nil
	}
	p.n++
	defer p.buf.Reset()
	return p.archive.part(fmt.Sprintf("%s%08d", p.prefix, p.n), p.buf.Bytes())
}

// Finish ends the archive: only now is it one.
func (a *Writer) Finish(revision uint64, entries int64) (Info, error) {
	a.index.Revision, a.index.Entries = revision, entries
	text, err := json.MarshalIndent(a.index, "", " ")
	if err == nil {
		err = a.file(indexName, text)
	}
	if err == nil {
		err = errors.Join(a.tar.Close(), a.zstd.Close())
	}
	if err == nil {
		_, err = a.out.w.Write(append(bytes.Clone(trailer), a.out.sum.Sum(nil)...))
	}
	if err == nil && a.age != nil {
		err = a.age.Close()
	}
	if err != nil {
		return Info{}, err
	}
	a.info.Revision, a.info.Entries = revision, entries
	a.info.Size, a.info.SHA256 = a.whole.n, a.whole.hex()
	return a.info, nil
}

// Abandon releases what an archive that is not finished holds.
func (a *Writer) Abandon() { a.zstd.Reset(nil) }

// Sealing writes a plain archive that was made elsewhere, and encrypts it when there
// are recipients. Close it.
type Sealing struct {
	io.Writer

	whole *summing
	age   io.WriteCloser
}

// Seal returns a Sealing to w.
func Seal(w io.Writer, recipients ...age.Recipient) (*Sealing, error) {
	s := &Sealing{whole: newSumming(w)}
	s.Writer = s.whole
	if len(recipients) > 0 {
		sealed, err := age.Encrypt(s.whole, recipients...)
		if err != nil {
			return nil, err
		}
		s.Writer, s.age = sealed, sealed
	}
	return s, nil
}

// Close ends what was written; it does not close what is below.
func (s *Sealing) Close() error {
	if s.age == nil {
		return nil
	}
	return s.age.Close()
}

// Of returns the info of the archive as it was written.
func (s *Sealing) Of(plain Info) Info {
	plain.Encrypted, plain.Size, plain.SHA256 = s.age != nil, s.whole.n, s.whole.hex()
	return plain
}

func damaged(format string, args ...any) error {
	return fault.New(fault.Invalid, "", "the backup is damaged: "+fmt.Sprintf(format, args...))
}
