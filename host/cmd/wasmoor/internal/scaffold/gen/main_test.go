package main

import (
	"bytes"
	"os"
	"testing"
)

func TestTheArchiveIsCurrent(t *testing.T) {
	want, err := bundle(os.DirFS("../" + moduleRoot))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../sdk.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("sdk.txtar is not what sdk and abi are now: run go generate ./... and commit it")
	}
}
