package overview

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/client"
)

// TestTopOfAnOddServer: what answers may be no server of ours, and its metrics those of
// something else.
func TestTopOfAnOddServer(t *testing.T) {
	for _, text := range []string{
		"", "garbage", "# TYPE http_server_request_duration_seconds counter\nhttp_server_request_duration_seconds 1\n",
		"# TYPE http_server_request_duration_seconds histogram\nhttp_server_request_duration_seconds_count 7\n",
		"# TYPE http_server_request_duration_seconds histogram\nhttp_server_request_duration_seconds_bucket{plugin=\"x\",code=\"\",le=\"NaN\"} NaN\nhttp_server_request_duration_seconds_count{plugin=\"x\",code=\"\"} 9\n",
		"# TYPE wasmoor_instances gauge\nwasmoor_instances{plugin=\"x\"} NaN\n",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
		defer server.Close()
		c, err := client.New(client.Config{Server: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		s, err := look(t.Context(), c)
		if err == nil {
			s.since(s)
		}
	}
}
