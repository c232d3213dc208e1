package limit

import "testing"

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"1024", 1024, true},
		{"12B", 12, true},
		{"64MiB", 64 << 20, true},
		{"64 MiB", 64 << 20, true},
		{"4MB", 4_000_000, true},
		{"3kB", 3000, true},
		{"3KB", 3000, true},
		{"1KiB", 1024, true},
		{"2GiB", 2 << 30, true},
		{"1GB", 1e9, true},
		{"9223372036854775807", 1<<63 - 1, true},
		{"9223372036854775808", 0, false},
		{"8589934592GiB", 0, false},
		{"", 0, false},
		{"MiB", 0, false},
		{"-1", 0, false},
		{"+1", 0, false},
		{"1.5MiB", 0, false},
		{"1_000", 0, false},
		{"64mib", 0, false},
		{" 64MiB", 0, false},
		{"64  MiB", 0, false},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := ParseSize(c.in)
			if got != c.want || (err == nil) != c.ok {
				t.Errorf("ParseSize(%q) = %d, %v; want %d, ok = %v", c.in, got, err, c.want, c.ok)
			}
		})
	}
}

func TestFormatSize(t *testing.T) {
	for _, c := range []struct {
		in   int64
		want string
	}{
		{0, "0B"},
		{1, "1B"},
		{1023, "1023B"},
		{1024, "1KiB"},
		{1536, "1536B"},
		{64 << 20, "64MiB"},
		{4_000_000, "4000000B"},
		{1 << 30, "1GiB"},
		{1 << 40, "1024GiB"},
	} {
		if got := FormatSize(c.in); got != c.want {
			t.Errorf("FormatSize(%d) = %q, want %q", c.in, got, c.want)
		}
		if back, err := ParseSize(FormatSize(c.in)); err != nil || back != c.in {
			t.Errorf("ParseSize(FormatSize(%d)) = %d, %v", c.in, back, err)
		}
	}
}
