package admin

import (
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

func TestMetrics(t *testing.T) {
	addr := adminFor(t, &recorder{})
	for _, tt := range []struct{ accept, encoding, text string }{
		{"identity", "", "up{compressed=\"false\"} 1\n"},
		{"deflate, gzip;q=0.5", "gzip", "up{compressed=\"true\"} 1\n"},
	} {
		got := servertest.RoundTrip(t, addr, servertest.Local("GET", adminapi.PathMetrics, "", "Authorization: Bearer right", "Accept-Encoding: "+tt.accept))
		if got.StatusCode != 200 || got.Header.Get("Content-Type") != adminapi.TypeMetrics || got.Header.Get("Content-Encoding") != tt.encoding || got.Text != tt.text {
			t.Errorf("with %q: %d %v %q", tt.accept, got.StatusCode, got.Header, got.Text)
		}
	}
}
