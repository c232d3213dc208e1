package scrape_test

import (
	"context"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/server/scrape"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

type exporter struct{ err error }

func (e exporter) Scrape(_ context.Context, compressed bool) ([]byte, error) {
	if compressed {
		return []byte("packed"), e.err
	}
	return []byte("up 1\n"), e.err
}

func TestListener(t *testing.T) {
	addr := servertest.Listen(t, scrape.New(exporter{}, nil, nil))
	for _, tt := range []struct {
		method, path, accept string
		status               int
		text                 string
	}{
		{"GET", adminapi.PathMetrics, "identity", 200, "up 1\n"},
		{"GET", adminapi.PathMetrics, "gzip", 200, "packed"},
		{"GET", "/livez", "identity", 200, "ok\n"},
		{"GET", "/", "identity", 404, ""},
		{"GET", adminapi.PathStatus, "identity", 404, ""},
		{"POST", adminapi.PathMetrics, "identity", 404, ""},
	} {
		got := servertest.RoundTrip(t, addr, servertest.Local(tt.method, tt.path, "", "Accept-Encoding: "+tt.accept, "Content-Length: 0"))
		if got.StatusCode != tt.status || tt.text != "" && got.Text != tt.text {
			t.Errorf("%s %s: %d %q", tt.method, tt.path, got.StatusCode, got.Text)
		}
	}
	busy := servertest.Listen(t, scrape.New(exporter{fault.New(fault.Unavailable, "scrape", "others are being answered")}, nil, nil))
	if got := servertest.RoundTrip(t, busy, servertest.Local("GET", adminapi.PathMetrics, "")); got.StatusCode != 503 {
		t.Errorf("while others are being answered: %d %q", got.StatusCode, got.Text)
	}
}
