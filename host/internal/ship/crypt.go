package ship

import (
	"io"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/agekey"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ToRecipients encrypts for age recipients, as agekey.Recipients reads them; "" for
// nobody.
func ToRecipients(text string) (Crypt, error) {
	all, err := agekey.Recipients(text)
	if err != nil || all == nil {
		return Crypt{}, err
	}
	return Crypt{Seal: func(w io.Writer) (io.WriteCloser, error) { return age.Encrypt(w, all...) }}, nil
}

// ByIdentity decrypts with the age identities of a text; "" for what is plain.
func ByIdentity(text string) (Crypt, error) {
	if text == "" {
		return Crypt{}, nil
	}
	all, err := agekey.Identities(text)
	if err != nil {
		return Crypt{}, fault.Wrap(fault.Invalid, "read the identity", fault.MessageOf(err), err)
	}
	return Crypt{Open: func(r io.Reader) (io.Reader, error) {
		plain, err := age.Decrypt(r, all...)
		if err != nil {
			return nil, fault.Wrap(fault.Denied, "read what was shipped", "it was encrypted for others than the identity that was given", err)
		}
		return plain, nil
	}}, nil
}
