// Package e2e drives the built binary as its users do: processes, sockets,
// command lines, kills. The binary is built without the race detector, so that
// compiling WebAssembly in it stays quick when the tests themselves are raced.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/abi"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/wasmbin"
)

// soak makes the long runs long.
var soak = flag.Bool("soak", false, "run the long versions of the tests")

// seed makes random choices repeatable, though not what the scheduler does.
var seed = flag.Uint64("seed", 0, "seed of random choices; 0 = a new one")

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "curl" {
		os.Exit(curl(os.Args[1:], os.Stdout, os.Stderr))
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(bareServers) != "" {
		return serveBare()
	}
	if dir := os.Getenv(bareSQL); dir != "" {
		return serveBareSQL(dir)
	}
	dir, err := os.MkdirTemp("", "wasmoor-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary, built.dir = filepath.Join(dir, "wasmoor"), filepath.Join(dir, "built")
	build := exec.Command("go", "build", "-o", binary, "../cmd/wasmoor")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the binary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// often picks a count: few in a normal run, many in a soak.
func often(few, many int) int {
	if *soak {
		return many
	}
	return few
}

// seeded returns this run's seed and tells it.
func seeded(t testing.TB) uint64 {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d; to repeat its choices add -seed %d", s, s)
	return s
}

// server is a running `wasmoor serve`.
type server struct {
	t      testing.TB
	dir    string // its data
	public string // URLs
	admin  string
	token  string

	cmd    *exec.Cmd
	log    *output
	exited chan struct{}
}

// serve starts a server on free loopback ports with its data in dir, and waits
// until it answers. It is stopped when the test ends.
func serve(t testing.TB, dir string, flags ...string) *server {
	t.Helper()
	s, err := tryServe(t, dir, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

func tryServe(t testing.TB, dir string, flags ...string) (*server, error) {
	s, ready, err := launch(t, dir, flags...)
	if err != nil {
		return nil, err
	}
	return s, s.await(ready)
}

// await waits until a server that was launched answers.
func (s *server) await(ready chan struct{}) error {
	select {
	case <-ready:
	case <-s.exited:
		return fmt.Errorf("the server ended at its start:\n%s", s.log)
	case <-time.After(time.Minute):
		s.kill()
		return fmt.Errorf("the server did not start:\n%s", s.log)
	}
	token, err := os.ReadFile(filepath.Join(s.dir, "admin.token"))
	s.token = strings.TrimSpace(string(token))
	return err
}

// launch starts a server; ready is closed once it answers.
func launch(t testing.TB, dir string, flags ...string) (s *server, ready chan struct{}, err error) {
	args := append([]string{"serve", "--data", dir, "--public", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, flags...)
	return launchAs(t, dir, exec.Command(binary, args...))
}

// launchAs is launch with a command line of the test's own.
func launchAs(t testing.TB, dir string, cmd *exec.Cmd) (s *server, ready chan struct{}, err error) {
	s = &server{t: t, dir: dir, cmd: cmd, log: &output{}, exited: make(chan struct{})}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := lend(t, dir); err != nil {
		return nil, nil, err
	}
	if err := endsWithTest(s.cmd).Start(); err != nil {
		return nil, nil, err
	}
	ready = make(chan struct{})
	go s.watch(stderr, ready)
	return s, ready, nil
}

// watch reads what the server says: its addresses first, then its log.
func (s *server) watch(stderr io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		s.log.add(line)
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch value = strings.TrimSpace(value); {
		case name == "public" && s.public == "":
			s.public = value
		case name == "admin" && s.admin == "":
			s.admin = value
			close(ready)
		}
	}
	_ = s.cmd.Wait() // tests that care look at ProcessState
	if err := keep(s.dir); err != nil {
		s.log.add("what it has built is not kept: " + err.Error())
	}
	close(s.exited)
}

// kill ends the process as a crash would, and waits for it.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.exited
}

// stop ends the process as an operator would.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt) // it may be gone already
	select {
	case <-s.exited:
	case <-time.After(time.Minute):
		s.kill()
		s.t.Errorf("the server did not stop within a minute:\n%s", s.log)
	}
}

// output is a bounded record of what a process said.
type output struct {
	mu    sync.Mutex
	lines []string
}

func (o *output) add(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lines) >= 500 {
		o.lines = o.lines[100:]
	}
	o.lines = append(o.lines, line)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

// client is for tests: it keeps many connections and follows no redirects. It waits
// for the longest build, which is nice and so gets little of a busy machine.
var client = &http.Client{
	Timeout:       20 * time.Minute,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 256},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %q", a.status, a.body) }

// try sends a request to a path of the public listener.
func (s *server) try(ctx context.Context, method, path, body string) (answer, error) {
	return send(ctx, method, s.public+path, "", strings.NewReader(body))
}

// do is try that must get an answer, whatever its status.
func (s *server) do(method, path, body string) answer {
	s.t.Helper()
	a, err := s.try(context.Background(), method, path, body)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.log)
	}
	return a
}

func (s *server) get(path string) answer { s.t.Helper(); return s.do("GET", path, "") }

// tryAdmin sends a request to the admin API with the token.
func (s *server) tryAdmin(ctx context.Context, method, path string, body []byte) (answer, error) {
	return send(ctx, method, s.admin+path, s.token, bytes.NewReader(body))
}

// refusedError is an answer that says no.
type refusedError struct{ answer }

func (e *refusedError) Error() string { return "refused: " + e.String() }

