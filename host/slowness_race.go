//go:build race

package host

// slowness is how many times longer a build takes than in a release: the race
// detector watches the compiler at work.
const slowness = 10
