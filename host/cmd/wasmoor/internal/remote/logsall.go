package remote

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ofPlugin is a line of a log of several plugins.
type ofPlugin struct {
	Plugin string `json:"plugin"`
	adminapi.LogLine
}

// names lists the plugins that whoever asks may see.
func names(ctx context.Context, c *client.Client) ([]string, error) {
	plugins, err := c.Plugins(ctx)
	list := make([]string, len(plugins))
	for i := range plugins {
		list[i] = plugins[i].Name
	}
	slices.Sort(list)
	return list, err
}

// showAllLogs shows the lines of all plugins in the order of their times.
func (p *Commands) showAllLogs(ctx context.Context, q adminapi.LogsQuery) error {
	return p.Talk(func(c *client.Client) error {
		list, err := names(ctx, c)
		if err != nil {
			return err
		}
		var all []ofPlugin
		for _, name := range list {
			q.Name = name
			page, err := c.Logs(ctx, q)
			if err != nil && fault.CodeOf(err) != fault.NotFound { // purged meanwhile
				return err
			}
			for _, line := range page.Lines {
				all = append(all, ofPlugin{name, line})
			}
		}
		slices.SortStableFunc(all, func(a, b ofPlugin) int { return a.Time.Compare(b.Time) })
		if q.Tail > 0 && len(all) > q.Tail {
			all = all[len(all)-q.Tail:]
		}
		for i := range all {
			if err := p.showLine(all[i].Plugin, all[i].LogLine); err != nil {
				return err
			}
		}
		if len(all) == 0 {
			p.Note("no plugin has logged a line like that")
		}
		return nil
	})
}

// lookAgain is the time between two looks for plugins that are new.
const lookAgain = 2 * time.Second

var errOthers = errors.New("there are other plugins now")

// allFollower is one run of `wasmoor logs --follow` without a name.
type allFollower struct {
	p      *Commands
	client *client.Client
	query  adminapi.LogsQuery

	mu    sync.Mutex
	after map[string]string // cursors of the last lines
	known []string
	lost  bool
}

// followAllLogs shows lines of all plugins until the person has seen enough.
func (p *Commands) followAllLogs(ctx context.Context, q adminapi.LogsQuery) error {
	err := p.Talk(func(c *client.Client) error {
		f := allFollower{p: p, client: c, query: q, after: map[string]string{}}
		for {
			err := f.round(ctx)
			switch {
			case ctx.Err() != nil || f.known == nil || fault.CodeOf(err) != fault.Unavailable && !errors.Is(err, errOthers):
				return err
			case errors.Is(err, errOthers):
				continue
			}
			if !f.lost {
				p.Note("the server is gone; waiting for it")
			}
			f.lost = true
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	})
	if ctx.Err() != nil && p.Unwritten() == nil {
		return nil // that is how it ends
	}
	return err
}

// round follows the plugins that there are, until one of their logs ends, or there
// are others.
func (f *allFollower) round(ctx context.Context) error {
	list, err := names(ctx, f.client)
	if err != nil {
		return err
	}
	if f.lost {
		f.p.Note("the server is back")
	}
	f.known, f.lost = list, false
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var all sync.WaitGroup
	for _, name := range list {
		q := f.query
		q.Name, q.After = name, f.after[name]
		if q.After != "" {
			q.Tail = 0
		}
		all.Go(func() { end(f.client.FollowLogs(ctx, q, func(l adminapi.LogLine) error { return f.take(name, l) })) })
	}
	all.Go(func() { end(f.others(ctx)) })
	all.Wait()
	return context.Cause(ctx)
}

// others returns when there are other plugins, or the server does not say.
func (f *allFollower) others(ctx context.Context) error {
	for {
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
		list, err := names(ctx, f.client)
		if err != nil {
			return err
		}
		if !slices.Equal(list, f.known) {
			return errOthers
		}
	}
}

func (f *allFollower) take(name string, line adminapi.LogLine) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after[name] = line.Cursor
	if err := f.p.showLine(name, line); err != nil {
		return err
	}
	return f.p.Unwritten()
}
