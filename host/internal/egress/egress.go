// Package egress makes the calls of plugins to other services: to the origins
// that were granted, never to a private or local address, within bounds of
// time, size and number, with retries, a circuit breaker for each host and, if
// the plugin asks, a response cache. Capability outbound has a client for each
// deployment and a session for each attempt; the clients of a plugin share its
// State.
package egress

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Network is what the operator decides for the calls of all plugins. The zero
// value reaches public addresses alone.
type Network struct {
	Allow    []netip.Prefix // networks that may be reached in addition to the public ones
	Resolver *net.Resolver  // nil = the system's
	RootCAs  *x509.CertPool // nil = the system's
}

// Config is what a client is made of.
type Config struct {
	Network    Network
	Origins    []plugin.Origin // granted; none = no call succeeds
	Limits     Limits
	Idempotent bool   // the services tolerate repeats of any method: all may be retried, and an attempt too
	Cache      bool   // keep responses as RFC 9111 allows a private cache
	State      *State // of the plugin; nil = the client's own
}

// Client makes the calls of one deployment over connections of its own. Safe
// for concurrent use. Close it.
type Client struct {
	cfg       Config
	transport *http.Transport
}

// Connections of one deployment. They are kept while it serves.
const (
	idleConns   = 64
	idlePerHost = 16
	idleTime    = time.Minute
	dialTime    = 10 * time.Second
	sentAhead   = 256 << 10 // bytes of a response that HTTP/2 holds until the guest reads them
)

// New returns a client.
func New(cfg Config) *Client {
	if cfg.State == nil {
		cfg.State = NewState(time.Now)
	}
	if !cfg.Cache {
		cfg.State.cache.clear() // nobody reads it now, and nobody keeps it in step
	}
	dialer := &net.Dialer{Timeout: dialTime, Resolver: cfg.Network.Resolver, Control: guard(cfg.Network.Allow)}
	secured := &tls.Config{RootCAs: cfg.Network.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	plain, secure := dialing(dialer, secured)
	return &Client{
		cfg: cfg,
		transport: &http.Transport{
			Proxy:                  nil, // the environment's would see every call and reach every address
			DialContext:            plain,
			DialTLSContext:         secure,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           idleConns,
			MaxIdleConnsPerHost:    idlePerHost,
			IdleConnTimeout:        idleTime,
			MaxResponseHeaderBytes: limit.ResponseHead,
			HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: sentAhead},
		},
	}
}

// Close closes the connections. Sessions must have been closed.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Calls returns how many calls an attempt may open.
func (c *Client) Calls() int { return c.cfg.Limits.Calls }

// covers reports whether a target was granted. No grant covers a plugin of this server.
func (c *Client) covers(target plugin.Origin) bool {
	if plugin.IsInternal(target.Host) {
		return false
	}
	for _, o := range c.cfg.Origins {
		if o.Covers(target) {
			return true
		}
	}
	return false
}
