// Package issuer verifies ID tokens of OIDC: who signed them, whom they are for,
// and that they are of now. It reaches issuers within bounds, and only those that
// rules of trust name. Only package access imports it.
package issuer

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/wasmoor/wasmoor/host/internal/egress/address"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const (
	// maxToken is how long an ID token may be.
	maxToken = 16 << 10
	// leeway is how far the clocks of issuers may be off.
	leeway = time.Minute
	// period is how long what an issuer publishes is taken for what it publishes: a key
	// that nobody knows asks for no more than one look a period.
	period = time.Minute
	// maxAnswer bounds what an issuer may publish, and answerTime how long it may take.
	maxAnswer  = 1 << 20
	answerTime = 10 * time.Second
)

// algorithms are those of signatures that are taken: none with a shared secret.
var algorithms = []string{oidc.RS256, oidc.PS256, oidc.ES256, oidc.EdDSA}

// Issuers verifies ID tokens. Safe for concurrent use.
type Issuers struct {
	clock   func() time.Time
	public  *http.Client // refuses private addresses
	private *http.Client // of issuers that rules say are in private networks
}

// New returns Issuers.
func New(clock func() time.Time) *Issuers {
	open := func(guarded bool) *http.Client {
		dialer := &net.Dialer{Timeout: 5 * time.Second}
		if guarded {
			dialer.Control = address.Guard(nil)
		}
		transport := &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: answerTime,
			DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		}
		return &http.Client{
			Transport:     &memory{of: transport, clock: clock, plain: !guarded, kept: map[string]*answer{}},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Issuers{clock: clock, public: open(true), private: open(false)}
}

// Of returns the issuer that a token names, without a look at whether it is so.
// Errors: Unauthenticated.
func Of(token string) (string, error) {
	bad := fault.New(fault.Unauthenticated, "", "this is no ID token: it is not three parts of base64 with points between")
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return "", bad
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Issuer == "" {
		return "", bad
	}
	return claims.Issuer, nil
}

// Verify returns the claims of a token that an issuer has signed and that is of
// now. Whom it is for is the caller's to ask. Errors: Unauthenticated; Unavailable
// when the issuer does not say what its keys are.
func (i *Issuers) Verify(ctx context.Context, issuer string, private bool, token string) (map[string]any, error) {
	client := i.public
	if private {
		client = i.private
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, client), 2*answerTime)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "", fmt.Sprintf("the issuer %s does not say what its keys are; does this server reach it? see its log", issuer), err)
	}
	now := i.clock()
	verified, err := provider.VerifierContext(ctx, &oidc.Config{
		SkipClientIDCheck: true, SupportedSigningAlgs: algorithms,
		Now: func() time.Time { return now.Add(-leeway) },
	}).Verify(ctx, token)
	if late, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return nil, fault.New(fault.Unauthenticated, "", "the ID token expired on "+late.Expiry.UTC().Format(time.RFC3339)+"; get a new one")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unauthenticated, "", "the ID token is not one that "+issuer+" has signed with RS256, PS256, ES256 or EdDSA", err)
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return nil, fault.Wrap(fault.Unauthenticated, "", "the claims of the ID token cannot be read", err)
	}
	for _, name := range []string{"nbf", "iat"} {
		if at, ok := claims[name].(float64); ok && time.Unix(int64(at), 0).After(now.Add(leeway)) {
			return nil, fault.New(fault.Unauthenticated, "", "the ID token is of the future; is the clock of this server right?")
		}
	}
	return claims, nil
}

// memory is a transport that asks each address once in a period.
type memory struct {
	of    http.RoundTripper
	clock func() time.Time
	plain bool // http is taken

	mu   sync.Mutex
	kept map[string]*answer
}

type answer struct {
	mu     sync.Mutex
	asked  time.Time
	status int
	header http.Header
	body   []byte
	err    error
}

func (m *memory) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.URL.Scheme != "https" && !m.plain {
		return nil, fmt.Errorf("%s %s is not asked: https alone is", req.Method, req.URL.Redacted())
	}
	a := m.answer(req.URL.String())
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := m.clock(); a.asked.IsZero() || now.Sub(a.asked) >= period || now.Before(a.asked) {
		a.asked = now
		a.ask(m.of, req)
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}, nil
}

func (a *answer) ask(of http.RoundTripper, req *http.Request) {
	a.status, a.header, a.body, a.err = 0, nil, nil, nil
	// Others wait for the same answer: the one who asked may leave.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), answerTime)
	defer cancel()
	resp, err := of.RoundTrip(req.WithContext(ctx))
	if err != nil {
		a.err = err
		return
	}
	defer func() { _ = resp.Body.Close() }()
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, a.err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(a.body) > maxAnswer {
		a.body, a.err = nil, fmt.Errorf("%s answers with more than %d bytes", req.URL.Host, maxAnswer)
	}
}

// answer returns what is kept of an address, and forgets what is old.
func (m *memory) answer(address string) *answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.kept[address]; a != nil {
		return a
	}
	for key, a := range m.kept {
		if a.mu.TryLock() {
			if m.clock().Sub(a.asked) >= period {
				delete(m.kept, key)
			}
			a.mu.Unlock()
		}
	}
	a := &answer{}
	m.kept[address] = a
	return a
}
