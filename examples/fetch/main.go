// Fetch asks several sites at once whether they answer, and shows a table: the
// time of the slowest is the time of all.
package main

import (
	"strconv"
	"strings"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
)

// sites are those that the manifest lists under outbound.allow.
var sites = []string{"https://example.com/", "https://www.iana.org/", "https://go.dev/"}

// patience is how long a site may take, in nanoseconds.
const patience = 2_000_000_000

func init() { sdk.Handle(board) }

func main() {}

// board answers a line for each site.
func board(w *sdk.Response, _ *sdk.Request) error {
	calls := make([]*fetch.Request, len(sites))
	for i, url := range sites {
		calls[i] = &fetch.Request{Method: "HEAD", URL: url, Timeout: patience}
	}
	var table strings.Builder
	for i, result := range fetch.All(calls...) {
		table.WriteString(sites[i] + " " + verdict(result) + "\n")
	}
	return w.Text(200, table.String())
}

func verdict(r fetch.Result) string {
	if r.Err != nil {
		return "down: " + r.Err.Error()
	}
	return "up: " + strconv.Itoa(r.Response.Status)
}
