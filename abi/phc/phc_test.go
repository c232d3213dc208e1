package phc_test

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/phc"
)

const (
	salt = "c29tZXNhbHQxMjM0NTY3OA"                      // 16 bytes
	sum  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" // 32 bytes
)

func TestParse(t *testing.T) {
	fresh := "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum
	for name, c := range map[string]struct {
		text  string
		want  abi.Status
		stale bool
	}{
		"a new one":       {fresh, abi.OK, false},
		"argon2-cffi":     {"$argon2id$v=19$m=65536,t=3,p=4$" + salt + "$" + sum, abi.OK, true},
		"PHP":             {"$argon2id$v=19$m=65536,t=4,p=1$" + salt + "$" + sum, abi.OK, true},
		"a short sum":     {"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAAAAAAAAAAAAAAAAAAAA", abi.OK, true},
		"the least":       {"$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", abi.OK, true},
		"much memory":     {"$argon2id$v=19$m=65537,t=1,p=1$" + salt + "$" + sum, abi.Limit, false},
		"4 TiB":           {"$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + sum, abi.Limit, false},
		"many passes":     {"$argon2id$v=19$m=65536,t=5,p=1$" + salt + "$" + sum, abi.Limit, false},
		"4 billion":       {"$argon2id$v=19$m=8,t=4294967295,p=1$" + salt + "$" + sum, abi.Limit, false},
		"many lanes":      {"$argon2id$v=19$m=65536,t=1,p=17$" + salt + "$" + sum, abi.Limit, false},
		"over 32 bits":    {"$argon2id$v=19$m=4294967296,t=1,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"no memory":       {"$argon2id$v=19$m=0,t=1,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"too little":      {"$argon2id$v=19$m=31,t=1,p=4$" + salt + "$" + sum, abi.Invalid, false},
		"no pass":         {"$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"no lane":         {"$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + sum, abi.Invalid, false},
		"a sign":          {"$argon2id$v=19$m=+64,t=1,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"a zero before":   {"$argon2id$v=19$m=064,t=1,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"another order":   {"$argon2id$v=19$t=1,m=64,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"a parameter":     {"$argon2id$v=19$m=64,t=1,p=1,data=AA$" + salt + "$" + sum, abi.Invalid, false},
		"argon2i":         {"$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"version 16":      {"$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"no version":      {"$argon2id$m=64,t=1,p=1$" + salt + "$" + sum, abi.Invalid, false},
		"bcrypt":          {"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", abi.Invalid, false},
		"no sum":          {"$argon2id$v=19$m=64,t=1,p=1$" + salt, abi.Invalid, false},
		"a fourth part":   {fresh + "$" + sum, abi.Invalid, false},
		"an empty sum":    {"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$", abi.Invalid, false},
		"a sum of 4":      {"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAAAA", abi.Invalid, false},
		"a short salt":    {"$argon2id$v=19$m=64,t=1,p=1$AAAA$" + sum, abi.Invalid, false},
		"padding":         {fresh + "=", abi.Invalid, false},
		"bits left over":  {fresh[:len(fresh)-1] + "B", abi.Invalid, false},
		"a line break":    {fresh + "\n", abi.Invalid, false},
		"a break inside":  {fresh[:len(fresh)-1] + "\n" + fresh[len(fresh)-1:], abi.Invalid, false},
		"nothing":         {"", abi.Invalid, false},
		"only the prefix": {"$argon2id$v=19$", abi.Invalid, false},
		"long":            {strings.Repeat("$", 513), abi.Limit, false},
	} {
		h, got := phc.Parse(c.text)
		if got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
			continue
		}
		if got == abi.OK && (h.Stale() != c.stale || h.String() != c.text) {
			t.Errorf("%s: stale is %v, and it becomes %s", name, h.Stale(), h.String())
		}
	}
}

func TestNew(t *testing.T) {
	h := phc.New(make([]byte, phc.SaltSize))
	if s := h.String(); len(s) != phc.Size || h.Stale() {
		t.Errorf("%q has %d bytes, not %d, or is stale", s, len(s), phc.Size)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum)
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$" + salt + "$" + sum)
	f.Add("$argon2i$v=16$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, s string) {
		if h, status := phc.Parse(s); status == abi.OK && (h.String() != s || h.Memory*h.Passes > 256<<10) {
			t.Errorf("%q becomes %q", s, h.String())
		}
	})
}
