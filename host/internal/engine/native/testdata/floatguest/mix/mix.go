// Package mix calculates with more floats alive than a machine has registers, in
// a guest and in the test that compares.
package mix

import "math"

// Floats returns a sum of what became of sixteen floats that a seed makes.
func Floats(seed uint64) float64 {
	a, b, c, d := next(&seed), next(&seed), next(&seed), next(&seed)
	e, f, g, h := next(&seed), next(&seed), next(&seed), next(&seed)
	i, j, k, l := next(&seed), next(&seed), next(&seed), next(&seed)
	m, n, o, p := next(&seed), next(&seed), next(&seed), next(&seed)
	for range 50 {
		a, b = math.Copysign(a+b, c), math.Copysign(d, e-f)
		seed = seed*6364136223846793005 + 1442695040888963407
		c, d = float64(seed)/(1<<62)+d, math.Copysign(math.Max(c, g), h)
		e, f = math.Abs(e)-math.Copysign(i, j), math.Min(f, k)
		g, h = next(&seed), math.Copysign(l, m)
		i, j = math.Copysign(n, o), math.Copysign(p, a)-i
		k, l = float64(seed>>1)/(1<<62), float64(^seed)/(1<<62)
		m, n = math.Copysign(k, n-m), math.Sqrt(math.Abs(o))
		o, p = math.Copysign(o, p), math.Floor(8*l)/8-math.Copysign(p, b)
		a, c, e, g = a/2, c/2, e/2, g/2
		b, d, f, h = b/2, d/2, f/2, h/2
		j, p = j/4, p/4
	}
	return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i + 10*j + 11*k + 12*l + 13*m + 14*n + 15*o + 16*p
}

//go:noinline
func next(seed *uint64) float64 {
	*seed ^= *seed<<13 | 1
	*seed ^= *seed >> 7
	*seed ^= *seed << 17
	return float64(int64(*seed)) / (1 << 62)
}
