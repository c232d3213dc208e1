package sdk

import (
	"net/http"
	"strings"
	"testing"
)

// TestStatusTexts compares the titles with net/http's, some of whose names RFC 9110
// has changed.
func TestStatusTexts(t *testing.T) {
	newer := map[int]string{413: "Content Too Large", 416: "Range Not Satisfiable", 414: "URI Too Long", 422: "Unprocessable Content"}
	for status := 400; status < 600; status++ {
		want := http.StatusText(status)
		if want == "" || status == http.StatusTeapot {
			continue
		}
		if text, ok := newer[status]; ok {
			want = text
		}
		if got := statusText(status); got != want {
			t.Errorf("%d is %q, want %q", status, got, want)
		}
	}
	if got := Error(599, "odd").Error(); !strings.HasPrefix(got, "599 Status 599: ") {
		t.Errorf("got %q", got)
	}
}
