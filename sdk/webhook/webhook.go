// Package webhook sends webhooks, and verifies those that others send. A webhook is an
// effect of the request: the host sends it once the request has committed, and not at all
// if it does not. It is a POST of JSON to a URL, signed as Standard Webhooks say
// (standardwebhooks.com), and comes again until its receiver answers 2xx, with the same
// webhook-id each time.
//
// The manifest says where to, has the queue in which they wait, and names the secret that
// signs:
//
//	[outbound]
//	allow = ["public"]        # every public address; or the origins of the receivers
//
//	[queue.webhooks]
//
//	[secrets.signing]
//	blind = "webhooks"        # only the host reads it
//
//	err := webhook.Send(url, body, "signing")
//
// A plugin that receives webhooks verifies them before it reads them:
//
//	body, err := r.Body(64 << 10)
//	...
//	if err := webhook.Verify(r, body, secret); err != nil {
//		w.SetStatus(401)
//		return nil
//	}
//
// Plugins import the package.
package webhook

import (
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/webhook"
	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/internal/hostcall"
)

// Errors, for errors.Is.
const (
	// ErrInvalid: the URL is none that may be called, the secret has no key, or the
	// account is no UTF-8.
	ErrInvalid = abi.Invalid
	// ErrNotFound: the manifest has no secret of that name that may sign.
	ErrNotFound = abi.NotFound
	// ErrUnavailable: no request is being served.
	ErrUnavailable = abi.Unavailable
	// ErrDenied: the manifest has no [queue.webhooks], or the URL is not granted.
	ErrDenied = abi.Denied
	// ErrLimit: the body has more than 256 KiB, the URL more than 8 KiB, the account more
	// than 255 bytes, or the request has sent 100 messages and webhooks.
	ErrLimit = abi.Limit
)

// Errors of Verify, for errors.Is.
var (
	ErrHeader    = webhook.ErrHeader    // a header field is missing or malformed
	ErrTime      = webhook.ErrTime      // it was not sent within 5 minutes of now
	ErrSignature = webhook.ErrSignature // no signature is right
)

// MaxBody is how many bytes a webhook has at most.
const MaxBody = 256 << 10

// Error is a webhook that was not sent.
type Error struct {
	Status abi.Status // below zero
}

// Error names the reason. The log of the plugin has more.
func (e *Error) Error() string { return "webhook send: " + e.Status.String() + why(e.Status) }

func why(s abi.Status) string {
	switch s {
	case ErrNotFound:
		return `: the manifest has no such secret; add [secrets.NAME] with blind = "webhooks"`
	case ErrDenied:
		return ": add [queue.webhooks] to wasmoor.toml, and the origin to outbound.allow"
	case ErrLimit:
		return ": a body over 256 KiB, a URL over 8 KiB, an account over 255 bytes, or more than 100 in a request"
	case ErrUnavailable:
		return ": call it while a request is served"
	}
	return ""
}

// Unwrap returns the status.
func (e *Error) Unwrap() error { return e.Status }

// Send sends body, which is JSON, to a URL when the request commits. secret is the name
// of the variable that has the key.
func Send(url string, body []byte, secret string) error { return SendTo(url, body, secret, "") }

// SendTo is Send to one of many receivers, each with a key of its own, made of the secret
// and the name of its account: no receiver can sign what another believes. SecretFor is
// what the receiver is told.
func SendTo(url string, body []byte, secret, account string) error {
	if result := hostcall.WebhookSend(url, body, secret, account); result < 0 {
		return &Error{Status: abi.Status(result)}
	}
	return nil
}

// SecretFor returns the secret of an account, made of the value of a secret that the
// plugin reads.
func SecretFor(secret, account string) (string, error) {
	s, err := webhook.Parse(secret)
	if err != nil {
		return "", err
	}
	return s.For(account).String(), nil
}

// Verify returns nil for a request that was signed with a secret, as its sender tells it:
// whsec_ and base64, while it is replaced the new and the old one with a space between.
// body is the request's. Whoever has seen a webhook-id before has had the webhook: keep it
// where that matters. Errors: ErrHeader, ErrTime, ErrSignature, and one for a secret that
// is none.
func Verify(r *sdk.Request, body []byte, secret string) error {
	s, err := webhook.Parse(secret)
	if err != nil {
		return err
	}
	return s.Verify(r.Header(webhook.HeaderID), r.Header(webhook.HeaderTimestamp), r.Header(webhook.HeaderSignature), body, time.Unix(0, sdk.Now()))
}

// ID returns the webhook-id of a request: the same each time a webhook comes.
func ID(r *sdk.Request) string { return r.Header(webhook.HeaderID) }
