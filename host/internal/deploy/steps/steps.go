// Package steps notes the steps of a change of what serves, and names the one that
// failed. Package deploy imports it, and what it calls.
package steps

import (
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// Step is a part of a change and the time it took.
type Step struct {
	Name   string
	Took   time.Duration
	Detail string // for a person, e.g. "from cache"
}

// Watch notes the steps of a change and names the one that failed.
type Watch struct {
	Clock func() time.Time
	Force bool // the change is wanted although the version may not work with the data
	Steps []Step
	noted string // about the step that runs

	Notices []string // about the version
}

// Note adds what a person is to know of the step that runs.
func (w *Watch) Note(text string) {
	if w.noted != "" {
		w.noted += "; "
	}
	w.noted += text
}

// Run runs a step. Its error has the name of the step, and its time is without that of the
// steps within it.
func (w *Watch) Run(name string, step func() error) error {
	start, before, outer := w.Clock(), len(w.Steps), w.noted
	w.noted = ""
	err := step()
	took := w.Clock().Sub(start)
	for _, within := range w.Steps[before:] {
		took -= within.Took
	}
	w.Steps = append(w.Steps, Step{Name: name, Took: took, Detail: w.noted})
	w.noted = outer
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.CodeOf(err), "", name+": "+fault.MessageOf(err), err)
}
