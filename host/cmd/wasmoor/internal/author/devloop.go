package author

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	slashpath "path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/watch"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// devLoop builds and deploys one project of a session, again and again. But for its
// state it belongs to one goroutine.
type devLoop struct {
	*devSession
	dir   string
	store string // of the session, as the watcher names it; "" = it is elsewhere
	state loopState

	project *project.Project  // as last read; nil = its manifest could never be read
	name    string            // under which the plugin is installed; "" = not yet
	seeded  string            // the plugin whose store was last looked at for seeds
	digest  [sha256.Size]byte // of the module that serves
	sent    map[string]string // vars the plugin has
	urls    []string          // as last shown

	watcher     *watch.Watcher
	files       watch.Snapshot // what the last build saw, and what it made
	stale       string         // a file that changed while it was built; "" = none
	interrupted string         // the file for whose change the last build was given up
}

// newLoop starts to watch a project. A manifest that is wrong may be mended later.
func newLoop(s *devSession, dir string) (l *devLoop, err error) {
	l = &devLoop{devSession: s, dir: dir, sent: map[string]string{}}
	if l.store, err = storeWithin(dir, s.in.data); err != nil {
		return nil, err
	}
	if l.project, err = project.Open(dir); err != nil {
		if fault.CodeOf(err) != fault.Invalid {
			return nil, err
		}
		l.project = nil
	} else if err = s.claim(l.project.Manifest.Name, l); err != nil {
		return nil, err
	}
	l.state.set(l.prefix(), "building")
	if l.watcher, err = watch.New(dir); err != nil {
		return nil, cli.FileError("watch "+dir, err)
	}
	return l, nil
}

// storeWithin returns where the data folder is within the project's folder, so that
// its changes do not count as the project's; "" = it is elsewhere.
func storeWithin(dir, data string) (string, error) {
	if data == "" {
		return "", nil
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", cli.FileError("find the project", err)
	}
	to, err := filepath.Abs(data)
	if err != nil {
		return "", cli.FileError("find the store", err)
	}
	within, err := filepath.Rel(from, to)
	switch {
	case err != nil || within == ".." || strings.HasPrefix(within, ".."+string(filepath.Separator)):
		return "", nil // on another volume, or above
	case within == ".":
		return "", cli.Usage("--data %s is the folder of a project; name one for the store alone", data)
	}
	return filepath.ToSlash(within), nil
}

// title is what the screen calls the project.
func (d *devLoop) title() string {
	if d.project == nil {
		return filepath.Base(d.dir)
	}
	return d.project.Manifest.Name
}

// prefix returns where the plugin is mounted, "" while that is not known.
func (d *devLoop) prefix() string {
	if len(d.in.mounts) > 0 {
		return plugin.Mount(d.in.mounts[0]).Prefix()
	}
	if d.project == nil {
		return ""
	}
	return "/" + d.project.Manifest.Name
}

