//go:build darwin || freebsd

package linear

func smallPages([]byte) {}
