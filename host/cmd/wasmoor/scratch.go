package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// scratch is a host with a temporary store on the loopback interface, for trying
// a plugin. Close it.
type scratch struct {
	host   *host.Host
	client *client.Client
	dir    string
	ctx    context.Context // ends when the host does
	stop   context.CancelFunc
	done   chan error // what Run returned
}

// startScratch serves on public, "127.0.0.1:0" for a free port. Its admin API is
// on a free port of the loopback interface.
func startScratch(ctx context.Context, public string, log *slog.Logger) (s *scratch, err error) {
	s = &scratch{done: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "wasmoor-"); err != nil {
		return nil, fileError("make a temporary store", err)
	}
	cfg := host.DefaultConfig()
	cfg.DataDir, cfg.PublicAddr, cfg.AdminAddr, cfg.Log = s.dir, public, "127.0.0.1:0", log
	cfg.MinFreeDisk = 0 // what is written here is not kept
	cfg.ShowErrors = true
	if s.host, err = host.New(ctx, cfg); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	s.ctx, s.stop = context.WithCancel(ctx)
	go func() {
		defer s.stop()
		s.done <- s.host.Run(s.ctx)
	}()
	s.client, err = client.New(client.Config{Server: s.host.AdminURL(), Token: s.host.Token()})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close stops the host, waits for it and removes its store.
func (s *scratch) close() error {
	if s.client != nil {
		s.client.Close()
	}
	s.stop()
	return errors.Join(<-s.done, os.RemoveAll(s.dir))
}

// deploy installs a module with vars and activates it. Vars that the module
// needs and that are not given are an Invalid fault.
func (s *scratch) deploy(ctx context.Context, up client.Upload, vars [][2]string) (client.Outcome, error) {
	up.Grant = true
	outcome, err := s.client.Deploy(ctx, up)
	if err != nil {
		return outcome, err
	}
	steps, version := outcome.Steps, outcome.Version
	for _, v := range vars {
		if outcome, err = s.client.SetVar(ctx, up.Name, v[0], []byte(v[1])); err != nil {
			return outcome, err
		}
		steps = append(steps, outcome.Steps...)
	}
	if !outcome.Activated {
		if outcome, err = s.client.Activate(ctx, up.Name, version, true); err != nil {
			return outcome, err
		}
		steps = append(steps, outcome.Steps...)
	}
	if !outcome.Activated {
		return outcome, fault.New(fault.Invalid, "", "it does not serve yet; variables come from "+devEnvFile+" and --var KEY=VALUE:\n  "+
			strings.Join(outcome.Waiting, "\n  "))
	}
	outcome.Steps = steps
	return outcome, nil
}
