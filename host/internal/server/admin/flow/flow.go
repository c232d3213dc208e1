// Package flow moves bodies of any length over a connection, as long as they move. Only
// package server/admin imports it.
package flow

import (
	"bufio"
	"errors"
	"io"
	"net"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Patient gives a client the same time for each piece that it takes.
type Patient struct {
	Conn    net.Conn
	W       *bufio.Writer
	Timeout time.Duration
}

// Write implements io.Writer.
func (p *Patient) Write(b []byte) (int, error) {
	_ = p.Conn.SetWriteDeadline(time.Now().Add(p.Timeout))
	return p.W.Write(b)
}

// Arriving gives a client the same time for each piece of a body that it sends.
type Arriving struct {
	Conn    net.Conn
	R       io.Reader // nil = there is no body
	Timeout time.Duration
}

// Read implements io.Reader.
func (b *Arriving) Read(p []byte) (int, error) {
	if b.R == nil {
		return 0, io.EOF
	}
	_ = b.Conn.SetReadDeadline(time.Now().Add(b.Timeout))
	n, err := b.R.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault.Wrap(fault.Unavailable, "", "the body did not arrive whole; nothing was changed", err)
	}
	return n, err
}
