package prepare_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/engine"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
	"github.com/wasmoor/wasmoor/host/internal/prepare"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/format"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin/wasmbintest"
)

// TestMain is also the process that builds, and others that pretend to.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if be, ok := processes[os.Args[1]]; ok {
			os.Exit(be(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// processes are what this program can be instead of a test, by its first
// argument.
var processes = map[string]func(args []string) int{
	"build": func([]string) int {
		err := prepare.Serve(context.Background(), os.Stdin, os.Stdout,
			func() prepare.Engines { return engines(&builder{}) })
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	},
	"garbage": answering("not JSON\x00"),
	"forged":  answering(`{"code":"no such code","message":"hello"}`),
	"both":    answering(`{"built":true,"code":"invalid","message":"hello"}`),
	"silent":  answering(""),
	"hollow":  answering(`{"built":true}`),
	"endless": func([]string) int {
		for {
			if _, err := os.Stdout.Write(make([]byte, 1<<16)); err != nil {
				return 1
			}
		}
	},
	"linked": func([]string) int {
		_ = os.Symlink("/etc/passwd", "passwd")
		return answering(`{"built":true}`)(nil)
	},
	"sealed": func([]string) int {
		_ = os.WriteFile("SEAL", []byte("mine"), 0o600)
		return answering(`{"built":true}`)(nil)
	},
	"server": func(args []string) int {
		p, err := prepare.New(config(args[0], nil, "build"), engines(&builder{}))
		if err == nil {
			_, err = p.Prepare(context.Background(), saying("sleep"), engine.Options{})
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	},
}

func answering(text string) func([]string) int {
	return func([]string) int {
		_, _ = io.WriteString(os.Stdout, text)
		return 0
	}
}

// saying returns a module that says something in its code, and said what one says.
func saying(text string) []byte {
	return []byte(wasmbintest.Header + wasmbintest.Section(format.IDCode, text))
}

func said(module []byte) string {
	list, err := format.Sections(module)
	if err != nil {
		return err.Error()
	}
	var text string
	for _, s := range list {
		text += string(module[s.Start:s.End])
	}
	return text
}

// builder does in Build what the module says.
type builder struct {
	mu      sync.Mutex
	checks  int
	loads   int
	refuses int // the next so many artefacts it loads
}

func (b *builder) Check(module []byte, _ engine.Options) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.checks++
	if said(module) == "unfit" {
		return fault.New(fault.Invalid, "prepare", "the module is unfit")
	}
	return nil
}

func (b *builder) Load(_ context.Context, dir string, _ engine.Options) (engine.Program, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuses > 0 {
		b.refuses--
		return nil, fault.New(fault.Invalid, "prepare", "it is not what this engine builds")
	}
	b.loads++
	code, err := os.ReadFile(filepath.Join(dir, "cache", "code"))
	return program{code: string(code)}, err
}

func (b *builder) Close(context.Context) error { return nil }

type program struct {
	engine.Program
	code string
}

// engines are those of a host on which b runs the modules of every ABI.
func engines(b *builder) prepare.Engines {
	return prepare.Engines{abi.Module: b, "other": b, "text": b}
}

// config returns the configuration of a pipeline in dir whose builds run in the
// process that args name.
func config(dir string, log io.Writer, args ...string) prepare.Config {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	return prepare.Config{
		Dir: filepath.Join(dir, "artefacts"), Secret: filepath.Join(dir, "artefact.key"),
		Command: append([]string{self}, args...), Log: logger,
		Limits: prepare.Limits{Memory: 512 << 20, CPU: 10 * time.Second, Idle: time.Minute, Size: 1 << 20, Places: 2},
	}
}

// pipeline counts the builds of a pipeline.
type pipeline struct {
	*prepare.Pipeline
	builds *atomic.Int64
}

// Builds returns how many modules were built, or not built, and not taken from the
// cache.
func (p *pipeline) Builds() int64 { return p.builds.Load() }

// counting is a log handler that counts the records of builds.
type counting struct {
	slog.Handler
	builds *atomic.Int64
}

func (c counting) Enabled(context.Context, slog.Level) bool { return true }

func (c counting) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "module built" || r.Message == "a module was not built" {
		c.builds.Add(1)
	}
	if !c.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return c.Handler.Handle(ctx, r)
}

// open returns a pipeline of cfg and its engine.
func open(t *testing.T, cfg prepare.Config) (*pipeline, *builder) {
	t.Helper()
	b, builds := &builder{}, &atomic.Int64{}
	cfg.Log = slog.New(counting{cfg.Log.Handler(), builds})
	p, err := prepare.New(cfg, engines(b))
	if err != nil {
		t.Fatal(err)
	}
	return &pipeline{p, builds}, b
}

// mustPrepare prepares a module and checks that the program is its.
func mustPrepare(t *testing.T, p *pipeline, module string, o engine.Options) {
	t.Helper()
	got, err := p.Prepare(t.Context(), saying(module), o)
	if err != nil {
		t.Fatal(err)
	}
	if code, want := got.(program).code, "code of "+module; code != want {
		t.Fatalf("the program is %q, want %q", code, want)
	}
}

func TestPrepareBuildsOnceAndThenLoads(t *testing.T) {
	dir := t.TempDir()
	p, _ := open(t, config(dir, nil, "build"))
	var notes []string
	o := engine.Options{Memory: 1 << 20, Note: func(text string) { notes = append(notes, text) }}
	mustPrepare(t, p, "one", o)
	mustPrepare(t, p, "one", o)
	mustPrepare(t, p, "two", o)
	if p.Builds() != 2 {
		t.Errorf("%d builds of two modules, want 2", p.Builds())
	}
	if len(notes) != 3 || !strings.HasPrefix(notes[0], "built in ") || notes[1] != "from cache" {
		t.Errorf("notes %q, want built, from cache, built", notes)
	}
	restarted, _ := open(t, config(dir, nil, "build"))
	mustPrepare(t, restarted, "one", o)
	mustPrepare(t, restarted, "two", o)
	if restarted.Builds() != 0 {
		t.Errorf("%d builds after a restart, want none", restarted.Builds())
	}
	onlyArtefacts(t, dir, 2)
}

// onlyArtefacts checks that no build has left anything but n artefacts.
func onlyArtefacts(t *testing.T, dir string, n int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "artefacts"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) != n || strings.Contains(strings.Join(names, " "), "build-") {
		t.Errorf("the directory holds %v, want %d artefacts and nothing else", names, n)
	}
}

