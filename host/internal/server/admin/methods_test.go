package admin

import (
	"slices"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// TestOtherMethods sends every method that a path does not have, of HTTP, of
// WebDAV and of nobody, and wants to be told those it has.
func TestOtherMethods(t *testing.T) {
	d := &recorder{}
	addr := adminFor(t, d)
	doc, _ := document(t, addr)
	for path, operations := range doc.Paths {
		var has []string
		for method := range operations {
			has = append(has, strings.ToUpper(method))
			if method == "get" {
				has = append(has, "HEAD")
			}
		}
		slices.Sort(has)
		path := strings.NewReplacer("{name}", "shop", "{var}", "v").Replace(path)
		for _, method := range []string{
			"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "BREW", "get",
		} {
			if slices.Contains(has, method) {
				continue
			}
			d.call = ""
			got := servertest.RoundTrip(t, addr, servertest.Local(method, path+"?x=y", "", right, "Content-Length: 0"))
			if got.StatusCode != 405 || got.Header.Get("Allow") != strings.Join(has, ", ") || d.call != "" {
				t.Errorf("%s %s: status %d, Allow %q, want 405, %q", method, path, got.StatusCode, got.Header.Get("Allow"), has)
			}
			checkAdminHeaders(t, got)
			if method != "HEAD" {
				servertest.CheckProblem(t, got)
			}
			if got := servertest.RoundTrip(t, addr, servertest.Local(method, path, "", "Content-Length: 0")); got.StatusCode != 401 && path != adminapi.PathLogin {
				t.Errorf("%s %s without a token: status %d", method, path, got.StatusCode)
			}
		}
	}
}
