package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// bareServers, set in the environment, makes the test binary two servers without a
// platform, Fiber's and net/http's: what we are measured against, in a process of
// its own.
const bareServers = "WASMOOR_BENCH_BARE_SERVERS"

// bare has the URLs of bare servers. Both answer a POST to /json after computing as
// long as a guest does, Fiber also GET / with a hello.
type bare struct {
	fiber, plain string
	pid          int
}

// jsonTakes is about how long the guest in Go computes that reads and writes
// jsonText.
const jsonTakes = 45 * time.Microsecond

// computes reads and writes JSON as often as takes jsonTakes.
func computes() func(text []byte) []byte {
	once := func(text []byte) []byte {
		var body any
		if err := json.Unmarshal(text, &body); err != nil {
			return nil
		}
		answer, _ := json.Marshal(body) // it was read
		return answer
	}
	const tries = 1000
	start := time.Now()
	for range tries {
		once([]byte(jsonText))
	}
	times := max(1, int(jsonTakes*tries/time.Since(start)))
	return func(text []byte) (answer []byte) {
		for range times {
			answer = once(text)
		}
		return answer
	}
}

func serveBare() int {
	compute := computes()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString("hello") })
	app.Post("/json", func(c *fiber.Ctx) error { return c.Send(compute(c.Body())) })
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text, err := io.ReadAll(r.Body); err == nil {
			_, _ = w.Write(compute(text)) // the client is gone
		}
	})
	failed := make(chan error, 2)
	for _, serve := range []func(net.Listener) error{app.Listener, func(ln net.Listener) error { return http.Serve(ln, plain) }} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(ln.Addr())
		go func() { failed <- serve(ln) }()
	}
	fmt.Fprintln(os.Stderr, <-failed)
	return 1
}

func startBare(b *testing.B) (s bare) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), bareServers+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := endsWithTest(cmd).Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // it has nothing to lose
		_ = cmd.Wait()
	})
	if _, err := fmt.Fscan(bufio.NewReader(out), &s.fiber, &s.plain); err != nil {
		b.Fatal(err)
	}
	s.fiber, s.plain, s.pid = "http://"+s.fiber, "http://"+s.plain, cmd.Process.Pid
	return s
}
