// Package webhook is the capability to send webhooks: signed requests to URLs, which the
// host makes after the commit, again and again until they are taken. They wait in a queue
// of the plugin. Package webhook of host sends them; package capabilities imports this one.
package webhook

import (
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/abi/webhook"
	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/capability/outbound"
	capqueue "github.com/wasmoor/wasmoor/host/internal/capability/queue"
	"github.com/wasmoor/wasmoor/host/internal/egress"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/queue"
)

// Name is that of the capability, and of what a deployment keeps: Secrets.
const Name = "webhook"

// Blind is what a secret is blind to that signs webhooks and that no guest reads.
const Blind = "webhooks"

// Unit returns the capability. It has no grant of its own: a webhook goes where the plugin
// may call.
func Unit() capability.Unit {
	funcs := capability.OfPlugin(capability.Native(map[string]capability.Handler{abi.FnWebhookSend: send}))
	return capability.Unit{
		Name: Name,
		Deployment: func(d capability.Deployment) invoke.State {
			s := Secrets{}
			for _, v := range d.Vars {
				if value, set := d.Values[v.Name]; set && v.Secret && (v.Blind == "" || v.Blind == Blind) {
					s[v.Name] = value
				}
			}
			return s
		},
		Native: funcs,
		Extism: capability.InBlocks(funcs, nil),
	}
}

// Secrets are the variables of a deployment that may sign: those that are secrets and go
// to no other service.
type Secrets map[string]string

// Close implements invoke.State.
func (Secrets) Close() {}

// Of returns those of a deployment.
func Of(states invoke.States) Secrets {
	s, _ := states.Of(Name).(Secrets)
	return s
}

func send(inv *invoke.Invocation, mem capability.Memory, args []uint64) int64 {
	url, okURL := mem.Range(args[0], args[1])
	body, okBody := mem.Range(args[2], args[3])
	name, okName := mem.Range(args[4], args[5])
	account, okAccount := mem.Range(args[6], args[7])
	if !okURL || !okBody || !okName || !okAccount {
		return int64(abi.BadPointer)
	}
	settings, _ := inv.Env.States.Of(capqueue.Name).(capqueue.Settings)
	q, declared := settings.Find(queue.Webhooks)
	client, _ := inv.Env.States.Of(outbound.Name).(*egress.Client)
	switch {
	case !declared || inv.Tx == nil:
		return refuse(inv, abi.Denied, "the manifest has no queue for webhooks; add the table [queue."+queue.Webhooks+"] to wasmoor.toml")
	case client == nil:
		return refuse(inv, abi.Denied, `no origin is granted; list it under [outbound] in wasmoor.toml, as allow = ["https://api.example.com"], or allow = ["public"] for every public address`)
	case len(url) > limits.RequestURL || len(body) > limits.QueueBody || len(account) > limits.QueueKey:
		return int64(abi.Limit)
	case !utf8.Valid(account):
		return int64(abi.Invalid)
	}
	if status, why := client.Check(string(url)); status != abi.OK {
		return refuse(inv, status, why)
	}
	secret, known := Of(inv.Env.States)[string(name)]
	if !known {
		return refuse(inv, abi.NotFound, "the manifest has no secret of that name that may sign: [config.NAME] with secret = true, or [secrets.NAME] with blind = \""+Blind+"\"")
	}
	if _, err := webhook.Parse(secret); err != nil {
		return refuse(inv, abi.Invalid, err.Error())
	}
	w := queue.Webhook{URL: string(url), Secret: string(name), Account: string(account), Body: body}
	return capqueue.Put(inv, &q, capqueue.Message{Body: w.Append(nil)})
}

// refuse tells the plugin's log why, and the guest a number.
func refuse(inv *invoke.Invocation, status abi.Status, why string) int64 {
	inv.Notice(invoke.NoWebhook, "webhook_send is refused: "+why)
	return int64(status)
}
