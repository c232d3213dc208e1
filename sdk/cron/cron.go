// Package cron reads what a handler is told of a schedule that has made its request. The
// manifest has the schedules:
//
//	[[cron]]
//	schedule = "*/5 * * * *"
//	request = "POST /tasks/cleanup"
//
//	routes.Handle("POST /tasks/cleanup", func(w *sdk.Response, r *sdk.Request) error {
//		tick, ok := cron.From(r)
//		...
//	})
//
// The handler answers 2xx, and what it wrote commits together with the fact that the
// time of the schedule is over. With any other answer what it wrote is dropped, and the
// request comes again as often as attempts in the manifest says. So what a handler
// writes happens once for each time. A call to another service may happen again: pass
// Tick.ID on as its Idempotency-Key.
package cron

import (
	"strconv"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/sdk"
)

// Tick is what a handler is told.
type Tick struct {
	Name string // of the schedule
	// ID is the same in every attempt and of no other time: pass it on as
	// Idempotency-Key.
	ID      string
	Due     time.Time // the time of the schedule; the request comes some seconds later, or much later where it was missed
	Attempt int       // 1 is the first
	Manual  bool      // an operator asked for it: Due is when
}

// From returns what a request was made for; false for one of no schedule.
func From(r *sdk.Request) (Tick, bool) {
	if r.Trigger() != abi.TriggerCron {
		return Tick{}, false
	}
	due, _ := strconv.ParseInt(r.Attribute("cron.due"), 10, 64)
	attempt, _ := strconv.Atoi(r.Attribute("cron.attempt"))
	return Tick{
		Name: r.Attribute("cron.name"), ID: r.Attribute("cron.id"), Due: time.UnixMilli(due), Attempt: attempt, Manual: r.Attribute("cron.manual") == "true",
	}, true
}
