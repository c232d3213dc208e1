package wire

import (
	"net"
	"testing"

	"github.com/wasmoor/wasmoor/host/internal/server/servertest"
)

// BenchmarkGate is what the gate costs a request.
func BenchmarkGate(b *testing.B) {
	c := &gateConn{Conn: &endless{message: servertest.Typical}, gate: newTestGate()}
	buf := make([]byte, 64<<10)
	for b.Loop() {
		if n, err := c.Read(buf); n != len(servertest.Typical) || err != nil {
			b.Fatal(n, err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(servertest.Typical)))
}

// endless is a connection on which one message arrives again and again.
type endless struct {
	net.Conn
	message string
}

func (e *endless) Read(b []byte) (int, error) { return copy(b, e.message), nil }
