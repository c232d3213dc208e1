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

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/egress/address"
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
	transport *http.Transport // to origins that were granted by name
	public    *http.Transport // to those at public addresses alone, whatever the operator excepts
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
	return &Client{cfg: cfg, transport: newTransport(cfg.Network, cfg.Network.Allow), public: newTransport(cfg.Network, nil)}
}

// newTransport returns one that reaches public addresses, and those of allow.
func newTransport(network Network, allow []netip.Prefix) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTime, Resolver: network.Resolver, Control: address.Guard(allow)}
	secured := &tls.Config{RootCAs: network.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	plain, secure := dialing(dialer, secured)
	return &http.Transport{
		Proxy:                  nil, // the environment's would see every call and reach every address
		DialContext:            plain,
		DialTLSContext:         secure,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: limit.ResponseHead,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: sentAhead},
	}
}

// Close closes the connections. Sessions must have been closed.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.public.CloseIdleConnections()
}

// Calls returns how many calls an attempt may open.
func (c *Client) Calls() int { return c.cfg.Limits.Calls }

// covers reports whether a target was granted. No grant covers a plugin of this server.
func (c *Client) covers(target plugin.Origin) bool { return c.way(target) != nil }

// way returns what makes the calls to a target, nil if it was not granted. The operator's
// exceptions are for origins that were granted by name.
func (c *Client) way(target plugin.Origin) (way *http.Transport) {
	if plugin.IsInternal(target.Host) {
		return nil
	}
	for _, o := range c.cfg.Origins {
		switch {
		case !o.Covers(target):
		case o == plugin.Public():
			way = c.public
		default:
			return c.transport
		}
	}
	return way
}

// Check says what keeps a call to a URL from being made now or later: a status, Invalid or
// Denied, and the reason for a person; OK where nothing does.
func (c *Client) Check(url string) (status abi.Status, why string) {
	switch t, why := parseTarget(url); {
	case why != "":
		return abi.Invalid, why
	case !c.covers(t.origin):
		return abi.Denied, notGrantedReason(t)
	}
	return abi.OK, ""
}

func notGrantedReason(t target) string {
	return t.origin.String() + " is not granted; the manifest asks for it with outbound.allow"
}

// Off reports whether an operator has ended the calls of the plugin.
func (c *Client) Off() bool { return c.cfg.State.Off() }
