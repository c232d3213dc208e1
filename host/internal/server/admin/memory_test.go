package admin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// TestUploadsShareMemory: an upload takes its memory from the budget for bodies,
// and gives it back.
func TestUploadsShareMemory(t *testing.T) {
	budget := limit.NewBudget(8 << 10)
	addr := adminFor(t, &recorder{}, func(c *Config) { c.Bodies = budget })
	upload := func(size int) (status int, retry string) {
		length := fmt.Sprint("Content-Length: ", size)
		got := servertest.RoundTrip(t, addr, servertest.Local("POST", "/v1/plugins/shop/versions", strings.Repeat("m", size), right, length))
		return got.StatusCode, got.Header.Get("Retry-After")
	}
	for range 3 {
		if status, _ := upload(4 << 10); status != 201 || budget.Left() != budget.Size() {
			t.Errorf("status %d, and %d bytes are left of %d", status, budget.Left(), budget.Size())
		}
	}
	others := budget.Share()
	others.Take(6 << 10)
	if status, retry := upload(4 << 10); status != 503 || retry == "" {
		t.Errorf("without room: status %d, Retry-After %q", status, retry)
	}
	others.Give()
	if status, retry := upload(9 << 10); status != 413 || retry != "" {
		t.Errorf("over all there is: status %d, Retry-After %q", status, retry)
	}
	if budget.Left() != budget.Size() {
		t.Errorf("%d bytes are left of %d", budget.Left(), budget.Size())
	}
}
