//go:build !linux && !darwin && !freebsd

package restoring

import "os"

// tryLock trusts the operator.
func tryLock(*os.File) bool { return true }
