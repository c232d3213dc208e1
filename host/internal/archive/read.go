package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// Content takes what an archive holds, in this order. What it gets has not been
// checked as a whole before Read returns.
type Content interface {
	Begin(h Header) error
	Settings(text []byte) error
	Module(digits string, module []byte) error
	// Store reads r to its end.
	Store(r io.Reader) (entries int64, err error)
	// Blobs reads r to its end, and returns how many blobs there were, and their bytes. It
	// is called where the archive has some.
	Blobs(r io.Reader) (count, bytes int64, err error)
}

// Bounds of what is read.
const (
	maxHeader   = 64 << 10
	maxSettings = 1 << 20
	maxRow      = 512 // of the index, for a part
	maxParts    = 1 << 20
)

// Read reads an archive to its end, gives c what it holds, and returns without an
// error only if it is whole. Errors by fault code: Invalid (it is none, damaged, cut
// off, or of a newer program), Denied (it is encrypted, and not for identities),
// those of r and c.
func Read(r io.Reader, c Content, identities ...age.Identity) (Info, error) {
	source := &sourced{r: r}
	a := &reader{whole: newSumming(io.Discard), content: c}
	in := bufio.NewReaderSize(io.TeeReader(source, a.whole), 64<<10)
	err := a.open(in, identities)
	if err == nil {
		err = a.parts()
	}
	if err == nil {
		err = a.end(in)
	}
	if a.zstd != nil {
		a.zstd.Close()
	}
	if source.err != nil {
		return Info{}, source.err // the rest comes of it
	}
	if err != nil {
		return Info{}, a.explain(err)
	}
	a.info.Size, a.info.SHA256 = a.whole.n, a.whole.hex()
	return a.info, nil
}

// sourced keeps an error of the source apart from what it leads to.
type sourced struct {
	r   io.Reader
	err error
}

func (s *sourced) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// explain says what an error of a layer below means.
func (a *reader) explain(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "", "the backup is cut off: it ends before its index; was the disk full, or the transfer interrupted?")
	}
	if a.info.Encrypted { // age tells no cut from other damage
		return fault.Wrap(fault.Invalid, "", "the backup is damaged or cut off", err)
	}
	return fault.Wrap(fault.Invalid, "", "the backup is damaged", err)
}

type reader struct {
	info    Info
	content Content
	whole   *summing
	held    *holding
	zstd    *zstd.Decoder
	tar     *tar.Reader
	next    *tar.Header // of the part at hand, nil before name
	found   []Part
	err     error // of the last name
}

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

const ageMagic = "age-encryption.org/v1\n"

