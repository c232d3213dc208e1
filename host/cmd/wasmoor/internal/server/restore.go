package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
)

// RestoreShipped fills dir with what a server has shipped to a place: to a time, to a
// revision, or all there is. It is what `wasmoor restore` does there.
func (p *Commands) RestoreShipped(ctx context.Context, from, dir, to, identity string) error {
	cfg := host.RestoreConfig{From: from, DataDir: dir}
	err := parseTarget(to, &cfg)
	if err == nil {
		cfg.Identity, err = p.identity(ctx, identity)
	}
	if err != nil {
		return err
	}
	return p.restore(ctx, cfg)
}

// identity reads the age identity in a file, or of a pipe.
func (p *Commands) identity(ctx context.Context, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := cli.ReadFile(ctx, file, "read the identity", 64<<10)
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = cli.Usage("--identity: %s is empty", file)
	}
	return string(text), err
}

// parseTarget reads --to.
func parseTarget(to string, cfg *host.RestoreConfig) (err error) {
	if to == "latest" {
		return nil
	}
	if cfg.Revision, err = strconv.ParseUint(to, 10, 64); err == nil && cfg.Revision > 0 {
		return nil
	}
	if cfg.Time, err = time.Parse(time.RFC3339, to); err != nil {
		return cli.Usage("--to: %q is neither a time like 2026-11-29T08:00:00Z, nor a revision, nor latest", to)
	}
	return nil
}

func (p *Commands) restore(ctx context.Context, cfg host.RestoreConfig) error {
	r, err := host.Restore(ctx, cfg)
	if err != nil {
		return err
	}
	if p.AsJSON {
		return p.JSON(r)
	}
	lost := "nothing that was acknowledged until " + term.Date(r.Seen) + ", when the server was seen last; what it committed after that is not here"
	switch {
	case !cfg.Time.IsZero() || cfg.Revision != 0:
		lost = "what was committed after that"
	case r.Lost > 0:
		lost = "at most " + r.Lost.Round(time.Millisecond).String() + ": what was committed from then until the server was seen last"
	}
	rows := [][]string{
		{"restored", cfg.DataDir},
		{"revision", strconv.FormatUint(r.Revision, 10)},
		{"committed", term.Date(r.Time)},
		{"shipped by", r.Server + ", seen last " + term.Date(r.Seen)},
		{"lost", lost},
	}
	if r.Missing > 0 {
		p.Complain(missingBlobs(r.Missing))
	}
	return p.Table("", "", rows)
}

// missingBlobs says that bytes of blobs have not come.
func missingBlobs(n int64) string {
	return fmt.Sprintf("the bytes of %d blobs that plugins name were not shipped: where the server keeps them in S3, serve with the same setting blobs; else their plugins get an error when they read them", n)
}
