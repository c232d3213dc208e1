package author

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	slashpath "path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/watch"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

// devEnvFile holds the variables of `wasmoor dev`; project.ReadEnv reads it. The
// .gitignore of a new project names it.
const devEnvFile = "wasmoor.dev.env"

// DevCommand returns `wasmoor dev`.
func (p *Commands) DevCommand() *cobra.Command {
	var listen, mount, networks string
	var vars []string
	cmd := p.Does(&cobra.Command{
		Use:   "dev [DIR]",
		Short: "Build a project, serve it, and again at each change",
		Long: `Dev builds the project in DIR (default: this folder) and serves it on this
machine, with a temporary store and whatever its manifest asks for. At each
change it builds again and swaps the version; a build that fails leaves the old
version serving. Each request is shown with its status, its time and what became
of its writes, and below it what the handler logged. A change is another content
of a file that the manifest's watch globs name, or without them of any file that
is not hidden, a module, or made by the build itself. Without a build command the
module is watched too.

Variables come from ` + devEnvFile + `, an env file, and --var.`,
		Example: `  wasmoor dev
  wasmoor dev shop --listen 127.0.0.1:9000 --var greeting=hi`,
		Args: cli.MayTake("DIR"),
	}, func(cmd *cobra.Command, args []string) error {
		if err := cli.CheckTarget("", mount); err != nil {
			return err
		}
		given, err := assignments("--var", vars)
		if err != nil {
			return err
		}
		cfg, err := p.scratchConfig(cmd.Flags(), listen, networks)
		if err != nil {
			return err
		}
		d := &devLoop{p: p, dir: cli.Argument(args, "."), mount: mount, vars: given, sent: map[string]string{}}
		return d.run(cmd.Context(), cfg)
	})
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:8090", "where to serve; port 0 takes a free one")
	flags.StringVar(&mount, "mount", "", "where the routes hang: [host]/prefix (default /NAME)")
	flags.StringArrayVar(&vars, "var", nil, "KEY=VALUE of a variable; may be repeated")
	p.scratchFlags(flags, &networks)
	return cmd
}

// devLoop is one run of `wasmoor dev`. It belongs to one goroutine.
type devLoop struct {
	p     *Commands
	dir   string
	mount string
	vars  [][2]string

	scratch *scratch
	project *project.Project  // as last read
	name    string            // under which the plugin is installed; "" = not yet
	digest  [sha256.Size]byte // of the module that serves
	sent    map[string]string // vars the plugin has
	urls    []string          // as last shown

	watcher *watch.Watcher
	files   watch.Snapshot // what the last build saw, and what it made
	stale   string         // a file that changed while it was built; "" = none
}

func (d *devLoop) run(ctx context.Context, cfg host.Config) (err error) {
	if info, err := os.Stat(d.dir); err == nil && !info.IsDir() {
		return fault.New(fault.Invalid, "", fmt.Sprintf(
			"%s is a file; dev serves the folder of a project, which has a %s. To send a module one request: `wasmoor call %s`", d.dir, manifest.FileName, d.dir))
	}
	if d.project, err = project.Open(d.dir); err != nil {
		return err
	}
	if d.watcher, err = watch.New(d.dir); err != nil {
		return cli.FileError("watch "+d.dir, err)
	}
	defer func() { err = errors.Join(err, d.watcher.Close()) }()
	screen := &devScreen{p: d.p, lines: map[string][]string{}}
	log := slog.New(&recordHandler{level: slog.LevelDebug, take: screen.take})
	if d.scratch, err = startScratch(ctx, cfg, log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.scratch.close()) }()
	d.p.Announce("dev", d.scratch.host)
	d.attempt()
	for {
		d.p.Note("%s", d.p.Paint(d.p.Stderr, term.Grey, "waiting for requests and changes; Ctrl-C ends"))
		changed, err := d.nextChange(d.scratch.ctx)
		if err != nil {
			return endOfWait(err)
		}
		d.p.Note("\n%s  %s changed", time.Now().Format(clock), changed)
		d.attempt()
	}
}

// nextChange waits until a file differs from what the last build saw. Files that
// come and go meanwhile, and what the build itself made, are no change.
func (d *devLoop) nextChange(ctx context.Context) (string, error) {
	if d.stale != "" {
		return d.stale, ctx.Err()
	}
	for {
		if _, err := d.watcher.Wait(ctx, d.matters); err != nil {
			return "", err
		}
		if changed := d.files.Changed(d.watcher.Scan(d.matters, d.files)); changed != "" {
			return changed, nil
		}
	}
}

// endOfWait tells an interrupt, which is how a dev loop ends, from a failure.
func endOfWait(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return cli.FileError("watch for changes", err)
}