func TestKeysDiffer(t *testing.T) {
	p, _ := open(t, config(t.TempDir(), nil, "build"))
	for i, o := range []engine.Options{{}, {Memory: 1}, {ABI: "other"}, {Memory: 1, ABI: "other"}} {
		mustPrepare(t, p, "one", o)
		if p.Builds() != int64(i+1) {
			t.Errorf("options %+v took the artefact of others", o)
		}
	}
	mustPrepare(t, p, "one", engine.Options{Note: func(string) {}})
	if p.Builds() != 4 {
		t.Error("who is told is part of the key")
	}
}

func TestWithoutCommandItBuildsHere(t *testing.T) {
	cfg := config(t.TempDir(), nil)
	cfg.Command = nil
	p, _ := open(t, cfg)
	mustPrepare(t, p, "one", engine.Options{})
	mustPrepare(t, p, "one", engine.Options{})
	if p.Builds() != 1 {
		t.Errorf("%d builds, want 1", p.Builds())
	}
}

func TestCheckComesFirst(t *testing.T) {
	p, _ := open(t, config(t.TempDir(), nil, "build"))
	if _, err := p.Prepare(t.Context(), saying("unfit"), engine.Options{}); fault.CodeOf(err) != fault.Invalid || p.Builds() != 0 {
		t.Errorf("got %v after %d builds, want %s and none", err, p.Builds(), fault.Invalid)
	}
}

