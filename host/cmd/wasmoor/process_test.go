package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what must happen, on a slow machine.
const patience = 60 * time.Second

type processesKey struct{}

// process is a `wasmoor` that runs beside its script.
type process struct {
	cmd *exec.Cmd
	log string // file of its standard output and error
	err error  // what Wait returned, once
}

// background starts a command and waits until it announces where it serves:
//
//	background LOG ARGS...
//	background LOG stop
//
// LOG collects what it writes. It sets PUBLIC, ADMIN and TOKEN_FILE, and for
// serve also what the other commands find their server by. The second form
// interrupts it and waits for its end, which must be a good one.
func background(ts *testscript.TestScript, _ bool, args []string) {
	processes := ts.Value(processesKey{}).(map[string]*process)
	name := args[0]
	if args[1] == "stop" {
		p, ok := processes[name]
		if !ok {
			ts.Fatalf("nothing writes %s", name)
		}
		ts.Check(p.stop())
		return
	}
	p, err := start(ts, ts.MkAbs(name), args[1:])
	ts.Check(err)
	processes[name] = p
	ts.Defer(func() { _ = p.stop() })
	ts.Check(p.announced(ts, args[1] == "serve"))
}

func start(ts *testscript.TestScript, log string, args []string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("wasmoor", args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(environ(ts), lifeline+"=stdin")
	cmd.Stdout, cmd.Stderr = out, out
	if _, err := cmd.StdinPipe(); err != nil { // Wait closes it
		return nil, err
	}
	return &process{cmd: cmd, log: log}, cmd.Start()
}

// lifeline is the variable that makes a `wasmoor` of these tests end with its
// standard input, whose other end the test has: a test that is killed, or that
// panics after its timeout, runs none of its deferred calls.
const lifeline = "END_WITH_STDIN"

// wasmoor is the program as scripts run it.
func wasmoor() {
	if os.Getenv(lifeline) != "" {
		_ = os.Unsetenv(lifeline) // what it starts has another standard input
		go endWithStdin()
	}
	main()
}

func endWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(os.Interrupt)
	}
	time.Sleep(patience) // within which it ends in good order
	os.Exit(1)
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOTOOLCHAIN", "XDG_CACHE_HOME", "WORK", "WASMOOR_LOG_LEVEL", "WASMOOR_SECRETS_KEY"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// stop interrupts the process and waits for it, which is killed if it does not end.
func (p *process) stop() error {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
		defer late.Stop()
		p.err = p.cmd.Wait()
	}
	return p.err
}

var announcement = regexp.MustCompile(`(?m)public +(\S+)\n +admin +(\S+)\n +token +(\S+)$`)

// announced waits for the block that says where the process serves.
func (p *process) announced(ts *testscript.TestScript, isServer bool) error {
	var found []string
	err := wait(func() error {
		data, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		if found = announcement.FindStringSubmatch(string(data)); found == nil {
			return fmt.Errorf("it has not announced where it serves:\n%s", data)
		}
		return nil
	})
	if err != nil {
		return err
	}
	ts.Setenv("PUBLIC", found[1])
	ts.Setenv("ADMIN", found[2])
	ts.Setenv("TOKEN_FILE", found[3])
	if isServer {
		ts.Setenv("WASMOOR_SERVER", found[2])
		ts.Setenv("WASMOOR_TOKEN_FILE", ts.MkAbs(found[3]))
	}
	return nil
}

// wait calls check until it is satisfied, and returns its last complaint.
func wait(check func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond) // between looks at another process, which cannot tell
	}
}

// httpRequest sends a request and writes the answer's body to standard output:
// http STATUS METHOD URL [BODY]. Another status is a failure.
func httpRequest(ts *testscript.TestScript, neg bool, args []string) {
	body := ""
	if len(args) > 3 {
		body = args[3]
	}
	text, err := request(args[0], args[1], args[2], body)
	_, _ = io.WriteString(ts.Stdout(), text)
	if neg == (err == nil) {
		ts.Fatalf("%v", errors.Join(err, errors.New(text)))
	}
}

func request(status, method, url, body string) (string, error) {
	want, err := strconv.Atoi(status)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("X-Request-Id", "script") // for `wasmoor trace`
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s %s answers %d, want %d", method, url, resp.StatusCode, want)
	}
	return string(data), err
}

// load asks as one client after another, who name themselves in X-User, until a file
// has a pattern: load PATTERN FILE URL. What is answered does not matter.
func load(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	deadline := time.Now().Add(patience)
	for i := 0; ; i++ {
		if i%50 == 0 {
			if data, err := os.ReadFile(ts.MkAbs(args[1])); err == nil && pattern.Match(data) {
				return
			}
			if time.Now().After(deadline) {
				ts.Fatalf("%s has no %q after %d requests", args[1], args[0], i)
			}
		}
		r, err := http.NewRequest(http.MethodGet, args[2], nil)
		ts.Check(err)
		r.Header.Set("X-User", strconv.Itoa(i%1000))
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
}

// eventually waits for a pattern in a file or in an answer:
//
//	eventually grep PATTERN FILE
//	eventually http PATTERN URL
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	ts.Check(wait(func() error {
		var text string
		if args[0] == "http" {
			text, _ = request("200", http.MethodGet, args[2], "")
		} else if data, err := os.ReadFile(ts.MkAbs(args[2])); err == nil {
			text = string(data)
		}
		if !pattern.MatchString(text) {
			return fmt.Errorf("no %q in %s:\n%s", args[1], args[2], text)
		}
		return nil
	}))
}