// tryAPI is tryAdmin for an answer that is decoded into out, unless it is nil.
// An answer that says no is a refusedError.
func (s *server) tryAPI(ctx context.Context, out any, method, path string, body []byte) error {
	a, err := s.tryAdmin(ctx, method, path, body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case a.status >= 300:
		return fmt.Errorf("%s %s: %w", method, path, &refusedError{a})
	case out == nil:
		return nil
	}
	return json.Unmarshal([]byte(a.body), out)
}

// api is tryAPI that must succeed.
func (s *server) api(out any, method, path string, body ...byte) {
	s.t.Helper()
	if err := s.tryAPI(context.Background(), out, method, path, body); err != nil {
		s.t.Fatalf("%v\n%s", err, s.log)
	}
}

func send(ctx context.Context, method, url, token string, body io.Reader) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", mediaType(req.URL.Path))
	}
	return roundTrip(req)
}

// mediaType is that of the body which an operation of the admin API takes.
func mediaType(path string) string {
	switch {
	case strings.HasSuffix(path, "/versions"):
		return adminapi.TypeModule
	case strings.Contains(path, "/vars/"):
		return adminapi.TypeVar
	case strings.HasSuffix(path, "/kv/value"), strings.HasSuffix(path, "/messages"):
		return adminapi.TypeValue
	case strings.HasSuffix(path, "/data"):
		return adminapi.TypeBackup
	case strings.HasSuffix(path, "/kv/import"):
		return adminapi.TypeLines
	}
	return "application/json"
}

// roundTrip sends a request and reads its answer.
func roundTrip(req *http.Request) (answer, error) {
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, errors.Join(err, res.Body.Close())
}

// tryDeploy uploads a module and activates it.
func (s *server) tryDeploy(ctx context.Context, name string, module []byte) error {
	return s.tryDeployLabelled(ctx, name, "", module)
}

func (s *server) tryDeployLabelled(ctx context.Context, name, label string, module []byte) error {
	query := url.Values{"grant": {"true"}}
	if label != "" {
		query.Set("label", label)
	}
	return s.tryChange(ctx, "/v1/plugins/"+name+"/versions?"+query.Encode(), module)
}

// tryActivate makes a stored version serve.
func (s *server) tryActivate(ctx context.Context, name string, version int) error {
	return s.tryChange(ctx, "/v1/plugins/"+name+"/deployments", fmt.Appendf(nil, `{"version":%d}`, version))
}

// tryChange posts what must end in a deployment.
func (s *server) tryChange(ctx context.Context, path string, body []byte) error {
	var out struct {
		Activated bool
		Waiting   []string
	}
	err := s.tryAPI(ctx, &out, "POST", path, body)
	if err == nil && !out.Activated {
		err = fmt.Errorf("POST %s: it waits: %q", path, out.Waiting)
	}
	return err
}

// pluginStatus is what the admin API says of a plugin.
type pluginStatus struct {
	Name, State, Digest           string
	Version, Versions, Deployment int
	InFlight                      int `json:"in_flight"`
}

// serves reports whether requests to a plugin are answered: a start leaves it
// asleep until the first.
func serves(p pluginStatus) bool { return p.State == "serving" || p.State == "asleep" }

// status returns the status of a plugin, and whether there is one.
func (s *server) status(name string) (p pluginStatus, ok bool) {
	s.t.Helper()
	err := s.tryAPI(context.Background(), &p, "GET", "/v1/plugins/"+name, nil)
	if refused, no := errors.AsType[*refusedError](err); no && refused.status == http.StatusNotFound {
		return p, false
	}
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log)
	}
	return p, true
}

func (s *server) deploy(name string, module []byte) {
	s.t.Helper()
	if err := s.tryDeploy(context.Background(), name, module); err != nil {
		s.t.Fatalf("%v\n%s", err, s.log)
	}
}

// cli runs a command against the server and returns what it printed and its
// exit code.
func (s *server) cli(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	return s.cliWith("", args...)
}

// mustCLI runs a command that must succeed and returns its standard output.
func (s *server) mustCLI(stdin string, args ...string) string {
	s.t.Helper()
	stdout, stderr, code := s.cliWith(stdin, args...)
	if code != 0 {
		s.t.Fatalf("wasmoor %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

func (s *server) cliWith(stdin string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "WASMOOR_SERVER="+s.admin, "WASMOOR_TOKEN="+s.token)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// pack puts a manifest into a module: what every manifest needs, then lines.
func pack(t testing.TB, module []byte, name string, lines ...string) []byte {
	t.Helper()
	text := "manifest_version = 1\nname = \"" + name + "\"\n" + strings.Join(lines, "\n") + "\n"
	packed, err := wasmbin.WithCustomSection(module, abi.ManifestSection, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// writeFile writes a file of the test's own and returns its path.
func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// guests are the Go guests built so far, by directory.
var guests sync.Map

// goGuest builds the plugin of a directory relative to this one, once.
func goGuest(t testing.TB, dir string) []byte {
	t.Helper()
	build, _ := guests.LoadOrStore(dir, sync.OnceValues(func() ([]byte, error) {
		out, err := os.CreateTemp("", "wasmoor-guest-*.wasm")
		if err != nil {
			return nil, err
		}
		defer os.Remove(out.Name())
		if err := out.Close(); err != nil {
			return nil, err
		}
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out.Name(), ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build the guest in %s: %w\n%s", dir, err, text)
		}
		return os.ReadFile(out.Name())
	}))
	module, err := build.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// until waits until a condition holds, for a minute at most.
func until(ctx context.Context, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return errors.New("a minute was not enough")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
