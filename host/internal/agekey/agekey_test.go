package agekey_test

import (
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/wasmoor/wasmoor/host/internal/agekey"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestKeys(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key, secret := identity.Recipient().String(), identity.String()
	for text, want := range map[string]int{"": 0, " , ": 0, key: 1, key + ", " + key: 2, key + " " + key: 2} {
		if got, err := agekey.Recipients(text); len(got) != want || err != nil {
			t.Errorf("%q: %d recipients, %v", text, len(got), err)
		}
	}
	for _, text := range []string{"age1nobody", key + ",x", secret, key + ";" + key} {
		if _, err := agekey.Recipients(text); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q is taken: %v", text, err)
		}
	}
	if got, err := agekey.Identities("# a comment\n" + secret + "\n"); len(got) != 1 || err != nil {
		t.Errorf("%d identities, %v", len(got), err)
	}
	for _, text := range []string{"", key, "x" + secret} {
		_, err := agekey.Identities(text)
		if fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
