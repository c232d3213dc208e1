package engine

import (
	"fmt"
	"time"
)

// notices says for a person who deploys a program what requests pay for how it
// initialises, and why; none = nothing. making is how long making an instance
// took. Where the state of instances is kept, a new one is rare.
func notices(p Program, making time.Duration, stateful bool) (list []string) {
	if why := p.Fresh(); why != "" && !stateful {
		list = append(list, fmt.Sprintf("each request gets a new instance, which took %s to make where a reset takes microseconds: %s", millis(making), why))
	}
	if why := p.Cold(); why != "" {
		list = append(list, "the warm-up requests are left out: "+why)
	}
	return list
}

// millis writes a time in milliseconds, for a person.
func millis(d time.Duration) string {
	ms := float64(d.Microseconds()) / 1000
	if ms >= 10 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2g ms", ms)
}
