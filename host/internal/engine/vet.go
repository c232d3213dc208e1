package engine

import (
	"cmp"
	"context"
	"time"
)

// Candidate is a program that was vetted: it would serve.
type Candidate struct {
	Program Program
	First   Instance // has handled nothing; nil = it was handed on
	Notices []string // for whoever deploys the module, see notices
}

// Vetting is how Vet goes about it.
type Vetting struct {
	Prepare Prepare
	// Instance makes the instances; nil = the program does.
	Instance func(context.Context, Program) (Instance, error)
	// Step runs each of the two steps, "prepare" and "probe"; nil = nobody waits.
	Step func(name string, run func() error) error
	// Stateful says that the state of instances is kept.
	Stateful bool
}

// Vet does all that shows whether a module would serve, before anything of it is
// recorded: it prepares the module and probes the program. Errors are those of
// Prepare and Probe. Close the candidate, or what is in it.
func Vet(ctx context.Context, module []byte, o Options, how Vetting) (*Candidate, error) {
	if how.Step == nil {
		how.Step = func(_ string, run func() error) error { return run() }
	}
	var c Candidate
	err := how.Step("prepare", func() (err error) { c.Program, err = how.Prepare(ctx, module, o); return err })
	if err != nil {
		return nil, err
	}
	var making time.Duration
	start := func(ctx context.Context) (Instance, error) {
		begun := time.Now()
		defer func() { making = time.Since(begun) }()
		if how.Instance == nil {
			return c.Program.Instance(ctx)
		}
		return how.Instance(ctx, c.Program)
	}
	err = how.Step("probe", func() (err error) { c.First, err = Probe(ctx, start, o); return err })
	if err != nil {
		return nil, c.Close(ctx, err)
	}
	c.Notices = notices(c.Program, making, how.Stateful)
	return &c, nil
}

// Close releases a candidate, for err or because it is not to serve, and returns
// the first error. It does so also when ctx has ended.
func (c *Candidate) Close(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	if c.First != nil {
		err = cmp.Or(err, c.First.Close(ctx))
	}
	return cmp.Or(err, c.Program.Close(ctx))
}
