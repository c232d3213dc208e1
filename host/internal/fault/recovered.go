package fault

import (
	"fmt"
	"runtime/debug"
)

// Recovered returns an error of what recover returned, with the stack. It wraps
// what was an error: a compiler panics with that of the system, too.
func Recovered(value any) error {
	if err, ok := value.(error); ok {
		return fmt.Errorf("%w\n%s", err, debug.Stack())
	}
	return fmt.Errorf("%v\n%s", value, debug.Stack())
}
