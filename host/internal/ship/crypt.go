package ship

import (
	"fmt"
	"io"
	"os"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/agekey"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// maxIdentity bounds what is read of a file of identities, in bytes.
const maxIdentity = 64 << 10

// ToRecipients encrypts for age recipients, as agekey.Recipients reads them; "" for
// nobody.
func ToRecipients(text string) (Crypt, error) {
	all, err := agekey.Recipients(text)
	if err != nil || all == nil {
		return Crypt{}, err
	}
	return Crypt{Seal: func(w io.Writer) (io.WriteCloser, error) { return age.Encrypt(w, all...) }}, nil
}

// ByIdentity decrypts with the age identities in a file; "" for what is plain.
func ByIdentity(file string) (Crypt, error) {
	if file == "" {
		return Crypt{}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return Crypt{}, fault.Wrap(fault.NotFound, "read the identity", fmt.Sprintf("cannot read %s", file), err)
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxIdentity))
	if err != nil {
		return Crypt{}, fault.Wrap(fault.Internal, "read the identity", fmt.Sprintf("cannot read %s", file), err)
	}
	all, err := agekey.Identities(string(text))
	if err != nil {
		return Crypt{}, fault.Wrap(fault.Invalid, "read the identity", fmt.Sprintf("%s: %s", file, fault.MessageOf(err)), err)
	}
	return Crypt{Open: func(r io.Reader) (io.Reader, error) {
		plain, err := age.Decrypt(r, all...)
		if err != nil {
			return nil, fault.Wrap(fault.Denied, "read what was shipped", "it was encrypted for others than the identities of "+file, err)
		}
		return plain, nil
	}}, nil
}
