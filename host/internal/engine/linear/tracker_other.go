//go:build !linux

package linear

func newTracker() tracker { return nil }
