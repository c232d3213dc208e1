package cargo

import (
	"crypto/sha256"
	"errors"
	"io"

	"github.com/wasmoor/wasmoor/host/internal/blob"
)

// PieceSize is how many bytes of a blob a piece has at most.
const PieceSize = 1 << 20

// Send calls take with what r gives, in pieces that fill buf and are valid within the call;
// of an empty blob with one that is empty. It returns how many bytes there were, and whether
// they are those of the digest. Errors are those of r and of take.
func Send(r io.Reader, d blob.Digest, buf []byte, take func(offset int64, piece []byte) error) (size int64, whole bool, err error) {
	sum := sha256.New()
	for {
		n, err := io.ReadFull(r, buf)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return size, false, err
		}
		_, _ = sum.Write(buf[:n]) // never fails
		if n > 0 || size == 0 {
			if err := take(size, buf[:n]); err != nil {
				return size, false, err
			}
		}
		if size += int64(n); last {
			return size, blob.Digest(sum.Sum(nil)) == d, nil
		}
	}
}
