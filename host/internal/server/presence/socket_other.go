//go:build !linux

package presence

func state(uintptr) (ended, gone bool) { return false, false }

func send(uintptr, string) bool { return true }
