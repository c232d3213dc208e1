package admin

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// TestRoutesAreDocumented: what is bound is what the document lists, HEAD where
// there is GET, and what belongs to no version of the API.
func TestRoutesAreDocumented(t *testing.T) {
	a := New(Config{Deployer: &recorder{}, Operator: &recorder{}, Token: theToken{}})
	want := []string{"GET /livez", "GET /openapi.json", "GET /readyz", "HEAD /livez", "HEAD /openapi.json", "HEAD /readyz"}
	doc, _ := document(t, servertest.Listen(t, a))
	for path, operations := range doc.Paths {
		for method := range operations {
			want = append(want, strings.ToUpper(method)+" "+path)
			if method == "get" {
				want = append(want, "HEAD "+path)
			}
		}
	}
	slices.Sort(want)
	var got []string
	parameter := regexp.MustCompile(`:([a-z]+)`)
	for _, r := range a.edge.App.GetRoutes(true) {
		got = append(got, r.Method+" "+parameter.ReplaceAllString(r.Path, "{$1}"))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-documented +bound):\n%s", diff)
	}
}
