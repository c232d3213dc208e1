package database

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFit(t *testing.T) {
	rows := [][]cell{{{text: "id"}, {text: "name"}, {text: "about"}}, {{text: "1"}, {text: "Ann"}, {text: strings.Repeat("x", 100)}}}
	for _, tt := range []struct {
		most int
		want []int
	}{{0, []int{2, 4, 100}}, {200, []int{2, 4, 100}}, {40, []int{2, 4, 30}}, {10, []int{2, 4, 8}}} {
		if diff := cmp.Diff(tt.want, fit(rows, tt.most)); diff != "" {
			t.Errorf("%d characters (-want +got):\n%s", tt.most, diff)
		}
	}
}
