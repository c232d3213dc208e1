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

// Run runs a step. Its error has the name of the step.
func (w *Watch) Run(name string, step func() error) error {
	start := w.Clock()
	w.noted = ""
	err := step()
	w.Steps = append(w.Steps, Step{Name: name, Took: w.Clock().Sub(start), Detail: w.noted})
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.CodeOf(err), "", name+": "+fault.MessageOf(err), err)
}
