package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// shop is a server with the three plugins, in a folder of its own.
type shop struct {
	dir, binary string
	public      string // an address; the same over restarts
	url         string
	server      *exec.Cmd
	exited      chan struct{}
}

// open makes the server and the plugins, starts the one and deploys the others. The
// module of wasmoor is in root.
func open(ctx context.Context, root, dir string, p *payments) (*shop, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, err
	}
	s := &shop{dir: dir, binary: filepath.Join(dir, "wasmoor"), public: address, url: "http://" + address}
	if err := run(ctx, root, nil, "go", "build", "-o", s.binary, "./host/cmd/wasmoor"); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	for _, name := range []string{"stock", "ledger", "orders"} {
		if err := s.deploy(ctx, filepath.Join(root, "examples", "shop", name), name, p); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// deploy builds a plugin and deploys it. Its payment service is p.
func (s *shop) deploy(ctx context.Context, source, name string, p *payments) error {
	module, manifest := filepath.Join(s.dir, name+".wasm"), filepath.Join(s.dir, name+".toml")
	text, err := os.ReadFile(filepath.Join(source, "wasmoor.toml"))
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte("https://payments.example"), []byte(p.url))
	if err := os.WriteFile(manifest, text, 0o600); err != nil { //nolint:gosec // in a folder of its own
		return err
	}
	if err := run(ctx, source, []string{"GOOS=wasip1", "GOARCH=wasm"}, "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", module, "."); err != nil {
		return err
	}
	if err := s.cli(ctx, "pack", module, "--manifest", manifest, "-o", module+".packed"); err != nil {
		return err
	}
	return s.cli(ctx, "deploy", module+".packed")
}

// cli runs a command of wasmoor against the server.
func (s *shop) cli(ctx context.Context, args ...string) error {
	return run(ctx, s.dir, []string{"WASMOOR_SERVER=unix://" + s.admin(), "WASMOOR_TOKEN_FILE=" + filepath.Join(s.dir, "data", "admin.token")}, s.binary, args...)
}

func (s *shop) admin() string { return filepath.Join(s.dir, "admin.sock") }

// start starts the server, and waits until it answers.
func (s *shop) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own
	s.server = exec.Command(s.binary, "serve", "--data", filepath.Join(s.dir, "data"), "--public", s.public,
		"--admin", "unix:"+s.admin(), "--outbound-allow-networks", "127.0.0.0/8", "--log-level", "warn")
	s.server.Stderr = log
	if err := s.server.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(server *exec.Cmd) { _ = server.Wait(); close(exited) }(s.server) // killed, as a rule
	for {
		conn, err := net.Dial("tcp", s.public)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-exited:
			return fmt.Errorf("the server ended; its log is %s", log.Name())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// kill ends the server as a loss of power would, and starts it again. It returns for how
// long it was away.
func (s *shop) kill(ctx context.Context) (time.Duration, error) {
	at := time.Now()
	s.close()
	err := s.start(ctx)
	return time.Since(at), err
}

func (s *shop) close() {
	_ = s.server.Process.Kill() // it may be gone already
	<-s.exited
}

// run runs a command and returns what it said if it fails.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}
