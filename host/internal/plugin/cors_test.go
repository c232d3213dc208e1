package plugin

import (
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

func TestCORSCheck(t *testing.T) {
	one := []string{"https://a.example"}
	for _, tc := range []struct {
		name string
		cors CORS
		ok   bool
	}{
		{"one origin", CORS{Origins: one}, true},
		{"many", CORS{Origins: []string{"https://a.example", "http://localhost:3000", "capacitor://localhost"}}, true},
		{"an IPv6 address", CORS{Origins: []string{"http://[::1]:3000"}}, true},
		{"everyone", CORS{Origins: []string{"*"}, Headers: []string{"*"}, Expose: []string{"*"}}, true},
		{"all fields", CORS{Origins: one, Methods: []string{"PUT"}, Headers: []string{"X-A"}, Expose: []string{"X-B"}, Credentials: true, MaxAge: 86400}, true},
		{"no origin", CORS{}, false},
		{"everyone with credentials", CORS{Origins: []string{"*"}, Credentials: true}, false},
		{"any header with credentials", CORS{Origins: one, Headers: []string{"*"}, Credentials: true}, false},
		{"any exposed with credentials", CORS{Origins: one, Expose: []string{"*"}, Credentials: true}, false},
		{"any method", CORS{Origins: one, Methods: []string{"*"}}, false},
		{"everyone and one", CORS{Origins: []string{"*", one[0]}}, false},
		{"null", CORS{Origins: []string{"null"}}, false},
		{"a path", CORS{Origins: []string{"https://a.example/"}}, false},
		{"capitals", CORS{Origins: []string{"https://A.example"}}, false},
		{"a wildcard", CORS{Origins: []string{"https://*.example"}}, false},
		{"the default port", CORS{Origins: []string{"https://a.example:443"}}, false},
		{"user information", CORS{Origins: []string{"https://u@a.example"}}, false},
		{"two lines", CORS{Origins: []string{"https://a.example\r\nx: y"}}, false},
		{"a method that is no token", CORS{Origins: one, Methods: []string{"A B"}}, false},
		{"a method in small letters", CORS{Origins: one, Methods: []string{"put"}}, false},
		{"a method of one's own", CORS{Origins: one, Methods: []string{"sync"}}, true},
		{"a header that is no token", CORS{Origins: one, Headers: []string{"X-A,X-B"}}, false},
		{"a negative age", CORS{Origins: one, MaxAge: -1}, false},
		{"an age over a day", CORS{Origins: one, MaxAge: 86401}, false},
		{"too many", CORS{Origins: strings.Split(strings.Repeat("https://a.example ", 65)[:65*18-1], " ")}, false},
		{"too long", CORS{Origins: one, Headers: []string{strings.Repeat("a", 257)}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := fault.Code("")
			if !tc.ok {
				want = fault.Invalid
			}
			if err := tc.cors.Check(); fault.CodeOf(err) != want {
				t.Errorf("Check = %v, want code %q", err, want)
			}
		})
	}
}
