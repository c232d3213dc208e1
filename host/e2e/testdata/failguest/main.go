// Failguest fails in the way that its path says. As it initialises it fails in the way
// that its name says, the one in its manifest.
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
	"unsafe"

	"github.com/wasmoor/wasmoor/sdk"
	"github.com/wasmoor/wasmoor/sdk/fetch"
	"github.com/wasmoor/wasmoor/sdk/kv"
)

var (
	kept    any
	missing map[string]int
	nothing *struct{ n int }
)

func init() {
	sdk.Handle(func(w *sdk.Response, r *sdk.Request) error {
		return fail(strings.TrimPrefix(r.Path(), "/"))
	})
	if len(os.Args) > 0 {
		if err := fail(os.Args[0]); err != nil {
			panic(err)
		}
	}
}

func main() {}

func fail(how string) error {
	switch how {
	case "spin":
		spin(1)
	case "sleep":
		time.Sleep(time.Minute)
	case "recurse":
		recurse(1)
	case "mutual":
		ping(1)
	case "fill":
		fill()
	case "huge":
		kept = make([]byte, 1<<32)
	case "wild":
		*(*int)(unsafe.Pointer(uintptr(0xffffffff0))) = 1
	case "nilmap":
		missing["x"] = 1
	case "nilpointer":
		nothing.n = 1
	case "goroutine":
		go func() { panic("in a\ngoroutine") }()
		time.Sleep(time.Millisecond)
	case "deadlock":
		<-make(chan int)
	case "fatal":
		log.Fatal("no key")
	case "exit":
		os.Exit(0)
	case "told":
		fmt.Fprint(os.Stderr, "panic: only told\ngoroutine 1 [running]:\nmain.f()\n\t/f.go:1\nand on\n")
	case "kv":
		return kv.Set("a", nil)
	case "fetch":
		_, err := fetch.Get("https://example.com/")
		return err
	case "config":
		if _, ok := sdk.Config("undeclared"); !ok {
			return errors.New("no such config")
		}
	}
	return system(how)
}

// system asks for what only a whole system has.
func system(how string) (err error) {
	switch how {
	case "get":
		_, err = http.Get("http://example.com/")
	case "getaddress":
		_, err = http.Get("http://192.0.2.1/")
	case "dial":
		_, err = net.Dial("tcp", "127.0.0.1:5432")
	case "lookup":
		_, err = net.LookupHost("example.com")
	case "listen":
		err = http.ListenAndServe(":8080", nil)
	case "open":
		_, err = os.Open("/srv/data.json")
	case "read":
		_, err = os.ReadFile("page.html")
	case "create":
		_, err = os.Create("/tmp/x")
	case "exec":
		err = exec.Command("ls").Run()
	case "zone":
		_, err = time.LoadLocation("Europe/Berlin")
	case "localtime":
		kept = time.Now().Local().String()
	}
	return err
}

//go:noinline
func spin(n int) {
	for i := 0; ; i++ {
		n += i * n
	}
}

//go:noinline
func recurse(n int) int { return recurse(n+1) + n }

//go:noinline
func ping(n int) int { return pong(n+1) + n }

//go:noinline
func pong(n int) int { return ping(n+1) * n }

func fill() {
	var all [][]byte
	for {
		all = append(all, make([]byte, 1<<20))
		kept = all
	}
}
