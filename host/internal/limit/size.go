package limit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the suffixes of a size, the longer of two that end alike first.
var units = []struct {
	suffix string
	bytes  int64
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// ParseSize reads a whole number of bytes with an optional unit: "64MiB",
// "4 MB", "1024". Fractions and signs are errors, which say what is allowed.
func ParseSize(s string) (int64, error) {
	digits, factor := s, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			digits, factor = strings.TrimSuffix(rest, " "), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size: write bytes as a whole number, alone or with KiB, MiB, GiB, kB, MB or GB", s)
	}
	if int64(n) > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is too large to count in bytes", s)
	}
	return int64(n) * factor, nil
}

// FormatSize returns n in the largest binary unit that divides it, in the form
// ParseSize reads.
func FormatSize(n int64) string {
	for _, u := range units[:3] {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
