package plugin

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestParseOrigin(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"https://api.example.com", "https://api.example.com"},
		{"https://API.Example.com/", "https://api.example.com"},
		{"https://api.example.com:443", "https://api.example.com"},
		{"http://api.example.com:443", "http://api.example.com:443"},
		{"https://*.example.org:8443", "https://*.example.org:8443"},
		{"http://10.0.0.7:9000", "http://10.0.0.7:9000"},
		{"http://[2001:DB8::1]:81", "http://[2001:db8::1]:81"},
		{"http://localhost", "http://localhost"},
		{"http://1and1.example", "http://1and1.example"},
		{"", ""},
		{"example.com", ""},
		{"ftp://example.com", ""},
		{"https://", ""},
		{"https://example.com/path", ""},
		{"https://user@example.com", ""},
		{"https://example.com?x", ""},
		{"https://example.com#x", ""},
		{"https://*.com", ""},
		{"https://*", ""},
		{"https://a.*.com", ""},
		{"https://a*.example.com", ""},
		{"https://*.1.2.3", ""},
		{"https://*.127.0.0.1", ""},
		{"https://example.com.", ""},
		{"https://example..com", ""},
		{"https://-a.example", ""},
		{"https://exämple.com", ""},
		{"https://example.com:0", ""},
		{"https://example.com:", ""},
		{"https://example.com:65536", ""},
		{"https://example.com:080", ""},
		{"https://example.com:8o", ""},
		{"https://2130706433", ""},
		{"https://0x7f000001", ""},
		{"https://0177.0.0.1", ""},
		{"https://127.1", ""},
		{"https://127.0.0.01", ""},
		{"https://[::1", ""},
		{"https://[::1%25lo]", ""},
		{"https://[127.0.0.1]", ""},
		{"https://[::ffff:127.0.0.1]", ""},
		{"https://::1", ""},
		{"https://a b", ""},
		{"https://a%62", ""},
	} {
		o, err := ParseOrigin(c.in)
		switch {
		case c.want == "" && fault.CodeOf(err) != fault.Invalid:
			t.Errorf("ParseOrigin(%q) = %v, %v, want an error", c.in, o, err)
		case c.want != "" && (err != nil || o.String() != c.want):
			t.Errorf("ParseOrigin(%q) = %v, %v, want %s", c.in, o, err, c.want)
		}
	}
}

func FuzzParseOrigin(f *testing.F) {
	for _, s := range []string{"https://a.example", "http://[::1]:8", "https://*.a.example:9", "http://0x7f.1", "://", "https://a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseOrigin(s)
		if err != nil {
			return
		}
		if again, err := ParseOrigin(o.String()); err != nil || again != o {
			t.Errorf("%q reads as %v, which reads as %v, %v", s, o, again, err)
		}
	})
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		origin, target string
		want           bool
	}{
		{"https://a.example", "https://a.example:443", true},
		{"https://a.example", "http://a.example:443", false},
		{"https://a.example", "https://a.example:444", false},
		{"https://a.example", "https://b.a.example", false},
		{"https://*.a.example", "https://b.a.example", true},
		{"https://*.a.example", "https://c.b.a.example", false},
		{"https://*.a.example", "https://a.example", false},
		{"https://*.a.example", "https://ba.example", false},
	} {
		o, err1 := ParseOrigin(c.origin)
		target, err2 := ParseOrigin(c.target)
		if err1 != nil || err2 != nil || o.Covers(target) != c.want {
			t.Errorf("%s covers %s: %v, want %v (%v, %v)", c.origin, c.target, !c.want, c.want, err1, err2)
		}
	}
}

func TestOrigins(t *testing.T) {
	const both, one, other = Origins("https://a.example https://b.example"), Origins("https://a.example"), Origins("https://b.example")
	if got := one.Union(other).Union(one); got != both {
		t.Errorf("union is %q", got)
	}
	if got := both.Both(other); got != other {
		t.Errorf("both is %q", got)
	}
	if got := Origins("https://a.example nonsense").List(); len(got) != 1 {
		t.Errorf("a damaged entry grants: %v", got)
	}
}

// TestParseOriginSaysWhatAStarIs: Extism and CORS know other stars.
func TestParseOriginSaysWhatAStarIs(t *testing.T) {
	for _, text := range []string{"https://*", "https://api.*.example", "https://*.*.example.com", "https://a*.example.com"} {
		if _, err := ParseOrigin(text); err == nil || !strings.Contains(err.Error(), "* stands for one label in front of a name") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
