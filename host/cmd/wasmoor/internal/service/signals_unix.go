//go:build unix

package service

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wasmoor/wasmoor/host"
)

// The signals that a server takes in addition to those that end it.
const (
	sigReload  = syscall.SIGHUP
	sigRestart = syscall.SIGUSR2
)

// catch takes the signals. That of the end of a terminal is no end of a server.
func catch() <-chan os.Signal {
	signals := make(chan os.Signal, 4)
	signal.Ignore(sigReload) // the program no longer ends at it
	signal.Notify(signals, sigReload, sigRestart)
	return signals
}

// obey does what signals say.
func (s *Service) obey(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-s.signals:
			if sig == sigReload {
				s.Hangup(ctx)
				continue
			}
			s.restart(ctx)
		}
	}
}

// checkTimeout bounds how long a program may take to check its settings.
const checkTimeout = 30 * time.Second

// restart ends the host for a successor, if there can be one: the program of the
// command line takes its settings and the data folder.
func (s *Service) restart(ctx context.Context) {
	program, err := exec.LookPath(os.Args[0])
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		var said []byte
		said, err = exec.CommandContext(ctx, program, append(slices.Clone(os.Args[1:]), "--check")...).CombinedOutput() //nolint:gosec // its own command line
		if err != nil && len(said) > 0 {
			err = errors.New(strings.TrimSpace(string(said[:min(len(said), 1024)])))
		}
	}
	if err != nil {
		s.Log.Error("no restart: the program would not start with these settings, so this one goes on", "program", program, "error", err)
		return
	}
	s.Log.Info("restarting", "program", program)
	s.leave(host.ErrRestart)
}

// succeed has the program of the command line take the place of this one, with its
// sockets. It returns only if it cannot.
func (s *Service) succeed() error {
	signal.Ignore(sigReload, sigRestart) // the successor takes them when it can
	s.Flush()
	kept, err := s.sockets.handOver()
	if err != nil {
		return err
	}
	env := append(os.Environ(), kept)
	program, err := exec.LookPath(os.Args[0])
	if err == nil {
		err = syscall.Exec(program, os.Args, env) //nolint:gosec // its own command line
	}
	if self, none := os.Executable(); none == nil && self != program {
		return errors.Join(err, syscall.Exec(self, os.Args, env)) //nolint:gosec // its own command line
	}
	return err
}

// handOverEnv has the sockets for a successor, NAME=DESCRIPTOR each. systemd's way
// (LISTEN_FDS) wants descriptors that a running program of Go may use itself.
const handOverEnv = "WASMOOR_SOCKETS"

// handOver lets the sockets be inherited, and returns the variable that says which
// they are.
func (s *sockets) handOver() (string, error) {
	var list []string
	for name, f := range s.files {
		fd := f.Fd()
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
			return "", os.NewSyscallError("fcntl", err)
		}
		list = append(list, name+"="+strconv.Itoa(int(fd)))
	}
	return handOverEnv + "=" + strings.Join(list, ","), nil
}

// handedOver returns the sockets of a predecessor.
func handedOver() (files []*os.File) {
	list := os.Getenv(handOverEnv)
	_ = os.Unsetenv(handOverEnv) // it never fails here
	for item := range strings.SplitSeq(list, ",") {
		name, text, _ := strings.Cut(item, "=")
		if fd, err := strconv.Atoi(text); err == nil {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), name))
		}
	}
	return files
}

// keep keeps the socket of a listener for a successor.
func (s *sockets) keep(name string, ln net.Listener) {
	if f, err := ln.(interface{ File() (*os.File, error) }).File(); err == nil {
		s.files[name] = f
	}
}
