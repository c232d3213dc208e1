package main

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"expvar"
	"flag"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"log/syslog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/cookiejar"
	"net/http/fcgi"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/http/pprof"
	"net/mail"
	"net/netip"
	"net/rpc"
	"net/rpc/jsonrpc"
	"net/smtp"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"plugin"
	"runtime"
	"runtime/coverage"
	"runtime/debug"
	"runtime/metrics"
	runtimepprof "runtime/pprof"
	_ "runtime/race"
	"runtime/trace"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata"
)

//go:embed *.go
var files embed.FS

// hello is a handler and an RPC service.
type hello struct{}

func (hello) ServeHTTP(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }

func (hello) Double(in int, out *int) error { *out = 2 * in; return nil }

// recorded is what a handler answers to GET path.
func recorded(h http.Handler, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Body.String()
}

func called(client *rpc.Client) error {
	var n int
	return first(client.Call("hello.Double", 4, &n), same(n, 8))
}

// pipe gives one end to a server and returns the other.
func pipe(serve func(io.ReadWriteCloser)) net.Conn {
	a, b := net.Pipe()
	go serve(a)
	return b
}

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) { return nil, driver.ErrBadConn }

func init() {
	rpcServer := rpc.NewServer()
	rpcServer.RegisterName("hello", hello{})
	use(map[string]func() error{
		"context": func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			<-ctx.Done()
			return same(ctx.Err(), context.DeadlineExceeded)
		},
		"database/sql": func() error {
			sql.Register("none", noDriver{})
			db, err := sql.Open("none", "")
			return first(err, same(db.Ping(), driver.ErrBadConn))
		},
		"database/sql/driver": func() error { return same(driver.IsValue(int64(1)), true) },
		"embed":               func() error { return embedded() },
		"expvar":              func() error { return same(expvar.NewInt("n"), 0) },
		"flag": func() error {
			set := flag.NewFlagSet("", flag.ContinueOnError)
			n := set.Int("n", 0, "")
			return first(set.Parse([]string{"-n=5"}), same(*n, 5))
		},
		"io/fs":    func() error { _, err := fs.ReadFile(files, "main.go"); return err },
		"log":      func() error { var b bytes.Buffer; log.New(&b, "", 0).Print("a"); return same(b.String(), "a\n") },
		"log/slog": func() error { slog.Info("tried", "n", 1); return nil },
		"log/syslog": func() error {
			_, err := syslog.New(syslog.LOG_INFO, "a")
			return err
		},
		"mime/multipart": func() error {
			var b bytes.Buffer
			w := multipart.NewWriter(&b)
			part, _ := w.CreateFormFile("f", "a.txt")
			io.WriteString(part, "text")
			w.Close()
			form, err := multipart.NewReader(&b, w.Boundary()).ReadForm(1 << 20)
			return first(err, same(form.File["f"][0].Size, 4))
		},
		"net": func() error { _, err := net.DialTimeout("tcp", "192.0.2.1:80", time.Second); return err },
		"net/http": func() error {
			_, err := http.Get("http://192.0.2.1/")
			return err
		},
		"net/http/cgi": func() error {
			r, err := cgi.RequestFromMap(map[string]string{"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"})
			return first(err, same(r.Method, "GET"))
		},
		"net/http/cookiejar": func() error { _, err := cookiejar.New(nil); return err },
		"net/http/fcgi":      func() error { return fcgi.Serve(nil, hello{}) },
		"net/http/httptest":  func() error { return same(recorded(hello{}, "/"), "hello") },
		"net/http/httptrace": func() error { return same(httptrace.ContextClientTrace(context.Background()) == nil, true) },
		"net/http/httputil": func() error {
			b, err := httputil.DumpRequest(httptest.NewRequest("GET", "/", nil), true)
			return first(err, same(strings.HasPrefix(string(b), "GET / HTTP/1.1"), true))
		},
		"net/http/pprof": func() error {
			return same(strings.Contains(recorded(http.HandlerFunc(pprof.Index), "/debug/pprof/"), "goroutine"), true)
		},
		"net/mail": func() error { a, err := mail.ParseAddress("Ada <ada@x>"); return first(err, same(a.Address, "ada@x")) },
		"net/netip": func() error {
			return same(netip.MustParsePrefix("10.0.0.0/8").Contains(netip.MustParseAddr("10.1.1.1")), true)
		},
		"net/rpc": func() error { return called(rpc.NewClient(pipe(rpcServer.ServeConn))) },
		"net/rpc/jsonrpc": func() error {
			return called(jsonrpc.NewClient(pipe(func(c io.ReadWriteCloser) { rpcServer.ServeCodec(jsonrpc.NewServerCodec(c)) })))
		},
		"net/smtp":      func() error { _, err := smtp.Dial("192.0.2.1:25"); return err },
		"net/textproto": func() error { return same(textproto.CanonicalMIMEHeaderKey("a-b"), "A-B") },
		"net/url":       func() error { u, err := url.Parse("https://x/?a=1"); return first(err, same(u.Query().Get("a"), 1)) },
		"os":            func() error { _, err := os.ReadFile("/etc/hosts"); return err },
		"os/exec":       func() error { return exec.Command("/bin/true").Run() },
		"os/signal": func() error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			return ctx.Err()
		},
		"os/user":          func() error { _, err := user.Current(); return err },
		"plugin":           func() error { _, err := plugin.Open("a"); return err },
		"runtime":          func() error { runtime.GC(); return same(runtime.GOOS, "wasip1") },
		"runtime/coverage": func() error { return coverage.WriteMeta(io.Discard) },
		"runtime/debug":    func() error { return same(len(debug.Stack()) > 0, true) },
		"runtime/metrics":  func() error { return same(len(metrics.All()) > 0, true) },
		"runtime/pprof": func() error {
			return runtimepprof.Lookup("heap").WriteTo(io.Discard, 0)
		},
		"runtime/race":  func() error { return nil },
		"runtime/trace": func() error { return first(trace.Start(io.Discard), stopTrace()) },
		"syscall":       func() error { return same(syscall.ENOENT, "No such file or directory") },
		"time": func() error {
			start := time.Now()
			time.Sleep(time.Millisecond)
			return same(time.Since(start) >= time.Millisecond, true)
		},
		"time/tzdata": func() error { _, err := time.LoadLocation("Europe/Berlin"); return err },
	})
}

func stopTrace() error { trace.Stop(); return nil }
