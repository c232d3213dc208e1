// Package agekey reads the keys of age that backups and shipped commits are encrypted
// with. Packages backup and ship, and the commands of backups, import it.
package agekey

import (
	"fmt"
	"strings"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Recipients reads public keys, with commas or spaces between them; none in "". The
// error is Invalid and names the one that is wrong.
func Recipients(text string) (all []age.Recipient, err error) {
	between := func(r rune) bool { return r == ',' || r == ' ' }
	for _, word := range strings.FieldsFunc(text, between) {
		one, err := age.ParseRecipients(strings.NewReader(word))
		if err != nil {
			return nil, fault.New(fault.Invalid, "", fmt.Sprintf("%.80q is no recipient of age; it looks like age1... and age-keygen makes one", word))
		}
		all = append(all, one...)
	}
	return all, nil
}

// Identities reads the text of a file of identities. The error is Invalid.
func Identities(text string) ([]age.Identity, error) {
	all, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil { // it may quote a key
		return nil, fault.New(fault.Invalid, "", "the file holds no identity of age; age-keygen makes one, which begins with AGE-SECRET-KEY-1")
	}
	return all, nil
}