// matters reports whether a change of path asks for a build: of the manifest,
// the variables, and what the manifest's watch globs name. Without globs that is
// every file but modules and what linkers make beside them. The module itself is
// what a build makes; without a build command somebody else makes it.
func (d *devLoop) matters(path string) bool {
	if path == manifest.FileName || path == devEnvFile {
		return true
	}
	output, err := filepath.Rel(d.dir, d.project.Output())
	if err == nil && path == filepath.ToSlash(output) {
		return d.project.Manifest.Build.Command == ""
	}
	globs := d.project.Manifest.Build.Watch
	if len(globs) == 0 {
		return !strings.Contains(slashpath.Base(path), ".wasm")
	}
	return slices.ContainsFunc(globs, func(glob string) bool { return watch.Match(glob, path) })
}

// attempt builds and deploys. What goes wrong is shown, and changes nothing of
// what serves.
func (d *devLoop) attempt() {
	err := d.deploy(d.scratch.ctx)
	if err == nil || d.scratch.ctx.Err() != nil {
		return
	}
	project.ShowFailure(d.p.Terminal, err)
	d.p.Complain(err.Error())
	if d.name != "" {
		d.p.Note("the old version goes on serving")
	}
}

func (d *devLoop) deploy(ctx context.Context) error {
	if err := d.read(); err != nil {
		return err
	}
	vars, err := d.variables()
	if err != nil {
		return err
	}
	l, err := d.project.Load(ctx)
	after := d.watcher.Scan(d.matters, d.files)
	d.stale = d.files.Built(after, len(d.project.Manifest.Build.Watch) > 0)
	d.files = after
	if err != nil {
		return err
	}
	for _, s := range l.Took {
		d.p.Step(s.Name, s.Took, s.Detail)
	}
	digest := sha256.Sum256(l.Module)
	if digest == d.digest && len(vars) == 0 {
		d.p.Note("the build made the same module: nothing to swap")
		return nil
	}
	return d.install(ctx, l, digest, vars)
}

// read takes the project as it is now, and a snapshot that is not newer than what
// a build from here on sees.
func (d *devLoop) read() error {
	d.stale = ""
	d.files = d.watcher.Scan(d.matters, d.files)
	read, err := project.Open(d.dir)
	if err != nil {
		return err
	}
	globs := d.project.Manifest.Build.Watch
	d.project = read
	if !slices.Equal(globs, read.Manifest.Build.Watch) { // other files matter now
		files := d.watcher.Scan(d.matters, d.files)
		maps.Copy(files, d.files)
		d.files = files
	}
	return nil
}

func (d *devLoop) install(ctx context.Context, l *project.Loaded, digest [sha256.Size]byte, vars [][2]string) error {
	if d.name != "" && d.name != l.Name {
		if err := d.scratch.client.Delete(ctx, d.name, true); err != nil {
			return err
		}
		d.name, d.sent = "", map[string]string{}
	}
	outcome, err := d.scratch.deploy(ctx, adminapi.Upload{PluginRef: adminapi.PluginRef{Name: l.Name}, Mount: d.mount}, l.Module, vars)
	if err != nil {
		return err
	}
	d.name, d.digest = l.Name, digest
	for _, v := range vars {
		d.sent[v[0]] = v[1]
	}
	d.show(outcome)
	return nil
}

// show tells what serves now, and where when that is news.
func (d *devLoop) show(o adminapi.Changed) {
	urls := term.RouteURLs(d.scratch.host.PublicURL(), o.Mount, o.Routes)
	if slices.Equal(urls, d.urls) {
		urls = nil
	}
	for _, s := range o.Steps {
		d.p.Step(s.Name, s.Took(), s.Detail)
	}
	d.p.Notices(o.Notices)
	d.p.Note("%s %s version %d serves", d.p.Paint(d.p.Stderr, term.Green, "ok"), o.Plugin, o.Version)
	for _, u := range urls {
		fmt.Fprintln(d.p.Stdout, u)
		d.urls = append(d.urls, u)
	}
}

// variables returns what the plugin does not have yet of the variables in the
// project's file and of --var, which wins.
func (d *devLoop) variables() ([][2]string, error) {
	all, err := readEnvFile(filepath.Join(d.dir, devEnvFile))
	if err != nil {
		return nil, err
	}
	var news [][2]string
	seen := map[string]bool{}
	for _, v := range slices.Backward(append(all, d.vars...)) {
		if seen[v[0]] {
			continue
		}
		seen[v[0]] = true
		if have, ok := d.sent[v[0]]; !ok || have != v[1] {
			news = append(news, v)
		}
	}
	return news, nil
}

// readEnvFile reads the variables of an env file. One that is not there has none.
func readEnvFile(file string) ([][2]string, error) {
	pairs, err := project.ReadEnv(file)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	return pairs, err
}