func TestBuildEnds(t *testing.T) {
	for _, c := range []struct {
		name, module, process string
		change                func(*prepare.Limits)
		code                  fault.Code
		says                  string
	}{
		{name: "refused", module: "refuse", code: fault.Trap, says: "the guest trapped"},
		{name: "panic", module: "panic", code: fault.Internal, says: "failed"},
		{name: "fatal error", module: "crash", code: fault.Internal, says: "broke down"},
		{name: "memory of the heap", module: "heap", code: fault.TooLarge, says: "max_build_memory"},
		{name: "memory beside the heap", module: "map", code: fault.TooLarge, says: "max_build_memory"},
		{name: "processor time", module: "spin", change: func(l *prepare.Limits) { l.CPU = time.Second }, code: fault.Deadline, says: "processor time"},
		{name: "waiting", module: "sleep", change: func(l *prepare.Limits) { l.Idle = 300 * time.Millisecond }, code: fault.Deadline, says: "waited for 300ms"},
		{name: "computing is no waiting", module: "spin", change: func(l *prepare.Limits) { l.CPU, l.Idle = time.Second, 300*time.Millisecond }, code: fault.Deadline, says: "processor time"},
		{name: "no memory for machine code", module: "no memory", code: fault.TooLarge, says: "max_build_memory"},
		{name: "size of a file", module: "file", code: fault.TooLarge, says: "1MiB"},
		{name: "size of all files", module: "files", code: fault.TooLarge, says: "1MiB"},
		{name: "number of files", module: "many", code: fault.Internal, says: "did not leave"},
		{name: "killed", module: "kill", code: fault.Unavailable, says: "killed from outside"},
		{name: "messages of any size and form", module: "shout", code: fault.Invalid, says: "A\uFFFD"},
		{name: "endless messages", module: "log", code: fault.Internal, says: "building this module failed"},
		{name: "no answer", process: "silent", code: fault.Internal, says: "broke down"},
		{name: "no JSON", process: "garbage", code: fault.Internal, says: "broke down"},
		{name: "no such code", process: "forged", code: fault.Internal, says: "broke down"},
		{name: "a contradiction", process: "both", code: fault.Internal, says: "broke down"},
		{name: "endless answer", process: "endless", code: fault.Internal, says: "more than an answer"},
		{name: "nothing built", process: "hollow", code: fault.Internal, says: "did not leave"},
		{name: "a link", process: "linked", code: fault.Internal, says: "did not leave"},
		{name: "a seal", process: "sealed", code: fault.Internal, says: "did not leave"},
		{name: "no such command", process: "", module: "one", code: fault.Internal, says: "start"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var log bytes.Buffer
			cfg := config(dir, &log, "build")
			if c.process != "" {
				cfg = config(dir, &log, c.process)
			}
			if c.module == "one" {
				cfg.Command = []string{filepath.Join(dir, "missing")}
			}
			if c.change != nil {
				c.change(&cfg.Limits)
			}
			p, b := open(t, cfg)
			_, err := p.Prepare(t.Context(), saying(c.module), engine.Options{})
			if fault.CodeOf(err) != c.code || !strings.Contains(fault.MessageOf(err), c.says) {
				t.Fatalf("got %.2000v\nwant code %s and %q\nlog: %.2000s", err, c.code, c.says, log.String())
			}
			if len(err.Error()) > 1<<16 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if b.loads > 0 {
				t.Error("something was loaded")
			}
			onlyArtefacts(t, dir, 0)
			if log.Len() == 0 || log.Len() > 1<<17 {
				t.Errorf("%d bytes of log", log.Len())
			}
		})
	}
}

