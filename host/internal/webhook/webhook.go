// Package webhook sends the webhooks of plugins: each is one signed request within what
// the version that serves may call. Package queue/delivery decides when, and what an answer
// means; package host wires them.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/field"
	"github.com/wasmoor/wasmoor/abi/webhook"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	capwebhook "github.com/wasmoor/wasmoor/host/internal/capability/webhook"
	"github.com/wasmoor/wasmoor/host/internal/deploy"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/queue"
	"github.com/wasmoor/wasmoor/host/internal/trigger"
)

// Sender sends webhooks. Safe for concurrent use.
type Sender struct {
	deployer *deploy.Deployer
	clock    func() time.Time
}

// New returns a Sender.
func New(d *deploy.Deployer, clock func() time.Time) *Sender { return &Sender{d, clock} }

// maxAnswer bounds what is read of an answer, so that its connection may be used again.
const maxAnswer = 4 << 10

// Send sends a webhook of a plugin once, and follows no redirect. Errors: NotFound
// (nobody serves the plugin), Unavailable (an operator has ended its calls, or the server stops), Denied (it may
// not call the URL, or that is at no public address), Invalid (the secret is missing, or no
// key), BadReply (no answer).
func (s *Sender) Send(ctx context.Context, plugin, id string, w *queue.Webhook) trigger.Outcome {
	held, err := s.deployer.Hold(plugin, nil)
	if err != nil {
		return trigger.Outcome{Err: err}
	}
	defer held.Deployment.Release()
	states := held.Deployment.Env().States
	client, _ := states.Of(outbound.Name).(*egress.Client)
	if client == nil {
		return failed(fault.Denied, "no origin is granted to the version that serves")
	}
	secret, known := capwebhook.Of(states)[w.Secret]
	if !known {
		return failed(fault.Invalid, fmt.Sprintf("the secret %.64q is not set, or the manifest has none of that name that may sign", w.Secret))
	}
	keys, err := webhook.Parse(secret)
	if err != nil {
		return failed(fault.Invalid, err.Error())
	}
	now := s.clock()
	request := abi.HTTPRequest{Method: http.MethodPost, URL: w.URL, Flags: abi.HTTPNoRedirect | abi.HTTPNoCache, Headers: []abi.Pair{
		{Name: "content-type", Value: "application/json"},
		{Name: webhook.HeaderID, Value: id},
		{Name: webhook.HeaderTimestamp, Value: strconv.FormatInt(now.Unix(), 10)},
		{Name: webhook.HeaderSignature, Value: keys.For(w.Account).Sign(id, now, w.Body)},
	}}
	return post(ctx, client, &request, w.Body)
}

// post makes one call.
func post(ctx context.Context, client *egress.Client, request *abi.HTTPRequest, body []byte) trigger.Outcome {
	answers := egress.NewAnswers(false, limit.Share{}, func() error { return nil })
	defer answers.Close()
	session := client.Session(egress.Trace{}, answers)
	defer session.Close()
	handle, status, why := session.Open(request)
	if status == abi.OK {
		status, why = session.Write(handle, body), "its body is too large"
	}
	if status != abi.OK {
		return refused(abi.Denied, why)
	}
	if _, _, err := session.Send(ctx, []uint32{handle}); err != nil {
		return failed(fault.Unavailable, "the server stops")
	}
	head, _ := session.Response(handle) // it was sent
	if head.Failure != 0 {
		return refused(-abi.Status(head.Failure), head.Reason)
	}
	buf := make([]byte, maxAnswer)
	for left := buf; len(left) > 0; {
		n, status, err := session.Read(ctx, handle, left)
		if n == 0 || status != abi.OK || err != nil {
			break
		}
		left = left[n:]
	}
	return trigger.Outcome{Status: int(head.Status), RetryAfter: field.Single(head.Headers, "retry-after"), Called: true}
}

// refused returns the outcome of a call without an answer.
func refused(status abi.Status, why string) trigger.Outcome {
	switch {
	case why == egress.OffReason:
		return failed(fault.Unavailable, why)
	case status == abi.Denied:
		return failed(fault.Denied, why)
	}
	return failed(fault.BadReply, why)
}

func failed(code fault.Code, why string) trigger.Outcome {
	return trigger.Outcome{Err: fault.New(code, "webhook", why)}
}
