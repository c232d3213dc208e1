package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine/callstack"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/invoke"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// Probe makes the first instance of a program, so that a module that can never
// serve is found out before it gets a request. The handler of each route runs up
// to the first thing it asks of the host (see Instance.Try): what ends it before
// that ends it for every request. The instance that is returned has handled
// nothing. Making it, and each handler, may take as long as a request, o.Start.
// Errors are those of Program.Instance, which start is or calls, and of
// Instance.Try.
func Probe(ctx context.Context, start func(context.Context) (Instance, error), o Options) (Instance, error) {
	p := &probe{start: start, options: o}
	err := p.renew(ctx)
	for _, r := range handlersOf(o.Routes) {
		if err == nil {
			err = p.handler(ctx, r)
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.drop(ctx))
	}
	return p.instance, nil
}

type probe struct {
	start    func(context.Context) (Instance, error)
	options  Options
	instance Instance // clean; nil = none
}

// renew makes the instance clean, or a new one.
func (p *probe) renew(ctx context.Context) error {
	if p.instance != nil {
		if p.instance.Reset() {
			return nil
		}
		if err := p.drop(ctx); err != nil {
			return err
		}
	}
	return Starting(ctx, opProbe, context.WithTimeout, p.options.Start, func(ctx context.Context) (err error) {
		p.instance, err = p.start(ctx)
		return err
	})
}

func (p *probe) drop(ctx context.Context) error {
	if p.instance == nil {
		return nil
	}
	instance := p.instance
	p.instance = nil
	return instance.Close(context.WithoutCancel(ctx))
}

// maxTries is how often a handler must fail. A guest's generators have other
// seeds each time, which it can use without asking for anything.
const maxTries = 8

// handler tries the handler of a route, and fails if each try does. One that
// runs out of time is tried once more: the machine may have been busy.
func (p *probe) handler(ctx context.Context, r manifest.Route) error {
	begun, late := time.Now(), 0
	for try := 1; ; try++ {
		said, failed := p.try(ctx, r)
		if err := p.renew(ctx); err != nil {
			return err
		}
		if failed == nil {
			return nil
		}
		if fault.CodeOf(failed) == fault.Deadline {
			late++
		}
		if try == maxTries || late == 2 || late == 0 && p.options.Start > 0 && time.Since(begun) > p.options.Start || ctx.Err() != nil {
			return p.neverServes(ctx, r, said, failed)
		}
	}
}

// try has the instance handle a request of which it learns nothing, and returns
// what it said.
func (p *probe) try(ctx context.Context, r manifest.Route) (said string, failed error) {
	if deadline := p.deadline(r); deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, deadline)
		defer cancel()
	}
	var heard complaint
	limits := limit.Maximum()
	if p.options.ResponseBody > 0 {
		limits.ResponseBody = p.options.ResponseBody
	}
	inv := &invoke.Invocation{
		Env:     &invoke.Env{Limits: limits, Log: slog.New(&heard)},
		Request: &invoke.Request{Head: abi.RequestHead{Pattern: r.Pattern}, DropEffects: true},
		Start:   time.Now(),
	}
	inv.Begin(1, limits, nil)
	defer inv.End()
	failed = p.instance.Try(ctx, inv)
	return heard.text, failed
}

// deadline returns what the route gives its handler, or the shortest that the
// plugin's requests have.
func (p *probe) deadline(r manifest.Route) time.Duration { return max(p.options.Start, r.Deadline) }

// neverServes says what every request would end with.
func (p *probe) neverServes(ctx context.Context, r manifest.Route, said string, failed error) error {
	code := fault.CodeOf(failed)
	if code == fault.Internal || ctx.Err() != nil {
		return failed
	}
	which := "every request"
	if r.Pattern != "" {
		which = fmt.Sprintf("every request to %q", r.Pattern)
	}
	message := fmt.Sprintf("%s would fail, whatever it is: %s%s", which, fault.MessageOf(failed), callstack.Where(failed))
	if code == fault.Deadline {
		message += fmt.Sprintf("; it had %s, twice, and asked the host for nothing", p.deadline(r))
	}
	if said != "" {
		message += fmt.Sprintf("; the guest wrote %q", said)
	}
	if strings.Contains(said, uninitialised) {
		message += "; build it as a reactor, which exports _initialize: go build -buildmode=c-shared"
	}
	return fault.Wrap(code, opProbe, message, failed)
}

const (
	opProbe = "probe"
	// uninitialised is a part of what the runtimes of Go and TinyGo write when
	// an export is called of a module that was not built to have them called.
	uninitialised = "before runtime initialization"
)

// handlersOf returns a route for each handler of a plugin: of the native ABI
// there is one, whose route says nothing.
func handlersOf(routes []manifest.Route) []manifest.Route {
	handlers := []manifest.Route{}
	seen := map[[2]string]bool{}
	for _, r := range routes {
		if handler := [2]string{r.Export, r.Handler}; handler != [2]string{} && !seen[handler] {
			seen[handler] = true
			handlers = append(handlers, r)
		}
	}
	if len(handlers) == 0 {
		return []manifest.Route{{}}
	}
	return handlers
}

// complaint keeps the first line of a log that is a warning at least. It
// implements slog.Handler.
type complaint struct{ text string }

// maxComplaint bounds what is kept of it, in bytes.
const maxComplaint = 500

// Enabled implements slog.Handler.
func (c *complaint) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (c *complaint) Handle(_ context.Context, r slog.Record) error {
	if c.text == "" {
		c.text = invoke.Cut(r.Message, maxComplaint)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (c *complaint) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup implements slog.Handler.
func (c *complaint) WithGroup(string) slog.Handler { return c }
