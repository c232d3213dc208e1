package plugin

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"a", true},
		{"shop", true},
		{"my-shop-2", true},
		{"0", true},
		{strings.Repeat("a", 63), true},
		{"", false},
		{"-a", false},
		{"a-", false},
		{"Shop", false},
		{"a_b", false},
		{"a/b", false},
		{"..", false},
		{"a.b", false},
		{"a\n", false},
		{"ä", false},
		{strings.Repeat("a", 64), false},
	} {
		err := CheckName(c.name)
		if (err == nil) != c.ok || err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("CheckName(%q) = %v, want ok = %v", c.name, err, c.ok)
		}
	}
}

func TestParseMount(t *testing.T) {
	for _, c := range []struct {
		in           string
		want         Mount // "" = Invalid
		host, prefix string
	}{
		{"/", "/", "", ""},
		{"/shop", "/shop", "", "/shop"},
		{"/shop/", "/shop", "", "/shop"},
		{"/shop/v1.2/~me_-", "/shop/v1.2/~me_-", "", "/shop/v1.2/~me_-"},
		{"example.org/", "example.org/", "example.org", ""},
		{"example.org/shop", "example.org/shop", "example.org", "/shop"},
		{"", "", "", ""},
		{"shop", "", "", ""},
		{"Example.org/", "", "", ""},
		{"example.org:80/", "", "", ""},
		{"//", "", "", ""},
		{"/a//b", "", "", ""},
		{"/a b", "", "", ""},
		{"/a%20b", "", "", ""},
		{"/{id}", "", "", ""},
		{"/.", "", "", ""},
		{"/a/../b", "", "", ""},
		{"/a/..", "", "", ""},
		{"/..a/b..", "/..a/b..", "", "/..a/b.."},
		{"/livez", "", "", ""},
		{"/readyz/", "", "", ""},
		{"example.org/livez", "", "", ""},
		{"/livez/below", "/livez/below", "", "/livez/below"},
		{"/livezz", "/livezz", "", "/livezz"},
		{"/" + strings.Repeat("a", MaxMount), "", "", ""},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := ParseMount(c.in)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Fatalf("ParseMount(%q) = %q, %v; want %q", c.in, got, err, c.want)
			}
			if err != nil {
				if fault.CodeOf(err) != fault.Invalid {
					t.Errorf("code %q, want Invalid", fault.CodeOf(err))
				}
				return
			}
			if got.Host() != c.host || got.Prefix() != c.prefix {
				t.Errorf("host %q, prefix %q; want %q, %q", got.Host(), got.Prefix(), c.host, c.prefix)
			}
			if again, err := ParseMount(string(got)); again != got || err != nil {
				t.Errorf("parsed again: %q, %v", again, err)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	d := DigestOf([]byte("abc"))
	const want = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if d != want {
		t.Errorf("DigestOf = %q, want %q", d, want)
	}
	if d.Hex() != want[7:] || d.Short() != want[7:19] {
		t.Errorf("Hex %q, Short %q", d.Hex(), d.Short())
	}
	if got, err := ParseDigest(want); got != d || err != nil {
		t.Errorf("ParseDigest = %q, %v", got, err)
	}
	for _, bad := range []string{"", want[7:], want + "0", strings.ToUpper(want), "sha256:../../../../etc/passwd", want + "\n"} {
		if got, err := ParseDigest(bad); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("ParseDigest(%q) = %q, %v; want Invalid", bad, got, err)
		}
	}
}
