// Package client is a typed client of the admin API. The command line imports
// it; nothing else of host does. It knows no flags, no files and no
// environment: who calls it says where the server is and which token to send.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Bounds of what the client reads, in bytes: a server is trusted no further
// than it must be.
const (
	maxJSON    = 16 << 20
	maxProblem = 64 << 10
	maxValue   = 8 << 20
	maxModule  = 64 << 20
)

// Config says which server to talk to.
type Config struct {
	// Server is the admin API's base URL, e.g. "http://127.0.0.1:8081", or
	// "unix:///run/wasmoor/admin.sock" for a socket of the file system.
	Server string
	// CA is who may have signed the server's certificate, in PEM; nil = those that
	// the system trusts.
	CA []byte
	// Token is sent as a bearer token. "" sends none.
	Token string
	// Insecure allows the token to travel unencrypted beyond this machine.
	Insecure bool
	// UserAgent is sent with each request; "" sends Go's.
	UserAgent string
	// AnswerTime bounds the wait for the start of an answer; 0 is 2 minutes, for
	// a deploy compiles before it answers. An answer that is no stream has to be
	// whole within as long again.
	AnswerTime time.Duration
}

// Client calls the admin API of one server. Safe for concurrent use. Every
// method ends early when its ctx does. Errors are of type fault.Error: with the
// code the server gave, Unavailable when no server answers, Internal when what
// answers is not one.
type Client struct {
	base  *url.URL
	token string
	agent string
	http  *http.Client
	slow  *http.Client // for uploads, which are answered once they are worked on

	answerTime time.Duration
}

// New returns a client. It opens no connection. Errors by fault code: Invalid
// for a server that is not an http or https URL, Denied for one a token must not
// be sent to.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.Server)
	socket := ""
	if err == nil && base.Scheme == "unix" && base.Host == "" && base.Path != "" {
		socket, base = base.Path, &url.URL{Scheme: "http", Host: "localhost"}
	}
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "", fmt.Sprintf(
			"server %q is not an http or https URL, nor unix:// and a path; write e.g. http://127.0.0.1:8081", c.Server))
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fault.New(fault.Invalid, "",
			"the server's URL must not carry a user, a query or a fragment; give the token with --token-file")
	}
	if base.Scheme == "http" && c.Token != "" && !c.Insecure && !isLoopback(base.Hostname()) {
		return nil, fault.New(fault.Denied, "", fmt.Sprintf(
			"the token would travel to %s unencrypted; use https, a tunnel, or --insecure if the network is yours", base.Host))
	}
	trust, err := trusted(c.CA)
	if err != nil {
		return nil, err
	}
	answerTime := cmp.Or(c.AnswerTime, 2*time.Minute)
	transport := &http.Transport{
		TLSClientConfig:     trust,
		Proxy:               http.ProxyFromEnvironment, // never for loopback
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     30 * time.Second,
		// What is no server at all may take the connection and say nothing.
		ResponseHeaderTimeout: answerTime,
	}
	if socket != "" {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", socket)
		}
	}
	slow := transport.Clone()
	slow.ResponseHeaderTimeout, slow.ExpectContinueTimeout = 0, time.Second
	return &Client{
		base:  base,
		token: c.Token,
		agent: c.UserAgent,
		http:  &http.Client{Transport: transport, CheckRedirect: refuseRedirect},
		slow:  &http.Client{Transport: slow, CheckRedirect: refuseRedirect},

		answerTime: answerTime,
	}, nil
}