func TestGivenUp(t *testing.T) {
	dir := t.TempDir()
	p, _ := open(t, config(dir, nil, "build"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.Prepare(ctx, saying("sleep"), engine.Options{})
		ended <- err
	}()
	pid := builderIn(t, dir)
	cancel()
	if err := <-ended; fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want code %s", err, fault.Unavailable)
	}
	mustEnd(t, pid)
	onlyArtefacts(t, dir, 0)
}

// Whoever waits for the same gets the one build, each its own program.
func TestOneBuildForAllThatWait(t *testing.T) {
	p, b := open(t, config(t.TempDir(), nil, "build"))
	var waiting sync.WaitGroup
	for i := range 12 {
		waiting.Go(func() {
			module := fmt.Sprintf("module %d", i%3)
			got, err := p.Prepare(t.Context(), saying(module), engine.Options{})
			if err != nil || got.(program).code != "code of "+module {
				t.Errorf("%s: got %v, %v", module, got, err)
			}
		})
	}
	waiting.Wait()
	if p.Builds() != 3 || b.loads != 12 {
		t.Errorf("%d builds and %d programs, want 3 and 12", p.Builds(), b.loads)
	}
}

// TestProcessesShareACache builds one module in several pipelines at once, which stand
// for processes: none removes what another loads.
func TestProcessesShareACache(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []error{prepare.Shareable(filepath.Join(dir, "ours")), os.Chmod(dir, 0o750)} {
		if want != nil {
			t.Fatal(want)
		}
	}
	if err := prepare.Shareable(dir); err == nil {
		t.Error("a folder that others can read is shared")
	}
	cfg := config(filepath.Join(dir, "ours"), nil, "build")
	var all sync.WaitGroup
	for range 6 {
		p, _ := open(t, cfg)
		all.Go(func() {
			if _, err := p.Prepare(t.Context(), saying("shared"), engine.Options{ABI: abi.Module}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestArtefactThatTheEngineRefuses(t *testing.T) {
	var log bytes.Buffer
	p, b := open(t, config(t.TempDir(), &log, "build"))
	mustPrepare(t, p, "one", engine.Options{})
	b.refuses = 1
	mustPrepare(t, p, "one", engine.Options{})
	if p.Builds() != 2 || strings.Count(log.String(), "built again") != 1 {
		t.Errorf("%d builds, want 2 and one line that says why:\n%s", p.Builds(), log.String())
	}
}

func TestSweepKeepsWhatIsNamed(t *testing.T) {
	dir := t.TempDir()
	p, _ := open(t, config(dir, nil, "build"))
	for _, module := range []string{"one", "two", "three"} {
		mustPrepare(t, p, module, engine.Options{})
	}
	err := p.Sweep(func(d plugin.Digest) bool { return d == plugin.DigestOf(saying("two")) })
	if err != nil {
		t.Fatal(err)
	}
	onlyArtefacts(t, dir, 1)
	mustPrepare(t, p, "two", engine.Options{})
	if p.Builds() != 3 {
		t.Error("what was named is gone")
	}
}

func TestSizeOfTheCache(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir, nil, "build")
	cfg.Limits.Disk = 2500 + 10000 // two artefacts with their seals
	p, _ := open(t, cfg)
	pad := strings.Repeat("x", 5000)
	mustPrepare(t, p, "one"+pad, engine.Options{})
	mustPrepare(t, p, "two"+pad, engine.Options{})
	age(t, dir, plugin.DigestOf(saying("two"+pad)))
	mustPrepare(t, p, "one"+pad, engine.Options{})
	mustPrepare(t, p, "three"+pad, engine.Options{})
	onlyArtefacts(t, dir, 2)
	mustPrepare(t, p, "one"+pad, engine.Options{})
	if p.Builds() != 3 {
		t.Errorf("%d builds, want 3: what was used last is gone", p.Builds())
	}
}

// age makes an artefact one that was used long ago.
func age(t *testing.T, dir string, d plugin.Digest) {
	t.Helper()
	seals, err := filepath.Glob(filepath.Join(dir, "artefacts", "*", "SEAL"))
	if err != nil {
		t.Fatal(err)
	}
	for _, seal := range seals {
		text, err := os.ReadFile(seal)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), string(d)) {
			if err := os.Chtimes(seal, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no artefact of %s", d)
}

// The options reach the process that builds whole: what JSON dropped would be
// missing there, and from the key.
func TestOptionsTravel(t *testing.T) {
	p, _ := open(t, config(t.TempDir(), nil, "build"))
	o := fullOptions(t)
	got, err := p.Prepare(t.Context(), saying("options, args_get"), o)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%+v", o.OfBuild())
	if code := got.(program).code; code != want {
		t.Errorf("the process that builds got\n%s\nwant\n%s", code, want)
	}
}

func TestServeWithoutARequest(t *testing.T) {
	for _, input := range []string{"", "\x00\x00\x00\x02{", "\xff\xff\xff\xff", "\x00\x00\x00\x01x", "\x00\x00\x00\x0d{\"module\":-1}"} {
		var out bytes.Buffer
		err := prepare.Serve(t.Context(), strings.NewReader(input), &out,
			func() prepare.Engines { return nil })
		if fault.CodeOf(err) != fault.Invalid || out.Len() > 0 {
			t.Errorf("input %q: got %v and %q, want %s and no answer", input, err, out.String(), fault.Invalid)
		}
	}
}

// artefact returns the directory of the one artefact.
func artefact(t *testing.T, dir string) string {
	t.Helper()
	seals, err := filepath.Glob(filepath.Join(dir, "artefacts", "*", "SEAL"))
	if err != nil || len(seals) != 1 {
		t.Fatalf("artefacts %v, %v; want one", seals, err)
	}
	return filepath.Dir(seals[0])
}

func TestTampering(t *testing.T) {
	write := func(name, text string, mode fs.FileMode) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), mode) }
	}
	for name, tamper := range map[string]func(dir string) error{
		"another byte": func(dir string) error {
			return flip(filepath.Join(dir, "cache", "code"), 3)
		},
		"a byte of the seal": func(dir string) error { return flip(filepath.Join(dir, "SEAL"), 100) },
		"a byte of its MAC":  func(dir string) error { return flip(filepath.Join(dir, "SEAL"), 3) },
		"truncated":          func(dir string) error { return os.Truncate(filepath.Join(dir, "cache", "code"), 3) },
		"longer":             func(dir string) error { return os.Truncate(filepath.Join(dir, "cache", "code"), 1000) },
		"a file is missing":  func(dir string) error { return os.Remove(filepath.Join(dir, "meta")) },
		"no seal":            func(dir string) error { return os.Remove(filepath.Join(dir, "SEAL")) },
		"an empty seal":      write("SEAL", "", 0o600),
		"an unsigned seal":   write("SEAL", "\n{}", 0o600),
		"a further file":     write("cache/more", "x", 0o600),
		"a further directory of files": func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "more"), 0o700), os.WriteFile(filepath.Join(dir, "more", "x"), nil, 0o600))
		},
		"a link for a file": func(dir string) error {
			file := filepath.Join(dir, "cache", "code")
			return errors.Join(os.Rename(file, filepath.Join(dir, "..", "..", "code")), os.Symlink("../../../code", file))
		},
		"a link for a directory": func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "cache"), filepath.Join(dir, "..", "..", "cache")),
				os.Symlink("../../cache", filepath.Join(dir, "cache")))
		},
		"a link for the artefact": func(dir string) error {
			return errors.Join(os.Rename(dir, filepath.Join(dir, "..", "..", "moved")), os.Symlink("../moved", dir))
		},
		"a link for the seal": func(dir string) error {
			file := filepath.Join(dir, "SEAL")
			return errors.Join(os.Rename(file, filepath.Join(dir, "..", "..", "seal")), os.Symlink("../../seal", file))
		},
		"a file that others can write": func(dir string) error { return os.Chmod(filepath.Join(dir, "cache", "code"), 0o622) },
		"a seal that others can read":  func(dir string) error { return os.Chmod(filepath.Join(dir, "SEAL"), 0o644) },
		"a directory for others":       func(dir string) error { return os.Chmod(filepath.Join(dir, "cache"), 0o755) },
		"an artefact for others":       func(dir string) error { return os.Chmod(dir, 0o711) },
		"a file for the artefact": func(dir string) error {
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("x"), 0o600))
		},
		"another's key": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "..", "..", "artefact.key"), make([]byte, 32), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first, _ := open(t, config(dir, nil, "build"))
			mustPrepare(t, first, "one", engine.Options{})
			if err := tamper(artefact(t, dir)); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			p, b := open(t, config(dir, &log, "build"))
			mustPrepare(t, p, "one", engine.Options{})
			if p.Builds() != 1 || b.loads != 1 {
				t.Errorf("%d builds and %d loads, want 1 and 1: the engine saw it", p.Builds(), b.loads)
			}
			if strings.Count(log.String(), "\n") != 2 { // the refusal and the build
				t.Errorf("want one line about it:\n%s", log.String())
			}
			mustPrepare(t, p, "one", engine.Options{})
			if p.Builds() != 1 {
				t.Error("it was not put right")
			}
		})
	}
}

