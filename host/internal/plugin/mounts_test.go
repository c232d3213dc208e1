package plugin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestParseMounts(t *testing.T) {
	var many []string
	for i := range MaxMounts + 1 {
		many = append(many, fmt.Sprintf("h%d.example/", i))
	}
	most := strings.Join(many[:MaxMounts], " ")
	for _, c := range []struct {
		in, want string
		says     string // of an error
	}{
		{"/shop", "/shop", ""},
		{"/shop shop.example.org/", "/shop shop.example.org/", ""},
		{"  /shop/   shop.example.org/ ", "/shop shop.example.org/", ""},
		{"/shop /a /shop/", "/shop /a", ""}, // one that is named twice counts once
		{most + " h0.example/", most, ""},
		{strings.Join(many, " "), "", "33 mounts are named; a plugin has at most 32"},
		{"", "", `mount "" is not allowed`},
		{"/shop nowhere", "", `mount "nowhere" is not allowed`},
		{"/shop /livez", "", "/livez is reserved"},
	} {
		got, err := ParseMounts(c.in)
		if string(got) != c.want || (err == nil) != (c.says == "") || err != nil && (fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("ParseMounts(%.60q) = %q, %v; want %q, %q", c.in, got, err, c.want, c.says)
		}
		if again, err := ParseMounts(string(got)); got != "" && (again != got || err != nil) {
			t.Errorf("%q reads as %q, %v", got, again, err)
		}
	}
}

func TestMountsThatAreAskedFor(t *testing.T) {
	for _, c := range []struct{ wants, has, foreign string }{
		{"", "/shop", "[]"},
		{"/shop /shop/admin", "", "[]"},
		{"/shop other.example/", "/shop", "[other.example/]"},
		{"/other other.example/", "other.example/", "[/other]"},
		{"/a /b", "/shop", "[/a /b]"},
	} {
		if got := fmt.Sprint(Mounts(c.wants).Foreign("shop", Mounts(c.has))); got != c.foreign {
			t.Errorf("%q beside %q asks for %s, want %s", c.wants, c.has, got, c.foreign)
		}
	}
	if got := Mounts("/a b.example/").Flags(); got != "--mount /a --mount b.example/" {
		t.Error(got)
	}
}
