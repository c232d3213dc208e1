package host

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// ErrRestart is the cause of the end of a Run whose listening sockets outlive the
// host, in another process: no delay is needed then, and /readyz does not fail.
var ErrRestart = errors.New("another process takes over")

// Run serves until ctx ends. Then /readyz fails, and all goes on for
// Config.DrainDelay. Then it lets running requests finish, at most for
// Config.DrainTimeout, and closes everything; meanwhile the admin listener goes on.
// Call it once. Close meanwhile stops at once.
func (h *Host) Run(ctx context.Context) error {
	var servers errgroup.Group
	servers.Go(func() error { return h.public.Serve(h.publicListener) })
	servers.Go(func() error { return h.admin.Serve(h.adminListener) })
	defer h.watch(ctx)()
	h.queues.Start()
	h.crons.Start()
	servers.Go(h.serveScrapes)
	failed := make(chan error, 1)
	go func() { failed <- servers.Wait() }()
	select {
	case err := <-failed: // a listener broke, or Close was called
		return errors.Join(err, h.Close())
	case err := <-h.fenced: // another server has taken over
		return errors.Join(err, h.Close(), <-failed)
	case <-ctx.Done():
	}
	if errors.Is(context.Cause(ctx), ErrRestart) {
		return errors.Join(h.drain(h.drainAdmin, h.drainStreams, h.drainPublic, h.drainSockets, h.drainQueues, h.drainCrons), h.Close(), <-failed)
	}
	h.public.Drain()
	h.admin.Drain()
	select {
	case err := <-failed:
		return errors.Join(err, h.Close())
	case <-time.After(h.settings.Load().DrainDelay):
	}
	return errors.Join(h.drain(h.drainStreams, h.drainPublic, h.drainSockets, h.drainAdmin, h.drainQueues, h.drainCrons), h.Close(), <-failed)
}

// drain ends the ways in in order, within Config.DrainTimeout. The public one comes
// late where others wait for it: an upload may take a while. No message is taken up
// meanwhile.
func (h *Host) drain(ways ...func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), h.settings.Load().DrainTimeout)
	defer cancel()
	h.queues.Stop()
	h.crons.Stop()
	for _, drain := range ways {
		err = errors.Join(err, drain(ctx))
	}
	return err
}

func (h *Host) drainPublic(ctx context.Context) error {
	h.waitsFor("public requests")
	return h.public.Close(ctx)
}

func (h *Host) drainSockets(ctx context.Context) error {
	h.waitsFor("events of sockets")
	return h.sockets.Drain(ctx)
}

// drainStreams tells the clients of sockets and live answers that the server stops, so that
// they come back to the next.
func (h *Host) drainStreams(ctx context.Context) error {
	h.waitsFor("clients of streams")
	return ignoreDeadline(h.streams.Close(ctx))
}

func (h *Host) drainQueues(ctx context.Context) error {
	h.waitsFor("messages of queues that are being handled")
	return h.queues.Drain(ctx)
}

func (h *Host) drainCrons(ctx context.Context) error {
	h.waitsFor("runs of schedules")
	return h.crons.Drain(ctx)
}

func (h *Host) drainAdmin(ctx context.Context) error {
	h.waitsFor("requests of the admin API")
	return h.admin.Close(ctx)
}

// waitsFor notes what keeps the host from its end.
func (h *Host) waitsFor(what string) { h.doing.Store(&what) }

// WaitsFor returns what a stop waits for at the moment, "" before there is one.
func (h *Host) WaitsFor() string {
	if what := h.doing.Load(); what != nil {
		return *what
	}
	return ""
}

// Writing returns for how long the disk has not taken the commits that are being
// written, 0 while there are none.
func (h *Host) Writing() time.Duration { return h.store.Writing() }

// Close stops at once: connections are cut, handlers stopped, and what was
// acknowledged stays. It waits until everything is released; more calls return
// what the first did.
func (h *Host) Close() error { return h.stop() }

// closeTimeout bounds how long Close waits for stopped handlers to return.
const closeTimeout = 10 * time.Second

// shutdown releases what open made, in reverse.
func (h *Host) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	now, cut := context.WithCancel(ctx)
	cut()
	var errs []error
	if h.public != nil {
		errs = append(errs, ignoreDeadline(h.public.Close(now)))
	}
	if h.streams != nil {
		errs = append(errs, ignoreDeadline(h.streams.Close(now)))
	}
	if h.admin != nil {
		errs = append(errs, ignoreDeadline(h.admin.Close(now)))
	}
	errs = append(errs, ignoreDeadline(h.closeScrapes(now)))
	for _, ln := range []net.Listener{h.publicListener, h.adminListener, h.scraping} {
		if ln != nil {
			_ = ln.Close() // usually closed by its server
		}
	}
	h.uploads.Close()
	h.waitsFor("live answers that are being computed")
	errs = append(errs, ignoreDeadline(h.live.Close(ctx)))
	h.waitsFor("events of sockets")
	errs = append(errs, ignoreDeadline(h.sockets.Close(ctx)))
	h.waitsFor("messages of queues that are being handled")
	errs = append(errs, ignoreDeadline(h.queues.Close(ctx)))
	h.waitsFor("runs of schedules")
	errs = append(errs, ignoreDeadline(h.crons.Close(ctx)))
	h.backups.Close()
	h.blobs.Close()
	if h.deployer != nil {
		h.waitsFor("handlers and changes under way")
		errs = append(errs, h.deployer.Close(ctx))
	}
	h.databases.Close()
	h.closeTraces(ctx)
	if h.floods != nil {
		h.floods.Close()
		h.waitsFor("log lines of plugins, whose disk may not answer")
		errs = append(errs, h.rings.Close(ctx))
	}
	if h.pipeline != nil {
		h.waitsFor("loaded programs")
		errs = append(errs, h.pipeline.Close(ctx))
	}
	if h.access != nil {
		h.access.Close()
	}
	if h.shipper != nil {
		h.waitsFor("commits on their way to ship_to")
		h.shipper.Close(ctx)
	}
	if h.store != nil {
		h.waitsFor("the store, whose disk may not answer")
		errs = append(errs, h.store.Close())
	}
	h.waitsFor("the log, which may not be read")
	return errors.Join(errs...)
}

// ignoreDeadline drops the error that says requests were cut off: Close does
// that on purpose.
func ignoreDeadline(err error) error {
	if fault.CodeOf(err) == fault.Deadline {
		return nil
	}
	return err
}
