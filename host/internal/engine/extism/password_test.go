package extism

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
)

func TestPasswords(t *testing.T) {
	c := newCaller(t, nil)
	hash := uint64(c.call("password_hash", c.block("secret")))
	if text := c.s.text(hash); len(text) != 97 || !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("got %q", text)
	}
	for _, step := range []struct {
		name      string
		got, want int64
	}{
		{"right", c.call("password_verify", c.block("secret"), hash), abi.PasswordRight},
		{"wrong", c.call("password_verify", c.block("Secret"), hash), abi.PasswordWrong},
		{"nobody's", c.call("password_verify", c.block("secret"), 0), abi.PasswordWrong},
		{"no hash", c.call("password_verify", c.block("secret"), c.block("x")), int64(abi.Invalid)},
		{"no block", c.call("password_verify", c.block("secret"), 7), int64(abi.BadPointer)},
		{"empty", c.call("password_hash", 0), int64(abi.Invalid)},
		{"long", c.call("password_hash", c.block(strings.Repeat("p", 4097))), int64(abi.Limit)},
	} {
		if step.got != step.want {
			t.Errorf("%s: got %d, want %d", step.name, step.got, step.want)
		}
	}
}
