package dispatch

import (
	"runtime/debug"
	"testing"
)

// TestSlack: memory is given back once what took it is over, and not before.
func TestSlack(t *testing.T) {
	debug.FreeOSMemory()
	s := newSlack()
	s.given()
	if s.look() {
		t.Error("there is memory to give back at once")
	}
	load := make([][]byte, 128)
	for i := range load {
		load[i] = make([]byte, 1<<20)
		load[i][0] = 1
	}
	if s.look() {
		t.Error("memory is given back while it is taken")
	}
	load[0][0] = 2 // it lives until here
	if !s.look() {
		t.Error("the memory of a load that is over is not given back")
	}
	debug.FreeOSMemory() // the load is over: nothing below uses it
	s.given()
	if s.look() {
		t.Error("there is memory to give back again")
	}
}
