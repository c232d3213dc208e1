// Package part is how values of the domain are written in records of package registry,
// as parts of several kinds of them.
package part

import (
	"time"

	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// CORS is the policy of a plugin.
type CORS struct {
	Origins     []string `json:"origins"`
	Methods     []string `json:"methods,omitempty"`
	Headers     []string `json:"headers,omitempty"`
	Expose      []string `json:"expose,omitempty"`
	Credentials bool     `json:"credentials,omitempty"`
	MaxAge      int      `json:"max_age,omitempty"`
}

// Limits are an operator's; 0 = the manifest's.
type Limits struct {
	Memory       int64         `json:"memory,omitempty"`
	Deadline     time.Duration `json:"deadline,omitempty"` // nanoseconds
	RequestBody  int64         `json:"request_body,omitempty"`
	ResponseBody int64         `json:"response_body,omitempty"`
	Concurrency  int           `json:"concurrency,omitempty"`
}

// Rollout is a roll-out of a plugin.
type Rollout struct {
	From    int              `json:"from"`
	To      int              `json:"to"`
	Plan    []step           `json:"plan"`
	Key     plugin.ClientKey `json:"key,omitempty"`
	Step    int              `json:"step"`
	Paused  bool             `json:"paused,omitempty"`
	By      string           `json:"by,omitempty"`
	Started time.Time        `json:"started"`
	Stepped time.Time        `json:"stepped"`

	Outcome plugin.RolloutOutcome `json:"outcome,omitempty"`
	Reason  string                `json:"reason,omitempty"`
	Ended   time.Time             `json:"ended,omitzero"`
}

type step struct {
	Weight int           `json:"weight"` // of plugin.WholeWeight
	Bake   time.Duration `json:"bake"`   // nanoseconds
}

// NewRollout returns a roll-out as a part of records, nil for none.
func NewRollout(r *plugin.Rollout) *Rollout {
	if r == nil {
		return nil
	}
	out := Rollout{
		From: r.From, To: r.To, Key: r.Key, Step: r.Step, Paused: r.Paused, By: r.By, Started: r.Started, Stepped: r.Stepped,
		Outcome: r.Outcome, Reason: r.Reason, Ended: r.Ended,
	}
	for _, s := range r.Plan {
		out.Plan = append(out.Plan, step(s))
	}
	return &out
}

// Value returns the roll-out; nil = there was none.
func (r *Rollout) Value() *plugin.Rollout {
	if r == nil {
		return nil
	}
	out := plugin.Rollout{
		From: r.From, To: r.To, Key: r.Key, Step: r.Step, Paused: r.Paused, By: r.By, Started: r.Started, Stepped: r.Stepped,
		Outcome: r.Outcome, Reason: r.Reason, Ended: r.Ended,
	}
	for _, s := range r.Plan {
		out.Plan = append(out.Plan, plugin.RolloutStep(s))
	}
	if out.Runs() && (out.Step < 0 || out.Step >= len(out.Plan)) { // only a damaged record
		out.Outcome, out.Reason = plugin.RollAbort, "its record is damaged"
	}
	return &out
}

// Event is one of the audit.
type Event struct {
	Number     uint64        `json:"number"`
	Prev       string        `json:"prev,omitempty"` // "" before format 3
	Time       time.Time     `json:"time"`
	By         string        `json:"by,omitempty"`
	Token      string        `json:"token,omitempty"`
	Address    string        `json:"address,omitempty"`
	Request    string        `json:"request_id,omitempty"`
	Action     plugin.Action `json:"action"`
	Plugin     string        `json:"plugin"`
	Version    int           `json:"version,omitempty"`
	Deployment int           `json:"deployment,omitempty"`
	Detail     string        `json:"detail,omitempty"`

	Changes []Difference `json:"changes,omitempty"`
}

// NewEvent returns how an event is written.
func NewEvent(e plugin.Event) Event {
	return Event{
		e.Number, e.Prev, e.Time, e.By, e.Token, e.Address, e.Request, e.Action, e.Plugin, e.Version, e.Deployment, e.Detail,
		Differences(e.Changes),
	}
}

// Value returns the event.
func (r Event) Value() plugin.Event {
	return plugin.Event{
		Number: r.Number, Prev: r.Prev, Time: r.Time, By: r.By, Token: r.Token, Address: r.Address, Request: r.Request,
		Action: r.Action, Plugin: r.Plugin, Version: r.Version, Deployment: r.Deployment, Detail: r.Detail,
		Changes: DifferencesOf(r.Changes),
	}
}

// Rejection is why a version does not get what it asks for.
type Rejection struct {
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// Stop says who stopped something, and when.
type Stop struct {
	By    string    `json:"by,omitempty"`
	Since time.Time `json:"since"`
}

// Pause is why a plugin does not serve.
type Pause struct {
	Stop
	Writes     bool   `json:"writes,omitempty"`
	RetryAfter int    `json:"retry_after"` // seconds
	Page       string `json:"page,omitempty"`
	PageType   string `json:"page_type,omitempty"`
}

// NewPause returns a pause as a part of records, nil for none.
func NewPause(p *plugin.Pause) *Pause {
	if p == nil {
		return nil
	}
	return &Pause{Stop(p.Stop), p.Writes, int(p.RetryAfter / time.Second), p.Page, p.PageType}
}

// Value returns the pause; nil = there is none.
func (p *Pause) Value() *plugin.Pause {
	if p == nil {
		return nil
	}
	return &plugin.Pause{
		Stop: plugin.Stop(p.Stop), Writes: p.Writes, RetryAfter: time.Duration(p.RetryAfter) * time.Second,
		Page: p.Page, PageType: p.PageType,
	}
}

// Point is a place in the chain of events.
type Point struct {
	Number uint64 `json:"number"`
	Hash   string `json:"hash,omitempty"`
}

// Difference is a part of an event.
type Difference struct {
	What   string `json:"what"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Differences returns the parts for what an event changed.
func Differences(all []plugin.Difference) []Difference {
	return convert(all, func(d plugin.Difference) Difference { return Difference(d) })
}

// DifferencesOf returns what parts say of an event.
func DifferencesOf(all []Difference) []plugin.Difference {
	return convert(all, func(d Difference) plugin.Difference { return plugin.Difference(d) })
}

func convert[T, U any](from []T, of func(T) U) (to []U) {
	for _, v := range from {
		to = append(to, of(v))
	}
	return to
}