func (d *devLoop) run(ctx context.Context) error {
	d.screen.building(d.title())
	d.attempt(ctx)
	for {
		changed, err := d.nextChange(ctx)
		if errors.Is(err, context.Canceled) {
			return err
		}
		if err != nil {
			return cli.FileError("watch for changes", err)
		}
		d.screen.changed(d.title(), changed)
		d.attempt(ctx)
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

// matters reports whether a change of path asks for a build: of the manifest,
// the variables, and what the manifest's watch globs name. Without globs that is
// every file but modules and what linkers make beside them. The module itself is
// what a build makes; without a build command somebody else makes it.
func (d *devLoop) matters(path string) bool {
	if path == manifest.FileName || path == devEnvFile {
		return true
	}
	if d.project == nil || d.store != "" && strings.HasPrefix(path, d.store+"/") {
		return false
	}
	output, err := filepath.Rel(d.dir, d.project.Output())
	if err == nil && path == filepath.ToSlash(output) {
		return d.project.Manifest.Build.Command == ""
	}
	globs := d.globs()
	if len(globs) == 0 {
		return !strings.Contains(slashpath.Base(path), ".wasm")
	}
	return slices.ContainsFunc(globs, func(glob string) bool { return watch.Match(glob, path) })
}

func (d *devLoop) globs() []string {
	if d.project == nil {
		return nil
	}
	return d.project.Manifest.Build.Watch
}

// attempt builds and deploys. What goes wrong is shown, and changes nothing of
// what serves.
func (d *devLoop) attempt(ctx context.Context) {
	begun := time.Now()
	d.state.set(d.prefix(), "building")
	err := d.deploy(ctx, begun)
	switch {
	case err == nil:
		d.state.set(d.prefix(), "")
	case ctx.Err() != nil, errors.Is(err, errSuperseded):
	default:
		output := project.FailureOutput(err)
		d.state.set(d.prefix(), "failed: "+err.Error()+"\n\n"+output[:min(len(output), maxFailure)])
		d.screen.failed(d.title(), err, output, d.name != "")
	}
}

func (d *devLoop) deploy(ctx context.Context, begun time.Time) error {
	if err := d.read(); err != nil {
		return err
	}
	vars, err := d.variables()
	if err != nil {
		return err
	}
	l, err := d.build(ctx)
	after := d.watcher.Scan(d.matters, d.files)
	if errors.Is(err, errSuperseded) {
		d.stale = d.interrupted
		return err
	}
	d.stale = d.files.Built(after, len(d.globs()) > 0)
	d.files = after
	if err != nil {
		return err
	}
	digest := sha256.Sum256(l.Module)
	if digest == d.digest && len(vars) == 0 {
		d.screen.unchanged(d.title())
		return nil
	}
	return d.install(ctx, l, digest, vars, begun)
}

// errSuperseded ends a build of sources that have changed meanwhile.
var errSuperseded = errors.New("the sources changed while they were built")

// build builds the project, and gives up with errSuperseded when a file changes that
// was there before: not twice in turn for the same one, which the build itself may
// write.
func (d *devLoop) build(ctx context.Context) (*project.Loaded, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	edited := make(chan string, 1)
	go func() { edited <- d.awaitEdit(ctx, cancel) }()
	l, err := d.project.Load(ctx)
	cancel(nil)
	if d.interrupted = <-edited; d.interrupted != "" {
		return nil, errSuperseded
	}
	return l, err
}

func (d *devLoop) awaitEdit(ctx context.Context, cancel context.CancelCauseFunc) string {
	for {
		if _, err := d.watcher.Wait(ctx, d.matters); err != nil {
			return ""
		}
		if name := d.files.Edited(d.watcher.Scan(d.matters, d.files)); name != "" && name != d.interrupted {
			cancel(errSuperseded)
			return name
		}
	}
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
	if err := d.claim(read.Manifest.Name, d); err != nil {
		return err
	}
	before, known := d.globs(), d.project != nil
	d.project = read
	if !known || !slices.Equal(before, d.globs()) { // other files matter now
		files := d.watcher.Scan(d.matters, d.files)
		maps.Copy(files, d.files)
		d.files = files
	}
	return nil
}

func (d *devLoop) install(ctx context.Context, l *project.Loaded, digest [sha256.Size]byte, vars [][2]string, begun time.Time) error {
	if d.name != "" && d.name != l.Name {
		if err := d.scratch.client.Delete(ctx, d.name, d.in.data == ""); err != nil {
			return err
		}
		d.name, d.seeded, d.sent = "", "", map[string]string{}
	}
	up := adminapi.Upload{PluginRef: adminapi.PluginRef{Name: l.Name}, Mount: d.in.mounts}
	outcome, err := d.scratch.deploy(ctx, up, l.Module, vars, d.beforeFirst(ctx, l.Name))
	if err != nil {
		return err
	}
	if d.name == "" && len(d.in.cors) > 0 {
		if _, err := d.scratch.client.SetCORS(ctx, l.Name, devCORS(d.in.cors)); err != nil {
			return err
		}
	}
	d.name, d.digest = l.Name, digest
	for _, v := range vars {
		d.sent[v[0]] = v[1]
	}
	d.urls = d.screen.live(d.scratch.host.PublicURL(), outcome, l.Took, time.Since(begun), d.urls)
	return d.showLater(ctx)
}

// beforeFirst returns what is to be done before the first version of a session
// serves; nil = nothing.
func (d *devLoop) beforeFirst(ctx context.Context, name string) func() error {
	seeds := seedsOf(d.in.seeds, name)
	if d.name != "" || d.seeded == name || len(seeds) == 0 {
		return nil
	}
	return func() error {
		n, err := plant(ctx, d.scratch.client, name, seeds)
		if err == nil {
			d.seeded = name
			d.screen.seeded(name, n, d.in.seed)
		}
		return err
	}
}

// variables returns what the plugin does not have yet of the variables in the
// project's file and of --var, which wins.
func (d *devLoop) variables() ([][2]string, error) {
	all, err := readEnvFile(d.scratch.ctx, filepath.Join(d.dir, devEnvFile))
	if err != nil {
		return nil, err
	}
	var news [][2]string
	seen := map[string]bool{}
	for _, v := range slices.Backward(append(all, d.in.assigned...)) {
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
func readEnvFile(ctx context.Context, file string) ([][2]string, error) {
	pairs, err := project.ReadEnv(ctx, file)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	return pairs, err
}
