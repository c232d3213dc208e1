package spelling

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"first", "guestbook", "shop", "shop-staging"}
	for _, tt := range []struct{ word, want string }{
		{"frist", "first"},
		{"fir", ""},
		{"shpo", "shop"},
		{"sho", "shop"},
		{"guestbok", "guestbook"},
		{"guset-book", "guestbook"},
		{"shopstaging", "shop-staging"},
		{"links", ""},
		{"", ""},
	} {
		if got := Nearest(tt.word, names); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}
