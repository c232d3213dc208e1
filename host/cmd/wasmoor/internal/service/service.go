// Package service is what a server owes to whoever runs it: signals, the sockets
// that outlive a process, what systemd wants to know, and an end that comes.
// `wasmoor serve` uses it.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/wasmoor/wasmoor/host"
)

// Service runs a host until a signal ends it. Make it with New before the host, so
// that signals and sockets are in its hands from the start.
type Service struct {
	Log    *slog.Logger
	Flush  func() // writes what Log keeps, and ends it
	Stderr io.Writer
	Hangup func(context.Context) // at SIGHUP

	signals <-chan os.Signal
	sockets *sockets
	host    *host.Host
	leave   context.CancelCauseFunc // ends the host for a successor
}

// New takes the sockets that the process has inherited, and the signals. The error
// is a cli.UsageError: a socket that nobody serves.
func New() (*Service, error) {
	inherited, err := inherit()
	if err != nil {
		return nil, err
	}
	return &Service{signals: catch(), sockets: inherited}, nil
}

// Listen is a host.Config.Listen: the listener is inherited, or is passed on.
func (s *Service) Listen(name, addr string) (net.Listener, error) {
	return s.sockets.listen(name, addr)
}

// Run runs h until ctx ends, or a signal asks for a successor: then the process
// becomes that, and Run returns only if it cannot, or if ctx ends meanwhile.
func (s *Service) Run(ctx context.Context, h *host.Host) error {
	s.host = h
	serving, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	s.leave = leave
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	go s.obey(watched)
	go s.watchdog(watched)
	stop := context.AfterFunc(serving, func() { s.ending(ctx, serving) })
	defer stop()
	s.tell(daemon.SdNotifyReady)
	err := h.Run(serving)
	if !restarts(ctx, serving) {
		return err
	}
	if err != nil {
		s.Log.Error("the server did not stop as it should; the next one starts all the same", "error", err)
	}
	return s.succeed()
}

// restarts reports whether a successor is due: one was asked for, and since then the
// process was not told to end.
func restarts(ctx, serving context.Context) bool {
	return ctx.Err() == nil && errors.Is(context.Cause(serving), host.ErrRestart)
}

// closeTime is what a host may take to close when no request runs any more.
const closeTime = 2 * time.Second

// ending sees to it that the end that has begun comes, whatever holds the process:
// a disk or a log may take no more. What was acknowledged is on disk.
func (s *Service) ending(ctx, serving context.Context) {
	if restarts(ctx, serving) {
		most := s.host.Settings().DrainTimeout + closeTime
		time.AfterFunc(most, func() {
			if restarts(ctx, serving) {
				s.say("wasmoor: the next process starts, after %v: this one still waited for %s", most, s.host.WaitsFor())
				s.say("wasmoor: it does not start: %v", s.succeed())
			}
			s.exit(most)
		})
		context.AfterFunc(ctx, func() {
			s.sockets.close()
			s.tell(daemon.SdNotifyStopping)
		})
		s.tell(daemon.SdNotifyReloading)
		return
	}
	s.sockets.close()
	settings := s.host.Settings()
	most := settings.DrainDelay + settings.DrainTimeout + closeTime // a stop takes no more
	time.AfterFunc(most, func() { s.exit(most) })
	s.tell(daemon.SdNotifyStopping)
}

// exit ends the process, which has had so long to end.
func (s *Service) exit(after time.Duration) {
	s.say("wasmoor: the process ends, after %v: it still waited for %s", after, s.host.WaitsFor())
	os.Exit(1) //nolint:forbidigo // main is what is held
}

// say writes a line that need not be read: the log may be what holds the process.
func (s *Service) say(format string, args ...any) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		_, _ = fmt.Fprintf(s.Stderr, format+"\n", args...)
	}()
	select {
	case <-said:
	case <-time.After(200 * time.Millisecond):
	}
}

// tell tells systemd, if it runs the process.
func (s *Service) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.say("wasmoor: systemd cannot be told %s: %v", state, err)
	}
}
