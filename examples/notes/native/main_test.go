package main

import (
	"net/http/httptest"
	"testing"

	"github.com/wasmoor/wasmoor/examples/notes/apptest"
)

func TestNative(t *testing.T) {
	library := apptest.Library()
	defer library.Close()
	server := httptest.NewServer(handler(library.Client(), library.URL))
	defer server.Close()
	apptest.Run(t, server.URL, nil)
}
