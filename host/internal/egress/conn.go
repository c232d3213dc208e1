package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// conn is a connection of HTTP/1.1. It sends the fields of a guest in the guest's
// order and spelling, where net/http sorts them and has a spelling of its own:
// there are services that look at it. HTTP/2 has lower case alone.
type conn struct {
	net.Conn
	given []abi.Pair // of the request whose head comes next; nil = that of net/http stays
	head  []byte     // of what was written
}

// Write writes p, or keeps it until the head is whole.
func (c *conn) Write(p []byte) (int, error) {
	if c.given == nil {
		return c.Conn.Write(p)
	}
	c.head = append(c.head, p...)
	end := bytes.Index(c.head, []byte("\r\n\r\n"))
	if end < 0 {
		return len(p), nil
	}
	whole := append(arrange(c.head[:end+2], c.given), c.head[end+2:]...)
	c.given, c.head = nil, nil
	if _, err := c.Conn.Write(whole); err != nil {
		return 0, err
	}
	return len(p), nil
}

// arrange returns a head of net/http, without the empty line, with the fields that
// were given as they were given, after the first two lines: the request's and host.
// What is not in the head is not added.
func arrange(head []byte, given []abi.Pair) []byte {
	lines := bytes.SplitAfter(head, []byte("\r\n"))
	first, lines := lines[:min(2, len(lines))], lines[min(2, len(lines)):]
	out := append(make([]byte, 0, len(head)+len(head)/4), bytes.Join(first, nil)...)
	isLine := func(line []byte, name string) bool {
		return len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name)
	}
	for _, f := range given {
		for _, line := range lines {
			if isLine(line, f.Name) {
				out = append(out, f.Name+": "+strings.Trim(f.Value, " \t")+"\r\n"...)
				break
			}
		}
	}
	for _, line := range lines {
		isGiven := false
		for _, f := range given {
			isGiven = isGiven || isLine(line, f.Name)
		}
		if !isGiven {
			out = append(out, line...)
		}
	}
	return out
}

// arranged returns a context with which a request tells its connection, once it has
// one, what the guest gave.
func arranged(ctx context.Context, given []abi.Pair) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if c, ok := got.Conn.(*conn); ok {
			c.given, c.head = given, nil
		}
	}})
}

// dialing returns what dials for a transport: without TLS, and with it.
func dialing(d *net.Dialer, cfg *tls.Config) (plain, secure func(context.Context, string, string) (net.Conn, error)) {
	plain = func(ctx context.Context, _, addr string) (net.Conn, error) {
		made, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: made}, nil
	}
	secure = func(ctx context.Context, _, addr string) (net.Conn, error) {
		made, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(made, forHost(cfg, addr))
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = made.Close() // nothing was sent
			return nil, err
		}
		if secured.ConnectionState().NegotiatedProtocol == "h2" {
			return secured, nil // net/http looks for this type
		}
		return &conn{Conn: secured}, nil
	}
	return plain, secure
}

// forHost returns the configuration for a connection to HOST:PORT.
func forHost(cfg *tls.Config, addr string) *tls.Config {
	own := cfg.Clone()
	own.ServerName, _, _ = net.SplitHostPort(addr) // net/http has made it
	return own
}