func (a *reader) open(in *bufio.Reader, identities []age.Identity) error {
	head, err := in.Peek(len(ageMagic))
	if err != nil && len(head) == 0 {
		return fault.New(fault.Invalid, "", "the backup is empty")
	}
	var body io.Reader = in
	switch {
	case string(head) == ageMagic:
		a.info.Encrypted = true
		if body, err = decrypt(in, identities); err != nil {
			return err
		}
	case !bytes.HasPrefix(head, zstdMagic):
		return fault.New(fault.Invalid, "", "this is no backup of wasmoor: it begins neither like zstd nor like age")
	}
	a.held = &holding{r: body, sum: sha256.New()}
	a.zstd, err = zstd.NewReader(a.held, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	a.tar = tar.NewReader(a.zstd)
	return nil
}

func decrypt(in io.Reader, identities []age.Identity) (io.Reader, error) {
	if len(identities) == 0 {
		return nil, fault.New(fault.Denied, "", "the backup is encrypted; name the file of its identity with --identity")
	}
	body, err := age.Decrypt(in, identities...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, fault.New(fault.Denied, "", "the backup is encrypted, and not for this identity; name the file of the one whose recipient it was made for")
	}
	return body, err
}

// name returns that of the part at hand; "" when there is none, and err says why.
func (a *reader) name() string {
	if a.next == nil && a.err == nil {
		a.next, a.err = a.tar.Next()
		switch {
		case errors.Is(a.err, io.EOF):
			a.err = io.ErrUnexpectedEOF // before the index
		case a.err == nil && (a.next.Typeflag != tar.TypeReg || len(a.found) >= maxParts):
			a.err = damaged("%.100q is no part of a backup", a.next.Name)
		}
	}
	if a.err != nil {
		return ""
	}
	return a.next.Name
}

// read returns the part that name has named, and ends with it.
func (a *reader) read(most int64) ([]byte, error) {
	if a.next.Size > most {
		return nil, damaged("%.100q has %d bytes, at most %d", a.next.Name, a.next.Size, most)
	}
	data := make([]byte, a.next.Size)
	if _, err := io.ReadFull(a.tar, data); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	a.found = append(a.found, Part{a.next.Name, a.next.Size, hex.EncodeToString(sum[:])})
	a.info.Content += a.next.Size
	a.next = nil
	return data, nil
}

var moduleName = regexp.MustCompile(`^` + modulePrefix + `([0-9a-f]{64})\` + moduleSuffix + `$`)

// parts reads all parts up to the index.
func (a *reader) parts() error {
	if err := a.header(); err != nil {
		return err
	}
	if a.name() == settingsName {
		text, err := a.read(maxSettings)
		if err != nil {
			return err
		}
		if err := a.content.Settings(text); err != nil {
			return err
		}
	}
	for m := moduleName.FindStringSubmatch(a.name()); m != nil; m = moduleName.FindStringSubmatch(a.name()) {
		module, err := a.read(limit.Module)
		if err != nil {
			return err
		}
		if found := a.found[len(a.found)-1]; found.SHA256 != m[1] {
			return damaged("module %s has another digest, %s", m[1], found.SHA256)
		}
		a.info.Modules++
		if err := a.content.Module(m[1], module); err != nil {
			return err
		}
	}
	if a.err != nil {
		return a.err
	}
	return a.store()
}

func (a *reader) header() error {
	if name := a.name(); a.err != nil {
		return a.err
	} else if name != headerName {
		return fault.New(fault.Invalid, "", "this is no backup of wasmoor: it does not begin with "+headerName)
	}
	text, err := a.read(maxHeader)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &a.info.Header); err != nil || a.info.Format < 1 {
		return damaged("its header cannot be read")
	}
	if a.info.Format > Format {
		return fault.New(fault.Invalid, "", fmt.Sprintf("the backup was made by a newer wasmoor, %q (format %d; this one knows %d); use that version", a.info.Program, a.info.Format, Format))
	}
	return a.content.Begin(a.info.Header)
}

func (a *reader) store() error {
	err := a.pieces(storePrefix, func(r io.Reader) (err error) {
		a.info.Entries, err = a.content.Store(r)
		return err
	})
	if err != nil || a.name() != blobsPrefix+firstPiece {
		return err // a name that cannot be read is told where the index belongs
	}
	return a.pieces(blobsPrefix, func(r io.Reader) (err error) {
		a.info.Blobs.Count, a.info.Blobs.Bytes, err = a.content.Blobs(r)
		return err
	})
}

// pieces has read read the parts that begin with a prefix.
func (a *reader) pieces(prefix string, read func(io.Reader) error) error {
	p := &joined{a: a, prefix: prefix}
	err := read(p)
	if p.err != nil && !errors.Is(p.err, io.EOF) {
		return p.err
	}
	if err != nil {
		return err
	}
	if !errors.Is(p.err, io.EOF) || p.n == 0 {
		return damaged("something follows %s, or there is none", strings.TrimSuffix(prefix, "/"))
	}
	return nil
}

const firstPiece = "00000001"

// joined is the pieces of the store, or of blobs, as one stream.
type joined struct {
	a      *reader
	prefix string
	piece  []byte
	n      int
	err    error
}

func (p *joined) Read(b []byte) (int, error) {
	for len(p.piece) == 0 && p.err == nil {
		if name := p.a.name(); name != fmt.Sprintf("%s%08d", p.prefix, p.n+1) {
			p.err = cmp.Or(p.a.err, io.EOF)
			break
		}
		p.n++
		p.piece, p.err = p.a.read(pieceSize)
	}
	if len(p.piece) == 0 {
		return 0, p.err
	}
	n := copy(b, p.piece)
	p.piece = p.piece[n:]
	return n, nil
}

// end reads the index and what follows it.
func (a *reader) end(in io.Reader) error {
	if name := a.name(); a.err != nil {
		return a.err
	} else if name != indexName {
		return damaged("%.100q is where its index belongs", name)
	}
	if a.next.Size > int64(maxHeader+maxRow*len(a.found)) {
		return damaged("its index has %d bytes", a.next.Size)
	}
	var want index
	if err := json.NewDecoder(a.tar).Decode(&want); err != nil {
		return damaged("its index cannot be read")
	}
	if err := same(want.Parts, a.found); err != nil {
		return err
	}
	if want.Entries != a.info.Entries {
		return damaged("its store has %d entries, and there were %d", a.info.Entries, want.Entries)
	}
	if want.Blobs.Count != a.info.Blobs.Count || want.Blobs.Bytes != a.info.Blobs.Bytes {
		return damaged("it has %d blobs of %d bytes, and there were %d of %d", a.info.Blobs.Count, a.info.Blobs.Bytes, want.Blobs.Count, want.Blobs.Bytes)
	}
	a.info.Revision, a.info.Blobs = want.Revision, want.Blobs
	if _, err := a.tar.Next(); !errors.Is(err, io.EOF) {
		return damaged("something follows its index")
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(a.zstd, 64<<10)); err != nil || n > 32<<10 {
		return damaged("something follows its end")
	}
	if err := a.held.check(); err != nil {
		return err
	}
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return damaged("something follows its end")
	}
	return nil
}

func same(want, found []Part) error {
	for i, p := range want {
		switch {
		case i >= len(found) || found[i].Name != p.Name:
			return damaged("part %s is missing", p.Name)
		case found[i] != p:
			return damaged("part %s has another SHA-256 than its index says", p.Name)
		}
	}
	if len(found) > len(want) {
		return damaged("part %s is not in its index", found[len(want)].Name)
	}
	return nil
}
