package wire

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// blame returns the refusal of line n of the header. Refusals name fields and never
// have their values, which may be secrets: what a client is told is logged.
func blame(n int, format string, args ...any) *Refusal {
	return Bad(fmt.Sprintf("line %d of the header: ", n) + fmt.Sprintf(format, args...))
}

// longHead is the refusal of a head of which b has arrived. It blames the longest
// field, which is most often a cookie.
func longHead(b []byte) *Refusal {
	detail := "the request line and header are over the limit of " + limit.FormatSize(limit.RequestHead)
	var name []byte
	longest := 0
	_, rest, _ := bytes.Cut(b, []byte{'\n'})
	for line := range bytes.Lines(rest) {
		if colon := bytes.IndexByte(line, ':'); colon > 0 && len(line) > longest && field.IsToken(line[:colon]) {
			name, longest = line[:colon], len(line)
		}
	}
	if name != nil {
		detail += fmt.Sprintf("; the longest field, %.64q, has %d bytes", name, longest)
	}
	return Refusing(http.StatusRequestHeaderFieldsTooLarge, fault.TooLarge, detail)
}
