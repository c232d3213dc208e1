package auth

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestMay(t *testing.T) {
	ann := Identity{Name: "ann", Kind: KindToken, Role: Deployer, Plugins: "shop,shop-*"}
	for _, tt := range []struct {
		who    Identity
		least  Role
		plugin string
		want   string // in the message; "" = it may
	}{
		{ann, Viewer, "shop", ""},
		{ann, Deployer, "shop-a", ""},
		{ann, Operator, "shop-a", `takes the role operator, and "ann" has the role deployer`},
		{ann, Viewer, "shopping", `for the plugins shop,shop-*, and "shopping" is none of them`},
		{ann, Viewer, "", "about the whole server"},
		{machine, Owner, "", ""},
		{machine, Owner, "x", ""},
		{Identity{}, Viewer, "x", "nobody has the role nobody"},
		{Identity{Role: Owner}, Viewer, "x", "is none of them"},
		{Identity{Role: Owner}, Viewer, "", "the whole server"},
	} {
		err := tt.who.May(tt.least, tt.plugin)
		if tt.want == "" && err != nil || tt.want != "" && (fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v, %s, %q: %v, want %q", tt.who, tt.least, tt.plugin, err, tt.want)
		}
	}
	if From(t.Context()) != (Identity{}) || From(With(t.Context(), ann)) != ann {
		t.Error("From does not return who makes the request")
	}
}

func TestParseRole(t *testing.T) {
	for _, r := range Roles {
		if got, err := ParseRole(r.String()); got != r || err != nil {
			t.Errorf("%s: %v, %v", r, got, err)
		}
	}
	for _, name := range []string{"", "nobody", "Owner", "root"} {
		if r, err := ParseRole(name); fault.CodeOf(err) != fault.Invalid || r != Nobody {
			t.Errorf("%q: %v, %v", name, r, err)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, tt := range []struct{ pattern, covers, not string }{
		{"*", "a shop x-y", ""},
		{"shop-*", "shop- shop-a shop-a-b", "shop ashop-a shopa"},
		{"shop,shop-*", "shop shop-a", "shops"},
		{"*-test", "a-test -test a-test-test", "test a-tests"},
		{"a*b*c", "abc aXbYc abcbc", "ab ac acb"},
		{"shop", "shop", "shop2 sho"},
	} {
		p, err := ParsePattern(tt.pattern)
		if err != nil || p.All() != (tt.pattern == "*") {
			t.Errorf("%s: %v, all %v", tt.pattern, err, p.All())
		}
		for name := range strings.FieldsSeq(tt.covers) {
			if !p.Covers(name) {
				t.Errorf("%s does not cover %s", p, name)
			}
		}
		for name := range strings.FieldsSeq(tt.not) {
			if p.Covers(name) {
				t.Errorf("%s covers %s", p, name)
			}
		}
	}
	for _, text := range []string{"", ",", "a,", ",a", "A", "a b", "a?", "[a]", "a/b", strings.Repeat("a", MaxPattern+1)} {
		if p, err := ParsePattern(text); fault.CodeOf(err) != fault.Invalid || p != "" {
			t.Errorf("%q: %q, %v", text, p, err)
		}
	}
	if Pattern("").Covers("") || Pattern("").Covers("a") || Pattern("").All() || !Pattern("a,**").All() {
		t.Error("the empty pattern covers something, or ** not everything")
	}
}

// TestPatternAsPlain compares glob with its definition.
func TestPatternAsPlain(t *testing.T) {
	var plain func(item, name string) bool
	plain = func(item, name string) bool {
		if item == "" {
			return name == ""
		}
		if item[0] == '*' {
			return plain(item[1:], name) || name != "" && plain(item, name[1:])
		}
		return name != "" && item[0] == name[0] && plain(item[1:], name[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		item := rapid.StringMatching(`[ab*]{1,8}`).Draw(t, "item")
		name := rapid.StringMatching(`[ab]{1,8}`).Draw(t, "name")
		if glob(item, name) != plain(item, name) {
			t.Fatalf("glob(%q, %q) = %v", item, name, glob(item, name))
		}
	})
}

// TestOverlap compares Overlap with every short name.
func TestOverlap(t *testing.T) {
	var names []string
	for n := range 7 {
		for i := range 1 << n {
			var b strings.Builder
			for bit := range n {
				b.WriteByte("ab"[i>>bit&1])
			}
			names = append(names, b.String())
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		one := rapid.StringMatching(`[ab*]{1,3}`).Draw(t, "one")
		other := rapid.StringMatching(`[ab*]{1,3}`).Draw(t, "other")
		want := false
		for _, name := range names {
			want = want || glob(one, name) && glob(other, name)
		}
		if got := meet(one, other); got != want {
			t.Fatalf("meet(%q, %q) = %v, want %v", one, other, got, want)
		}
	})
}