// flip changes a bit of a file.
func flip(file string, offset int) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	data[offset] ^= 1
	return os.WriteFile(file, data, 0o600)
}

// An artefact that was sealed for one module does not pass for another's.
func TestSwappedArtefacts(t *testing.T) {
	dir := t.TempDir()
	p, _ := open(t, config(dir, nil, "build"))
	mustPrepare(t, p, "one", engine.Options{})
	one := artefact(t, dir)
	moved := filepath.Join(dir, "moved")
	if err := os.Rename(one, moved); err != nil {
		t.Fatal(err)
	}
	mustPrepare(t, p, "two", engine.Options{})
	two := artefact(t, dir)
	if err := errors.Join(os.RemoveAll(two), os.Rename(moved, two)); err != nil {
		t.Fatal(err)
	}
	mustPrepare(t, p, "two", engine.Options{})
	if p.Builds() != 3 {
		t.Errorf("%d builds, want 3", p.Builds())
	}
}

func TestSecretFile(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"missing":   os.Remove,
		"truncated": func(file string) error { return os.Truncate(file, 31) },
		"longer":    func(file string) error { return os.Truncate(file, 33) },
		"readable":  func(file string) error { return os.Chmod(file, 0o640) },
		"a link": func(file string) error {
			return errors.Join(os.Rename(file, file+".moved"), os.Symlink(file+".moved", file))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first, _ := open(t, config(dir, nil, "build"))
			mustPrepare(t, first, "one", engine.Options{})
			file := filepath.Join(dir, "artefact.key")
			before, err := os.ReadFile(file)
			if err == nil {
				err = spoil(file)
			}
			if err != nil {
				t.Fatal(err)
			}
			p, _ := open(t, config(dir, nil, "build"))
			mustPrepare(t, p, "one", engine.Options{})
			after, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if p.Builds() != 1 || len(after) != 32 || bytes.Equal(before, after) {
				t.Errorf("%d builds with a key of %d bytes, want 1 with a new one", p.Builds(), len(after))
			}
		})
	}
}

// With less memory than Go itself takes, one build would end and the next one would
// not: none is begun.
func TestTooLittleMemoryBeginsNothing(t *testing.T) {
	cfg := config(t.TempDir(), nil, "build")
	cfg.Limits.Memory = 16 << 20
	p, _ := open(t, cfg)
	for range 20 {
		_, err := p.Prepare(t.Context(), saying("module"), engine.Options{Memory: 1 << 20})
		if fault.CodeOf(err) != fault.TooLarge {
			t.Fatal(err)
		}
	}
}
