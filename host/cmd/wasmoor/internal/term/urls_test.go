package term

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRouteURLs(t *testing.T) {
	const public = "http://127.0.0.1:8080"
	for _, tt := range []struct {
		name, public, mount   string
		routes, private, want []string
	}{
		{"whole mount", public, "/shop", nil, nil, []string{"http://127.0.0.1:8080/shop/"}},
		{"root", public, "/", nil, nil, []string{"http://127.0.0.1:8080/"}},
		{"TLS", "https://127.0.0.1:8443", "/shop", nil, nil, []string{"https://127.0.0.1:8443/shop/"}},
		{"host of its own", public, "shop.example/", nil, nil, []string{"http://shop.example:8080/"}},
		{"host behind a proxy", "https://example.org", "shop.example/x", nil, nil, []string{"https://shop.example/x/"}},
		{
			"one URL for the methods of a path", public, "/s",
			[]string{"GET /a", "POST /a", "/b/{id}", "GET /{$}"},
			nil,
			[]string{public + "/s/a", public + "/s/b/{id}", public + "/s/"},
		},
		{
			"without the private ones", public, "/s",
			[]string{"GET /a", "POST /a", "POST /b"},
			[]string{"POST /a", "POST /b"},
			[]string{public + "/s/a"},
		},
		{"nothing but private ones", public, "/s", []string{"GET /a"}, []string{"GET /a"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, RouteURLs(tt.public, strings.Fields(tt.mount), tt.routes, tt.private)); diff != "" {
				t.Errorf("URLs (-want +got):\n%s", diff)
			}
		})
	}
}
