//go:build !unix

package host

import "math"

func maxFiles() int64 { return math.MaxInt64 }
