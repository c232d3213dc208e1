package wire

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// ReadFrom implements io.ReaderFrom for bodies that are too large to be sent at once. A
// client has the write timeout for each part of paceBytes that it takes. The kernel sends
// files where the connection has no TLS.
func (c *gateConn) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.gate.writeTimeout)); err != nil {
			return n, err
		}
		sent, err := c.sendPart(r)
		n += sent
		if err != nil || sent < paceBytes {
			return n, err
		}
	}
}

// sendPart sends up to paceBytes of r: fewer at its end.
func (c *gateConn) sendPart(r io.Reader) (int64, error) {
	part := io.LimitedReader{R: r, N: paceBytes}
	if within, ok := r.(*io.LimitedReader); ok { // the system sees through one
		part = io.LimitedReader{R: within.R, N: min(paceBytes, within.N)}
		defer func(n int64) { within.N -= n - part.N }(part.N)
	}
	tcp, plain := c.Conn.(*net.TCPConn)
	if _, file := part.R.(*os.File); file && plain {
		return tcp.ReadFrom(&part)
	}
	buf := sendBuffers.Get().(*[sendBuffer]byte) //nolint:forcetypeassert // New makes no other
	defer sendBuffers.Put(buf)
	return io.CopyBuffer(writerOnly{c.Conn}, readerOnly{&part}, buf[:])
}

const sendBuffer = 64 << 10

var sendBuffers = sync.Pool{New: func() any { return new([sendBuffer]byte) }}

// writerOnly and readerOnly hide what would take another way than the buffer.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)