// trusted returns what a certificate of the server is judged by.
func trusted(ca []byte) (*tls.Config, error) {
	if ca == nil {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fault.New(fault.Invalid, "", "the file of the CA holds no certificate in PEM")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Close gives up idle connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.slow.CloseIdleConnections()
}

// refuseRedirect keeps the token with the server it was meant for.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// request is one call of the API.
type request struct {
	op          string // for messages: "deploy", "list plugins"
	method      string
	path        string // of package adminapi, with its parameters in braces
	in          any    // a struct of package adminapi with the parameters; nil = none
	body        []byte
	upload      io.Reader // a body of any length, in place of body; whoever reads it sees to its time
	contentType string
	answer      int64 // bytes that it may have in addition to what comes at once
	streams     bool  // the answer goes on for as long as it likes, and whoever reads it watches it
}

// slowest is how fast a module has to go up or down at least, in bytes a second.
const slowest = 64 << 10

// most returns how long the whole of r may take.
func (c *Client) most(r request) time.Duration {
	return 2*c.answerTime + time.Duration((int64(len(r.body))+r.answer)/slowest)*time.Second
}

// send performs r and returns the response, whose body the caller closes, when
// its status is in the 200s.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := fault.New(fault.Unavailable, r.op, fmt.Sprintf("%s has not ended its answer within %s; is it a wasmoor admin API, and does it still work?", c.base.Host, c.most(r)))
	watch := time.AfterFunc(c.most(r), func() { cancel(late) })
	if r.upload != nil {
		watch.Stop()
	}
	resp, err := c.perform(ctx, r)
	if err != nil {
		watch.Stop()
		if errors.Is(context.Cause(ctx), late) {
			err = late
		}
		cancel(nil)
		return nil, err
	}
	if r.streams {
		watch.Stop()
	}
	resp.Body = &answer{ReadCloser: resp.Body, ctx: ctx, late: late, end: func() {
		watch.Stop()
		cancel(nil)
	}}
	return resp, nil
}

// answer is the body of a response, which ends with its request's time.
type answer struct {
	io.ReadCloser

	ctx  context.Context //nolint:containedctx // of the request
	late error
	end  func()
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil && err != io.EOF && errors.Is(context.Cause(a.ctx), a.late) {
		err = a.late
	}
	return n, err
}

func (a *answer) Close() error {
	defer a.end()
	return a.ReadCloser.Close()
}

func (c *Client) perform(ctx context.Context, r request) (*http.Response, error) {
	body, by := io.Reader(nil), c.http
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	if r.upload != nil {
		body = io.NopCloser(r.upload) // of no known type, and so of no known length
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.address(r), body)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, r.op, "request cannot be made", err)
	}
	if r.upload != nil {
		by = c.slow
		req.Header.Set("Expect", "100-continue") // a refusal comes before the body goes
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	req.Header.Set("Accept", "application/json, application/problem+json, application/octet-stream")
	if c.agent != "" {
		req.Header.Set("User-Agent", c.agent)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := by.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, r.op, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refused(r.op, resp)
}

func (c *Client) address(r request) string {
	u := *c.base
	u.Path, u.RawPath = "", ""
	path, query := parameters(r.path, r.in)
	address := u.String() + strings.TrimSuffix(c.base.EscapedPath(), "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

// call performs r and decodes the JSON answer into out, unless out is nil.
func (c *Client) call(ctx context.Context, r request, out any) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := readAll(resp.Body, max(maxJSON, r.answer))
	if err != nil {
		return fault.Wrap(fault.Unavailable, r.op, "the answer of "+c.base.Host+" was cut short", err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fault.Wrap(fault.Internal, r.op,
			c.base.Host+" does not answer like a wasmoor admin API; is --server the admin address?", err)
	}
	return nil
}

func readAll(r io.Reader, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err == nil && int64(len(data)) > max {
		return nil, fmt.Errorf("more than %d bytes", max)
	}
	return data, err
}

// unreachable explains a request that got no answer. The cause is cut down to
// what happened: the URL is said once, and no header is ever in it.
func (c *Client) unreachable(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return fault.Wrap(fault.Deadline, op, "given up before "+c.base.Host+" answered", context.Cause(ctx))
	}
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err
	}
	message := "no answer from " + c.base.String()
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fault.New(fault.Unavailable, op,
			message+": nothing listens there; is the server running? start it with `wasmoor serve`, or name another with --server")
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fault.New(fault.Unavailable, op, message+" in time; is it a wasmoor admin API, and does it still work?")
	}
	return fault.Wrap(fault.Unavailable, op, message, err)
}
