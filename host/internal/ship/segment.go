package ship

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/store/stream"
)

// Crypt encrypts what is shipped, and decrypts it; nil functions leave it plain.
type Crypt struct {
	Seal func(io.Writer) (io.WriteCloser, error)
	Open func(io.Reader) (io.Reader, error)
}

// A base or a segment is an object:
//
//	"wmship1\n"
//	u32 little-endian: length of the header; the header in JSON
//	the groups of store/stream, compressed with zstd, perhaps encrypted
//	SHA-256 of all before
const (
	magic     = "wmship1\n"
	maxHeader = 4 << 10
)

// header is in front of a base or a segment.
type header struct {
	Layout     int        `json:"layout"` // format of the entries: that of the store
	Generation Generation `json:"generation"`
	Seq        uint64     `json:"seq"` // of a base: of the segment that follows it
	Base       bool       `json:"base,omitempty"`
	Previous   string     `json:"previous,omitempty"` // hash of the segment before, in hex
	Encrypted  bool       `json:"encrypted,omitempty"`
}

// sealer writes an object.
type sealer struct {
	*stream.Writer
	out     *bufio.Writer
	counted counter
	sum     hash.Hash
	closers []io.Closer
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// newSealer begins an object in w. Finish it.
func newSealer(w io.Writer, h header, crypt Crypt) (*sealer, error) {
	s := &sealer{sum: sha256.New()}
	s.out = bufio.NewWriterSize(io.MultiWriter(w, s.sum, &s.counted), 64<<10)
	h.Encrypted = crypt.Seal != nil
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	_, _ = s.out.WriteString(magic) // an error comes back at the next Flush
	_, _ = s.out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(head))))
	_, _ = s.out.Write(head)
	var body io.Writer = s.out
	if h.Encrypted {
		sealed, err := crypt.Seal(s.out)
		if err != nil {
			return nil, err
		}
		body, s.closers = sealed, append(s.closers, sealed)
	}
	z, err := zstd.NewWriter(body, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, z)
	s.Writer = stream.NewWriter(z)
	return s, nil
}

// finish ends the object and returns its hash.
func (s *sealer) finish(w io.Writer) (sum string, err error) {
	err = s.Writer.Close()
	for _, c := range slices.Backward(s.closers) {
		err = errors.Join(err, c.Close())
	}
	if err = errors.Join(err, s.out.Flush()); err != nil {
		return "", err
	}
	total := s.sum.Sum(nil)
	_, err = w.Write(total)
	return hex.EncodeToString(total), err
}

// check reads an object to its end and returns its header, the hash, and an error
// unless it is whole.
func check(r io.Reader) (h header, sum string, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	digest := sha256.New()
	var held []byte
	buf := make([]byte, 64<<10)
	var head bytes.Buffer
	for {
		n, err := in.Read(buf)
		held = append(held, buf[:n]...)
		if over := len(held) - sha256.Size; over > 0 {
			digest.Write(held[:over])
			if head.Len() < len(magic)+4+maxHeader {
				head.Write(held[:over])
			}
			held = append(held[:0], held[over:]...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return h, "", err
		}
	}
	if total := digest.Sum(nil); !bytes.Equal(total, held) {
		return h, "", damaged("it is cut or damaged: its SHA-256 is not the one at its end")
	}
	h, err = readHeader(&head)
	return h, hex.EncodeToString(held), err
}

func damaged(format string, args ...any) error {
	return fault.New(fault.Invalid, "read what was shipped", fmt.Sprintf(format, args...))
}

func readHeader(r io.Reader) (h header, err error) {
	b := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, b); err != nil || string(b[:len(magic)]) != magic {
		return h, damaged("it is not something that wasmoor has shipped")
	}
	n := binary.LittleEndian.Uint32(b[len(magic):])
	if n > maxHeader {
		return h, damaged("its header has %d bytes, at most %d", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, damaged("it ends within its header")
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, damaged("its header is damaged")
	}
	return h, nil
}

// groups reads the groups of an object that check has found whole. Close the closer.
func groups(r io.Reader, size int64, crypt Crypt) (*stream.Reader, func(), error) {
	in := bufio.NewReaderSize(io.LimitReader(r, size-sha256.Size), 64<<10)
	h, err := readHeader(in)
	if err != nil {
		return nil, nil, err
	}
	var body io.Reader = in
	if h.Encrypted {
		if crypt.Open == nil {
			return nil, nil, fault.New(fault.Denied, "read what was shipped", "it is encrypted: name the file of the identity with --identity")
		}
		if body, err = crypt.Open(in); err != nil {
			return nil, nil, err
		}
	}
	z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, nil, err
	}
	return stream.NewReader(z), z.Close, nil
}
