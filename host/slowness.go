//go:build !race

package host

// slowness is how many times longer a build takes than in a release.
const slowness = 1
