package e2e

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/engine/enginetest"
)

func TestServeAndRestart(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir)
	s.deploy("hello", pack(t, enginetest.Version("hi"), "hello"))
	if a := s.get("/hello"); a.status != 200 || a.body != "hi" {
		t.Errorf("got %v", a)
	}
	s.stop()
	s = serve(t, dir)
	if a := s.get("/hello"); a.status != 200 || a.body != "hi" {
		t.Errorf("after a restart got %v", a)
	}
}
