package plugin

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Hold is what an operator has stopped of a plugin in an incident. It outlives
// deployments and restarts.
type Hold struct {
	Pause     *Pause // nil = it serves
	EgressOff *Stop  // nil = it may call other services, as far as it was granted
}

// None reports that nothing is stopped.
func (h Hold) None() bool { return h.Pause == nil && h.EgressOff == nil }

// Stop says who stopped something, and when.
type Stop struct {
	By    string
	Since time.Time
}

// Pause is why a plugin does not serve.
type Pause struct {
	Stop
	Writes     bool          // it serves, and only what it writes is refused
	RetryAfter time.Duration // after which a client is to try again
	Page       string        // what clients are answered; "" = a problem
	PageType   string        // its media type
}

// MaxPage is how many bytes the page of a pause may have.
const MaxPage = 64 << 10

// Check returns an Invalid error unless the pause can be answered with.
func (p Pause) Check() error {
	switch {
	case len(p.Page) > MaxPage:
		return fault.New(fault.Invalid, "pause", fmt.Sprintf("the page has %d bytes; it may have %d", len(p.Page), MaxPage))
	case !utf8.ValidString(p.Page):
		return fault.New(fault.Invalid, "pause", "the page is not UTF-8 text")
	case p.RetryAfter < time.Second || p.RetryAfter > 24*time.Hour || p.RetryAfter%time.Second != 0:
		return fault.New(fault.Invalid, "pause", "clients are told to try again after whole seconds, from 1s to 24h")
	}
	return nil
}

// Held says what changed of what is stopped.
func Held(before, after Hold) []Difference { return Compare(before.fields(), after.fields()) }

func (h Hold) fields() []Field {
	fields := []Field{{"egress", "on"}}
	if h.EgressOff != nil {
		fields[0].Value = "off"
	}
	p := h.Pause
	if p == nil {
		return fields
	}
	stopped := Field{"paused", "all requests"}
	if p.Writes {
		stopped.Value = "writes"
	}
	fields = append(fields, stopped, Field{"retry_after", p.RetryAfter.String()})
	if p.Page != "" {
		fields = append(fields, Field{"page", fmt.Sprintf("%d bytes of %s", len(p.Page), p.PageType)})
	}
	return fields
}

// Begin pauses a plugin, and tells the audit.
func (p Pause) Begin(h *Hold, s Stop) Event {
	before := *h
	p.Stop = s
	h.Pause = &p
	return Event{Action: ActionPause, Changes: Held(before, *h)}
}

// Resume ends a pause, and tells the audit; where there is none the event has no action.
func (h *Hold) Resume(Stop) Event {
	if h.Pause == nil {
		return Event{}
	}
	before := *h
	h.Pause = nil
	return Event{Action: ActionResume, Changes: Held(before, *h)}
}

// Egress ends calls to other services, or lets them go again, and tells the audit; where
// that is so already the event has no action.
func (h *Hold) Egress(off bool, s Stop) Event {
	if off == (h.EgressOff != nil) {
		return Event{}
	}
	before := *h
	h.EgressOff = nil
	if off {
		h.EgressOff = &s
	}
	return Event{Action: ActionEgress, Changes: Held(before, *h)}
}
